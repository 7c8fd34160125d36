#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <tuple>

#include "scim/resource/element_index.h"
#include "scim/schema/attr_set.h"
#include "service/command.h"
#include "service/conditions.h"
#include "service/plan_parts.h"
#include "service/render.h"
#include "service/routes.h"
#include "store/members.h"

namespace scim::service {

namespace {

const Attr *top_of(const TypeView &type, AttrNumber number) {
    const Attr *attr = type.by_number(number);
    return attr != nullptr ? &attr->top() : nullptr;
}

bool has_top(const TypeView &type, const std::vector<Leaf> &leaves, const Attr *top) {
    return std::any_of(leaves.begin(), leaves.end(),
                       [&](const Leaf &l) { return top_of(type, l.attr) == top; });
}

bool is_kept(const Attr &attr) {
    Mutability mutability = attr.def->mutability;
    return mutability == Mutability::write_only || mutability == Mutability::immutable ||
           mutability == Mutability::read_only;
}

// True for a part of a singular complex attribute. Parts of an element of a multi-valued attribute
// are kept or cleared together with the element.
bool is_single_part(const Attr &attr) {
    return attr.parent != nullptr && !attr.parent->def->multi_valued;
}

// What a PUT keeps of the stored resource. It clears the attributes that it omits (RFC 7644 3.5.1),
// except those that the client cannot read or must not clear: attributes that are not declared any
// more, writeOnly, immutable and readOnly ones; and `active`, because a PUT without `active` must
// not reactivate a deactivated user.
class Keeper {
  public:
    Keeper(const TypeView &type, const std::vector<Leaf> &sent)
        : type_(type), active_(type.find_core("active")), sent_(type.numbers_end()) {
        for (const Leaf &leaf : sent)
            if (const Attr *attr = type.by_number(leaf.attr)) {
                sent_.add(attr->number);
                sent_.add(attr->top().number);
            }
    }

    bool keeps(const Leaf &leaf) const {
        const Attr *attr = type_.by_number(leaf.attr);
        if (attr == nullptr) return true;
        const Attr &top = attr->top();
        if (is_kept(top) || &top == active_) return !sent_.has(top.number);
        return is_single_part(*attr) && is_kept(*attr) && !sent_.has(attr->number);
    }

  private:
    const TypeView &type_;
    const Attr *active_;
    AttrSet sent_;  // the numbers of the sent attributes and of their top-level attributes
};

std::vector<Leaf> carry_over(const TypeView &type, const std::vector<Leaf> &before,
                             const std::vector<Leaf> &sent) {
    std::vector<Leaf> after = sent;
    const Keeper keeper(type, sent);
    std::copy_if(before.begin(), before.end(), std::back_inserter(after),
                 [&](const Leaf &leaf) { return keeper.keeps(leaf); });
    canonical_order(type, after);
    return after;
}

// The top-level attributes of the leaves, in the order of their numbers.
std::vector<AttrNumber> top_attrs(const TypeView &type, const std::vector<Leaf> &leaves) {
    std::vector<AttrNumber> attrs;
    for (const Leaf &leaf : leaves) {
        const Attr *top = top_of(type, leaf.attr);
        const AttrNumber number = top != nullptr ? top->number : leaf.attr;
        if (attrs.empty() || attrs.back() != number) attrs.push_back(number);
    }
    std::sort(attrs.begin(), attrs.end());
    attrs.erase(std::unique(attrs.begin(), attrs.end()), attrs.end());
    return attrs;
}

// The top-level attributes whose leaves differ, in the order of their numbers.
std::vector<AttrNumber> changed_attrs(const TypeView &type, std::vector<Leaf> a,
                                      std::vector<Leaf> b) {
    const auto is_before = [](const Leaf &x, const Leaf &y) {
        return std::tie(x.attr, x.element, x.json) < std::tie(y.attr, y.element, y.json);
    };
    std::sort(a.begin(), a.end(), is_before);
    std::sort(b.begin(), b.end(), is_before);
    std::vector<Leaf> differing;
    std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(),
                                  std::back_inserter(differing), is_before);
    return top_attrs(type, differing);
}

std::vector<Leaf> leaves_of(const std::vector<Leaf> &leaves, AttrNumber number) {
    std::vector<Leaf> some;
    std::copy_if(leaves.begin(), leaves.end(), std::back_inserter(some),
                 [&](const Leaf &leaf) { return leaf.attr == number; });
    return some;
}

// The values of an immutable part by the identity of their element (element_index.h). Of elements
// with the same identity, the last value.
std::map<std::string, std::string_view> values_by_element(const TypeView &type, const Attr &part,
                                                          const std::vector<Leaf> &leaves) {
    const ElementIndex index(*part.parent);
    std::map<std::string, std::string_view> values;
    for (auto first = leaves.begin(); first != leaves.end();) {
        auto same = [&](const Leaf &leaf) {
            return leaf.element == first->element && top_of(type, leaf.attr) == part.parent;
        };
        const auto last = same(*first) ? std::find_if_not(first, leaves.end(), same) : first + 1;
        for (auto leaf = first; leaf != last; ++leaf)
            if (leaf->attr == part.number)
                values[index.key(&*first, &*first + (last - first))] = leaf->json;
        first = last;
    }
    return values;
}

// True if an element has another value of an immutable part than the element of the same identity
// had before. This checks a list that is sent as a whole; a PATCH of the part is refused by
// Patch::apply().
bool has_other_element(const TypeView &type, const Attr &part, const std::vector<Leaf> &before,
                       const std::vector<Leaf> &after) {
    const auto was = values_by_element(type, part, before);
    for (const auto &[element, value] : values_by_element(type, part, after)) {
        const auto old = was.find(element);
        if (old != was.end() && old->second != value) return true;
    }
    return false;
}

// For an attribute that differs: the immutable attribute, `top` or a part of it, whose old value is
// changed or missing; nullptr if there is none.
const Attr *broken_immutable(const TypeView &type, const Attr &top, const std::vector<Leaf> &before,
                             const std::vector<Leaf> &after) {
    if (top.def->mutability == Mutability::immutable)
        return has_top(type, before, &top) ? &top : nullptr;
    for (const Attr *part : top.subs) {
        if (part->def->mutability != Mutability::immutable) continue;
        if (!is_single_part(*part)) {
            if (has_other_element(type, *part, before, after)) return part;
            continue;
        }
        std::vector<Leaf> was = leaves_of(before, part->number),
                          is = leaves_of(after, part->number);
        if (!was.empty() && (is.empty() || is[0].json != was[0].json)) return part;
    }
    return nullptr;
}

// 400 mutability if an immutable attribute that has a value is changed (RFC 7643 2.2 and 7).
Outcome check_immutable(const Command &command, const std::vector<Leaf> &before,
                        const std::vector<Leaf> &after, const std::vector<AttrNumber> &changed) {
    const TypeView &type = *command.type;
    for (AttrNumber number : changed) {
        const Attr *top = type.by_number(number);
        const Attr *broken = top != nullptr ? broken_immutable(type, *top, before, after) : nullptr;
        if (broken == nullptr) continue;
        return command.patch.in_last_operation(
            *broken,
            Error{Refusal::attribute_immutable,
                  broken->path + " is immutable: it has a value, and the request has another one"});
    }
    return Done{};
}

// The leaves of the attributes that differ. Only these are normalised for the index: to fold large
// values that do not change would delay the writes of all other clients.
std::vector<Leaf> differing(const TypeView &type, const std::vector<Leaf> &leaves,
                            const std::vector<AttrNumber> &changed) {
    std::vector<Leaf> some;
    std::copy_if(leaves.begin(), leaves.end(), std::back_inserter(some), [&](const Leaf &leaf) {
        const Attr *top = top_of(type, leaf.attr);
        return top != nullptr && std::binary_search(changed.begin(), changed.end(), top->number);
    });
    return some;
}

// RFC 7644 3.14, RFC 9110 13.1.
Outcome check_conditions(const Command &command, uint64_t version) {
    std::string etag = etag_of(version);
    if (!command.if_match.empty())
        if (auto r = check_if_match(command.if_match, etag); !r) return r;
    if (!command.if_none_match.empty() && etag_listed(command.if_none_match, etag))
        return Error{
            Refusal::version_excluded,
            "If-None-Match is " + quoted(command.if_none_match) + ", and the version is " + etag};
    return Done{};
}

// Sets the position, the time and the change row. The time of a change is never before that of the
// tenant's last change, even if the clock was set back.
void stamp(const Command &command, store::Directory &directory, store::ResourceEdit &edit) {
    store::Position last = directory.position();
    edit.type = command.type->number;
    edit.id = command.id;
    edit.position = last.position + 1;
    edit.change.time = std::max(command.now, last.time);
    edit.change.actor = command.actor;
    edit.change.request = command.request;
    edit.change.operation = command.operation;
    edit.change.type = command.type->number;
    edit.change.id = command.id;
}

void put_record(const Command &command, const std::vector<Leaf> &leaves, int64_t created,
                Plan &plan) {
    store::RecordHeader header;
    header.version = plan.edit.position;
    const int64_t time = plan.edit.change.time;
    header.created = created != 0 ? created : command.created != 0 ? command.created : time;
    header.modified = command.modified != 0 ? command.modified : time;
    header.member_epoch = plan.edit.members.epoch;
    if (command.record.empty()) {
        plan.edit.record = store::encode_record(header, *command.catalog, *command.type, leaves);
    } else {
        plan.edit.record = command.record;
        store::stamp_record(plan.edit.record, header);
    }
    plan.version = plan.edit.position;
    plan.changes = true;
}

void note_members(const TypeView &type, store::ResourceEdit &edit) {
    if (is_empty(edit.members)) return;
    auto &attrs = edit.change.attrs;
    attrs.insert(std::lower_bound(attrs.begin(), attrs.end(), type.members->number),
                 type.members->number);
}

void note_index(const Command &command, const std::vector<Leaf> &leaves, Work &work) {
    work.note(store::index_work(*command.catalog, *command.type, leaves));
}

void note_request(const Command &command, Work &work) {
    const MemberEdits &edits = command.patch.members();
    const size_t sent = command.resource.members ? command.resource.members->size() : 0;
    work.note(member_lookup_work * (sent + edits.add.size() + edits.remove.size()) +
              leaf_work * command.resource.leaves.size());
}

size_t edit_work(const store::ResourceEdit &edit) {
    constexpr size_t rows_each_member = 2, rows_each_change = 4, rows_each_name = 2;
    const size_t members = edit.members.joined.size() + edit.members.left.size();
    size_t work = record_work(edit.record.size());
    work += row_work * (rows_each_change + edit.before.size() + edit.after.size() +
                        rows_each_member * members + edit.groups.size() + edit.access.size() +
                        edit.heirs.size() + (edit.name.empty() ? 0 : rows_each_name) +
                        store::differing_trigrams(edit.trigrams_before, edit.trigrams_after));
    for (const store::LeftGroup &group : edit.groups) work += record_work(group.record.size());
    return work;
}

Result<Plan> plan_create(const Command &command, store::Directory &directory, Work &work) {
    const TypeView &type = *command.type;
    auto unique = check_unique(command, command.resource.leaves, command.index, directory, work);
    RETURN_IF_ERROR(unique);
    Plan plan;
    plan.status = 201;
    stamp(command, directory, plan.edit);
    if (type.members != nullptr) {
        const uint32_t epoch =
            command.reuses_id ? store::Members(directory).unused_epoch(command.id) : 1;
        auto members =
            plan_members(command, directory, epoch,
                         {false, command.resource.members.value_or(std::vector<Id>()), {}, {}});
        RETURN_IF_ERROR(members);
        plan.edit.members = std::move(*members);
    }
    plan.edit.is_new = plan.grows = true;
    plan.edit.after = command.index;
    plan.edit.trigrams_after = command.trigrams;
    plan.edit.change.attrs = top_attrs(type, command.resource.leaves);
    note_members(type, plan.edit);
    put_record(command, command.resource.leaves, 0, plan);
    return plan;
}

// A record that becomes longer by at most this many bytes does not count as growing: `active` may
// change from true to false, and varints may become longer.
constexpr size_t record_slack = 64;

store::ActiveValue active_of(const TypeView &type, const std::vector<Leaf> &leaves) {
    using store::ActiveValue;
    const Attr *active = type.find_core("active");
    if (active == nullptr) return ActiveValue::none;
    for (const Leaf &leaf : leaves)
        if (leaf.attr == active->number)
            return leaf.json == "true"    ? ActiveValue::yes
                   : leaf.json == "false" ? ActiveValue::no
                                          : ActiveValue::none;
    return ActiveValue::none;
}

// The name of a resource that is deleted, for the log: userName, or displayName.
std::string name_of(const TypeView &type, const std::vector<Leaf> &leaves) {
    std::string name;
    for (const Attr *attr : {type.user_name, type.display_name})
        for (const Leaf &leaf : leaves)
            if (attr != nullptr && leaf.attr == attr->number && name.empty())
                read_string(leaf.json, name);
    return name;
}

// The stored resource and what the request changes.
struct Update {
    const store::RecordView &record;
    uint64_t version;
    const std::vector<Leaf> &before, &after;
    MemberEdits members;
};

// 413 for too much index work (check_index_work()), unless the stored resource has at least as
// much: a resource that exceeds the limit already can still be changed.
Outcome check_indexed(const Command &command, const Update &u) {
    const size_t work = store::index_work(*command.catalog, *command.type, u.after);
    if (work <= index_work_most) return Done{};
    if (work <= store::index_work(*command.catalog, *command.type, u.before)) return Done{};
    return check_index_work(work);
}

Result<Plan> plan_update(const Command &command, store::Directory &directory, const Update &u,
                         Work &work) {
    const TypeView &type = *command.type;
    std::vector<AttrNumber> changed = changed_attrs(type, u.before, u.after);
    auto immutable = check_immutable(command, u.before, u.after, changed);
    RETURN_IF_ERROR(immutable);
    Plan plan;
    auto members = plan_members(command, directory, u.record.header().member_epoch, u.members);
    RETURN_IF_ERROR(members);
    plan.edit.members = std::move(*members);
    if (changed.empty() && is_empty(plan.edit.members)) {
        // A write that changes nothing changes neither version nor lastModified (RFC 7644 3.5.2.1).
        plan.stored = u.record.bytes();
        plan.version = u.version;
        return plan;
    }
    auto indexable = check_indexed(command, u);
    RETURN_IF_ERROR(indexable);
    const std::vector<Leaf> was = differing(type, u.before, changed),
                            is = differing(type, u.after, changed);
    note_index(command, was, work);
    note_index(command, is, work);
    if (work.too_much()) return plan;
    plan.edit.before = store::index_values(*command.catalog, type, was);
    plan.edit.after = store::index_values(*command.catalog, type, is);
    plan.edit.trigrams_before = store::trigram_sets(*command.catalog, type, was);
    plan.edit.trigrams_after = store::trigram_sets(*command.catalog, type, is);
    auto unique = check_unique(command, is, plan.edit.after, directory, work);
    RETURN_IF_ERROR(unique);
    stamp(command, directory, plan.edit);
    plan.edit.change.was_active = active_of(type, was);
    plan.edit.change.is_active = active_of(type, is);
    plan.locks_out = plan.edit.change.was_active == store::ActiveValue::yes;
    plan.ends_access = plan.locks_out && store::has_users(type);
    plan.edit.change.attrs = std::move(changed);
    note_members(type, plan.edit);
    put_record(command, u.after, u.record.header().created, plan);
    plan.grows = !plan.edit.members.joined.empty() ||
                 plan.edit.record.size() > u.record.bytes().size() + record_slack;
    return plan;
}

// Each group is a part of the change, and the number of a part has 16 bits.
constexpr size_t groups_left_max = 60000;

// Gives the groups of a deleted resource a new version and lastModified, because they lose a
// member.
void leave_groups(const Command &command, store::Directory &directory, store::ResourceEdit &edit) {
    // A type that is not declared now may be one of groups.
    std::vector<TypeNumber> types = command.catalog->undeclared_types();
    for (const TypeView *groups : command.catalog->group_types()) types.push_back(groups->number);
    for (TypeNumber type : types)
        store::Members(directory).each_group(
            type, command.id, nullptr, [&](const Id &group, const store::RecordView &record) {
                edit.groups.push_back(
                    {type, group,
                     store::restamp_record(record.bytes(), edit.position, edit.change.time)});
                return edit.groups.size() < groups_left_max;
            });
    // The parts of the change are in the order of the ids (docs/format.md).
    std::sort(edit.groups.begin(), edit.groups.end(),
              [](const store::LeftGroup &a, const store::LeftGroup &b) { return a.id < b.id; });
}

Plan plan_remove(const Command &command, store::Directory &directory,
                 const store::RecordView &record, const std::vector<Leaf> &before, Work &work) {
    Plan plan;
    plan.status = 204;
    plan.changes = plan.locks_out = true;
    // A user without a value of `active` has access, too.
    plan.ends_access = store::has_users(*command.type) &&
                       active_of(*command.type, before) != store::ActiveValue::no;
    note_index(command, before, work);
    if (work.too_much()) return plan;
    plan.edit.before = store::index_values(*command.catalog, *command.type, before);
    plan.edit.trigrams_before = store::trigram_sets(*command.catalog, *command.type, before);
    stamp(command, directory, plan.edit);
    plan.edit.name = name_of(*command.type, before);
    leave_groups(command, directory, plan.edit);
    if (command.type->members != nullptr)
        plan.edit.members = empty_group(directory, command.id, record.header().member_epoch);
    return plan;
}

Result<Plan> plan_existing(const Command &command, store::Directory &directory,
                           DeviationReport &report, Work &work) {
    const TypeView &type = *command.type;
    auto record = directory.record(type.number, command.id);
    if (!record) return no_such_resource(type, scim::to_string(command.id));
    uint64_t version = version_of(*command.catalog, type, directory, command.id, *record);
    auto conditions = check_conditions(command, version);
    RETURN_IF_ERROR(conditions);
    Resource resource;
    if (!record->leaves(resource.leaves)) directory.txn().fail(store::Errc::damaged);
    work.note(record_work(record->bytes().size()) + leaf_work * resource.leaves.size());
    canonical_order(type, resource.leaves);
    const std::vector<Leaf> before = resource.leaves;
    switch (command.operation) {
        case store::Operation::remove:
            return plan_remove(command, directory, *record, before, work);
        case store::Operation::replace: {
            // PUT clears the attributes that it omits, including members.
            MemberEdits members;
            members.clear = type.members != nullptr && !command.keeps_members;
            members.add = command.resource.members.value_or(std::vector<Id>());
            std::vector<Leaf> after = carry_over(type, before, command.resource.leaves);
            return plan_update(command, directory, {*record, version, before, after, members},
                               work);
        }
        default: {
            auto applied = command.patch.apply(type, resource, report, work);
            RETURN_IF_ERROR(applied);
            const Attr *missing = nullptr;
            auto complete = check_required(type, resource, &missing);
            if (!complete) return command.patch.without_required(missing, complete.error());
            return plan_update(command, directory,
                               {*record, version, before, resource.leaves, command.patch.members()},
                               work);
        }
    }
}

}  // namespace

Result<Plan> plan(const Command &command, store::Directory &directory, DeviationReport &report,
                  Work &work) {
    note_request(command, work);
    Result<Plan> result = command.operation == store::Operation::create
                              ? plan_create(command, directory, work)
                              : plan_existing(command, directory, report, work);
    if (result && result->changes && !work.too_much()) plan_access(command, directory, *result);
    if (result) work.note(edit_work(result->edit));
    if (!directory.txn().good()) return unreadable(directory.txn().error());
    return result;
}

}  // namespace scim::service
