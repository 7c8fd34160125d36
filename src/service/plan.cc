#include <algorithm>
#include <iterator>
#include <tuple>

#include "scim/json.h"
#include "service/command.h"
#include "service/render.h"
#include "service/routes.h"

namespace scim::service {

namespace {

const Attr *top_of(const TypeView &type, AttrNumber number) {
    const Attr *attr = type.by_number(number);
    return attr != nullptr && attr->parent != nullptr ? attr->parent : attr;
}

bool has_top(const TypeView &type, const std::vector<Leaf> &leaves, const Attr *top) {
    return std::any_of(leaves.begin(), leaves.end(),
                       [&](const Leaf &l) { return top_of(type, l.attr) == top; });
}

// PUT clears what it omits (RFC 7644 3.5.1), except what its sender cannot see or may not clear:
// attributes that are not declared now, writeOnly and immutable ones; and `active`, because a
// forgotten member must not bring a leaver back.
bool is_kept(const TypeView &type, const Attr *top) {
    return top == nullptr || top->def->mutability == Mutability::write_only ||
           top->def->mutability == Mutability::immutable || top == type.find_core("active");
}

std::vector<Leaf> carry_over(const TypeView &type, const std::vector<Leaf> &before,
                             const std::vector<Leaf> &sent) {
    std::vector<Leaf> after = sent;
    for (const Leaf &leaf : before) {
        const Attr *top = top_of(type, leaf.attr);
        if (is_kept(type, top) && (top == nullptr || !has_top(type, sent, top)))
            after.push_back(leaf);
    }
    canonical_order(type, after);
    return after;
}

// The top attributes whose leaves differ, in the order of their numbers.
std::vector<AttrNumber> changed_attrs(const TypeView &type, const std::vector<Leaf> &a,
                                      const std::vector<Leaf> &b) {
    using Row = std::tuple<AttrNumber, uint32_t, std::string_view>;
    auto rows = [](const std::vector<Leaf> &leaves) {
        std::vector<Row> out;
        out.reserve(leaves.size());
        for (const Leaf &leaf : leaves) out.emplace_back(leaf.attr, leaf.element, leaf.json);
        std::sort(out.begin(), out.end());
        return out;
    };
    std::vector<Row> ra = rows(a), rb = rows(b), differing;
    std::set_symmetric_difference(ra.begin(), ra.end(), rb.begin(), rb.end(),
                                  std::back_inserter(differing));
    std::vector<AttrNumber> attrs;
    for (const Row &row : differing) {
        const Attr *top = top_of(type, std::get<0>(row));
        attrs.push_back(top != nullptr ? top->number : std::get<0>(row));
    }
    std::sort(attrs.begin(), attrs.end());
    attrs.erase(std::unique(attrs.begin(), attrs.end()), attrs.end());
    return attrs;
}

// RFC 7643 2.2: an immutable attribute that has a value keeps it.
Outcome check_immutable(const TypeView &type, const std::vector<Leaf> &before,
                        const std::vector<AttrNumber> &changed) {
    for (AttrNumber number : changed) {
        const Attr *attr = type.by_number(number);
        if (attr == nullptr || attr->def->mutability != Mutability::immutable ||
            !has_top(type, before, attr))
            continue;
        return bad_request(
            ScimType::mutability,
            attr->path + " is immutable: it has a value, and the request has another one");
    }
    return Done{};
}

std::string unquoted(std::string_view json) {
    std::string text;
    read_string(json, text);
    return text;
}

// Two long values may share a digest: the record tells.
bool really_has(const TypeView &type, const store::RecordView &record, const IndexDef &index,
                const Leaf &wanted) {
    std::vector<Leaf> leaves;
    const Attr *attr = type.by_number(index.attr);
    if (!record.leaves(leaves)) return true;
    return std::any_of(leaves.begin(), leaves.end(), [&](const Leaf &leaf) {
        return leaf.attr == index.attr && key_of(attr->matching, unquoted(leaf.json)) ==
                                              key_of(attr->matching, unquoted(wanted.json));
    });
}

Error taken(const TypeView &type, const Attr &attr, const Leaf &leaf, const Id &owner,
            const store::RecordView &record) {
    const Attr *active = type.find_core("active");
    bool inactive = active != nullptr && record.first(active->number) == "false";
    return Error{409, ScimType::uniqueness,
                 attr.path + " " + quoted(unquoted(leaf.json)) + " is taken by the " +
                     (inactive ? "inactive " : "") + type.type.name + " " + scim::to_string(owner),
                 0};
}

// Nothing can come between this look and the write: there is one writer.
Outcome check_unique(const Command &command, const std::vector<Leaf> &leaves,
                     const store::IndexValues &values, store::Directory &directory) {
    for (const auto &entry : values) {
        const IndexDef *index = entry.first;
        const std::string &value = entry.second;
        if (!index->unique) continue;
        const Attr *attr = command.type->by_number(index->attr);
        auto leaf = std::find_if(leaves.begin(), leaves.end(), [&](const Leaf &l) {
            return l.attr == attr->number && store::index_value(*attr, l.json) == value;
        });
        for (const Id &owner : directory.find(*index, value, SIZE_MAX)) {
            if (owner == command.id) continue;
            auto record = directory.record(index->type, owner);
            if (!record) continue;
            if (store::is_digest(value) && !really_has(*command.type, *record, *index, *leaf))
                continue;
            return taken(*command.type, *attr, *leaf, owner, *record);
        }
    }
    return Done{};
}

// RFC 7644 3.14, RFC 9110 13.1.
Outcome check_conditions(const Command &command, const store::RecordView &record) {
    std::string etag = etag_of(record);
    if (!command.if_match.empty() && !etag_listed(command.if_match, etag))
        return Error{412, ScimType::none,
                     "If-Match is " + quoted(command.if_match) + ", but the version is " + etag +
                         " now; read it again",
                     0};
    if (!command.if_none_match.empty() && etag_listed(command.if_none_match, etag))
        return Error{
            412, ScimType::none,
            "If-None-Match is " + quoted(command.if_none_match) + ", and the version is " + etag,
            0};
    return Done{};
}

// Fills in what every change has: position, time, change row.
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

void put_record(const Command &command, store::ResourceEdit &edit, const std::vector<Leaf> &leaves,
                Plan &plan, int64_t created, uint32_t member_epoch) {
    store::RecordHeader header;
    header.version = edit.position;
    header.created = created != 0 ? created : edit.change.time;
    header.modified = edit.change.time;
    header.member_epoch = member_epoch;
    Resource resource;
    resource.leaves = leaves;
    edit.record = store::encode_record(header, *command.catalog, *command.type, resource);
    plan.record = edit.record;
    plan.changes = true;
}

Result<Plan> plan_create(const Command &command, store::Directory &directory) {
    auto unique = check_unique(command, command.resource.leaves, command.index, directory);
    if (!unique) return unique.error();
    Plan plan;
    plan.status = 201;
    stamp(command, directory, plan.edit);
    plan.edit.is_new = true;
    plan.edit.after = command.index;
    plan.edit.change.attrs = changed_attrs(*command.type, {}, command.resource.leaves);
    put_record(command, plan.edit, command.resource.leaves, plan, 0, 0);
    return plan;
}

Result<Plan> plan_replace(const Command &command, store::Directory &directory,
                          const store::RecordView &record, const std::vector<Leaf> &before) {
    const TypeView &type = *command.type;
    std::vector<Leaf> after = carry_over(type, before, command.resource.leaves);
    std::vector<AttrNumber> changed = changed_attrs(type, before, after);
    auto immutable = check_immutable(type, before, changed);
    if (!immutable) return immutable.error();
    Plan plan;
    if (changed.empty()) {  // nothing moves, not even lastModified (S-110)
        plan.record = record.bytes();
        return plan;
    }
    plan.edit.before = store::index_values(*command.catalog, type, before);
    plan.edit.after = store::index_values(*command.catalog, type, after);
    auto unique = check_unique(command, after, plan.edit.after, directory);
    if (!unique) return unique.error();
    stamp(command, directory, plan.edit);
    plan.edit.change.attrs = std::move(changed);
    put_record(command, plan.edit, after, plan, record.header().created,
               record.header().member_epoch);
    return plan;
}

Plan plan_remove(const Command &command, store::Directory &directory,
                 const std::vector<Leaf> &before) {
    Plan plan;
    plan.status = 204;
    plan.changes = true;
    plan.edit.before = store::index_values(*command.catalog, *command.type, before);
    stamp(command, directory, plan.edit);
    return plan;
}

Error unreadable(store::Txn &txn) {
    return Error{503, ScimType::none,
                 "the directory cannot be read now: " + std::string(to_string(txn.error())), 5};
}

Result<Plan> plan_existing(const Command &command, store::Directory &directory) {
    auto record = directory.record(command.type->number, command.id);
    if (!record) return no_such_resource(*command.type, scim::to_string(command.id));
    auto conditions = check_conditions(command, *record);
    if (!conditions) return conditions.error();
    std::vector<Leaf> before;
    if (!record->leaves(before)) directory.txn().fail(store::Errc::damaged);
    if (command.operation == store::Operation::remove)
        return plan_remove(command, directory, before);
    return plan_replace(command, directory, *record, before);
}

}  // namespace

Result<Plan> plan(const Command &command, store::Directory &directory) {
    Result<Plan> result = command.operation == store::Operation::create
                              ? plan_create(command, directory)
                              : plan_existing(command, directory);
    if (!directory.txn().good()) return unreadable(directory.txn());
    return result;
}

}  // namespace scim::service
