#include "service/gate_decision.h"

#include <algorithm>
#include <thread>

#include "scim/text/json.h"
#include "service/computed.h"
#include "service/nested_groups.h"
#include "service/render.h"
#include "store/format.h"
#include "store/members.h"
#include "store/read_budget.h"
#include "store/record.h"
#include "store/tenants.h"

namespace scim::service {

namespace {

using store::Directory;
using store::RecordView;

// Longer records, and filters of more terms over them, are not evaluated on the event loop.
constexpr size_t record_max = 1u << 20, filter_bytes_max = 4u << 20;
// Longer subjects name nobody.
constexpr size_t subject_max = 1024;
// Groups of the same name, up to full case folding.
constexpr size_t same_names_max = 16;

// Full case folding and PRECIS make keys of different texts equal. A subject must not be taken for
// the user that another text names.
bool is_text(const Attr &attr, std::string_view json, std::string_view text) {
    auto is_equal = [&](std::string_view stored) {
        return attr.matching == Matching::exact ? stored == text : ascii_iequals(stored, text);
    };
    const bool is_string = json.size() >= 2 && json.front() == '"';
    if (is_string && json.find('\\') == json.npos) return is_equal(json.substr(1, json.size() - 2));
    std::string stored;
    return read_string(json, stored) && is_equal(stored);
}

bool has_text(const Attr &attr, const RecordView &record, std::string_view text) {
    if (is_text(attr, record.first(attr.number), text)) return true;
    std::vector<Leaf> leaves;
    AttrSet wanted(size_t(attr.number) + 1);
    wanted.add(attr.number);
    if (!record.leaves(leaves, wanted, AttrSet())) return false;
    return std::any_of(leaves.begin(), leaves.end(),
                       [&](const Leaf &leaf) { return is_text(attr, leaf.json, text); });
}

// The attribute, if it has an index that finds all its values.
const Attr *indexed(const TypeView &type, std::string_view path) {
    const Attr *attr = type.find(path);
    if (attr == nullptr || attr->def->type != AttrType::string) return nullptr;
    const bool ready = attr->index != nullptr && attr->index->state == IndexState::ready;
    return ready ? attr : nullptr;
}

bool is_user(const TypeView &type) { return type.user_name != nullptr; }

// A user that a subject may name, and the attribute that was found by; nullptr: by the id.
struct Found {
    const TypeView *type;
    const Attr *attr;
    Id id;
};

std::vector<Found> find_by_id(const Catalog &catalog, Directory &directory, std::string_view text) {
    auto id = parse_id(text);
    if (!id) return {};
    for (const auto &type : catalog.types())
        if (is_user(*type) && directory.exists(type->number, *id))
            return {{type.get(), nullptr, *id}};
    return {};
}

// Up to two users of each type. `text` is UTF-8.
std::vector<Found> find_by_attribute(const std::vector<Gate::Key> &keys, Directory &directory,
                                     std::string_view text) {
    std::string json;
    write_string(json, text);
    std::vector<Found> found;
    for (const auto &[type, attr] : keys) {
        auto value = store::index_value(*attr, json);
        if (!value) continue;
        for (const Id &id : directory.find(type->number, attr->number, *value, 2))
            found.push_back({type, attr, id});
    }
    return found;
}

// The groups of one type that may be the one that a condition names.
std::vector<Id> ids_of(const TypeView &type, Directory &directory, const Condition &condition) {
    if (condition.kind == Condition::Kind::group_id) return {*parse_id(condition.value)};
    const Attr *name = type.display_name;
    if (name == nullptr || name->index == nullptr || name->index->state != IndexState::ready)
        return {};
    std::string json;
    write_string(json, condition.value);
    auto value = store::index_value(*name, json);
    if (!value) return {};
    return directory.find(type.number, name->number, *value, same_names_max);
}

// Sets the record and the reason of a user who was found.
void read_user(Directory &directory, const Found &found, std::string_view text, GateUser &user) {
    user.type = found.type;
    user.id = found.id;
    auto record = directory.record(user.type->number, user.id);
    if (!record) return;
    if (found.attr != nullptr && !has_text(*found.attr, *record, text)) {
        user.reason = Reason::ambiguous;
        user.type = nullptr;
        return;
    }
    const auto access = store::access_of(directory.txn(), user.tenant, user.id);
    user.blocked = access.blocked;
    user.not_before = std::max(access.not_before, record->header().created);
    const Attr *active = user.type->active;
    const bool is_active = active != nullptr && record->first(active->number) == "true";
    user.reason = user.blocked != 0 ? Reason::blocked : is_active ? Reason::none : Reason::inactive;
    user.is_beyond_limit = record->bytes().size() > record_max;
    if (!user.is_beyond_limit) user.record = record->bytes();
    if (user.is_beyond_limit && user.reason == Reason::none) user.reason = Reason::unavailable;
}

}  // namespace

std::string_view to_string(Reason reason) {
    switch (reason) {
        case Reason::none: return "";
        case Reason::no_subject: return "no_subject";
        case Reason::unknown: return "unknown";
        case Reason::inactive: return "inactive";
        case Reason::blocked: return "blocked";
        case Reason::ambiguous: return "ambiguous";
        case Reason::not_allowed: return "not_allowed";
        case Reason::session_revoked: return "session_revoked";
        case Reason::tenant: return "tenant";
        case Reason::unavailable: return "unavailable";
    }
    return "";
}

Snapshot &take_snapshot(Session &session, std::optional<Snapshot> &place,
                        std::chrono::milliseconds patience) {
    constexpr std::chrono::microseconds pause{250};
    const auto end = std::chrono::steady_clock::now() + patience - pause;
    place.emplace(session);
    while (place->txn.error() == store::Errc::map_resized &&
           std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(pause);
        place.emplace(session);
    }
    return *place;
}

std::vector<Gate::Key> Gate::keys_of(const Catalog &catalog, std::string_view by) {
    std::vector<Key> keys;
    for (const auto &type : catalog.types())
        if (const Attr *attr = is_user(*type) ? indexed(*type, by) : nullptr)
            keys.push_back({type.get(), attr});
    return keys;
}

bool Gate::can_find_by(const Catalog &catalog, std::string_view by) {
    return by == "id" || !keys_of(catalog, by).empty();
}

void Gate::use(const std::shared_ptr<const Catalog> &catalog) {
    if (catalog_ == catalog) return;
    filters_.clear();
    keys_.clear();
    catalog_ = catalog;
}

const std::vector<Gate::Key> &Gate::known_keys(std::string_view by) {
    auto place = keys_.find(by);
    if (place == keys_.end()) place = keys_.emplace(std::string(by), keys_of(*catalog_, by)).first;
    return place->second;
}

// 0 if there is no such tenant, or if it is disabled.
store::TenantNumber Gate::tenant_of(Snapshot &snapshot, std::string_view name) {
    constexpr size_t tenants_max = 1024;
    if (snapshot.txn.id() != epoch_txn_) {
        const uint64_t epoch = store::auth_epoch(snapshot.txn);
        if (epoch != epoch_) tenants_.clear();
        epoch_ = epoch;
        epoch_txn_ = snapshot.txn.good() ? snapshot.txn.id() : 0;
    }
    if (tenants_.size() > tenants_max) tenants_.clear();
    if (auto known = tenants_.find(name); known != tenants_.end()) return known->second;
    auto tenant = store::find_tenant(snapshot.txn, name);
    if (!tenant || tenant->state != store::TenantState::active || tenant->disabled ||
        !snapshot.txn.good())
        return 0;
    tenants_.emplace(name, tenant->number);
    return tenant->number;
}

bool Gate::finds_only(const GateUser &user, std::string_view by) {
    if (user.reason != Reason::none || !user.found()) return false;
    // A group that loses a member is changed by the deletion of that member.
    const auto &groups = user.catalog->group_types();
    if (std::find(groups.begin(), groups.end(), user.type) != groups.end()) return false;
    if (by == "id") return true;
    const std::vector<Key> &keys = known_keys(by);
    return keys.size() == 1 && keys[0].second->index->is_enforced();
}

GateUser Gate::find(Snapshot &snapshot, const Subject &subject) {
    GateUser user;
    if (subject.value.empty()) {
        user.reason = Reason::no_subject;
        return user;
    }
    if (!snapshot.usable()) return user;
    user.catalog = snapshot.catalog();
    use(user.catalog);
    const bool is_by_id = subject.by == "id";
    if (!is_by_id && known_keys(subject.by).empty()) return user;
    user.tenant = tenant_of(snapshot, subject.tenant);
    store::ReadBudget budget({}, store::RunOn::event_loop);
    Directory directory(snapshot.txn, user.tenant, &budget);
    std::vector<Found> found;
    if (user.tenant == 0)
        user.reason = Reason::tenant;
    else if (subject.value.size() > subject_max || !is_utf8(subject.value) ||
             subject.value.find('\0') != subject.value.npos)
        user.reason = Reason::unknown;
    else
        found = is_by_id ? find_by_id(*user.catalog, directory, subject.value)
                         : find_by_attribute(known_keys(subject.by), directory, subject.value);
    if (found.size() == 1)
        read_user(directory, found[0], subject.value, user);
    else if (user.reason == Reason::unavailable)
        user.reason = found.empty() ? Reason::unknown : Reason::ambiguous;
    if (!snapshot.txn.good() || budget.stopped()) {
        user = {};
        user.is_beyond_limit = budget.stopped();
    }
    return user;
}

// The evaluation of conditions for one user.
class Gate::Judgement {
  public:
    Judgement(Gate &gate, Snapshot &snapshot, const GateUser &user, GateOptions options)
        : gate_(gate),
          snapshot_(snapshot),
          user_(user),
          options_(options),
          directory_(snapshot.txn, user.tenant, &budget_),
          members_(directory_) {}

    bool holds(const Condition &condition);
    // True if a condition could not be evaluated.
    bool failed() const { return failed_ || !snapshot_.txn.good() || budget_.stopped(); }
    // True if the store has answered, but the conditions could not be evaluated.
    bool is_beyond_limit() const { return snapshot_.txn.good(); }
    MadeFrom made_from() const { return made_from_; }
    // The last condition that named a group that does not exist.
    const Condition *no_such_group() const { return no_such_group_; }

  private:
    bool is_in(const Id &group, uint32_t epoch);
    bool is_directly_in(const Id &group, uint32_t epoch);
    void use(MadeFrom source) { made_from_ = std::max(made_from_, source); }
    bool matches(const std::string &filter);
    bool is_indirectly_in(const Id &group);

    Gate &gate_;
    Snapshot &snapshot_;
    const GateUser &user_;
    const GateOptions options_;
    store::ReadBudget budget_{{}, store::RunOn::event_loop};
    Directory directory_;
    store::Members members_;
    bool failed_ = false;
    MadeFrom made_from_ = MadeFrom::user;  // the conditions that were evaluated
    // The user's first rows of memberships, sorted; nothing: not needed yet.
    static constexpr size_t direct_max = 64;
    std::optional<std::vector<std::pair<Id, uint32_t>>> direct_;
    size_t groups_asked_ = 0;
    std::optional<std::vector<Id>> indirect_;  // sorted; nothing: not needed yet
    const Condition *no_such_group_ = nullptr;
};

bool Gate::Judgement::holds(const Condition &condition) {
    if (condition.kind == Condition::Kind::filter) return matches(condition.value);
    use(MadeFrom::groups);
    const std::vector<GroupRef> &groups =
        gate_.groups_of(snapshot_, *user_.catalog, directory_, condition);
    if (groups.empty()) no_such_group_ = &condition;
    return std::any_of(groups.begin(), groups.end(),
                       [&](const GroupRef &group) { return is_in(group.id, group.epoch); });
}

bool Gate::Judgement::is_in(const Id &group, uint32_t epoch) {
    return is_directly_in(group, epoch) || (options_.nested_groups && is_indirectly_in(group));
}

// One group is looked up; for further ones the user's groups are read once.
bool Gate::Judgement::is_directly_in(const Id &group, uint32_t epoch) {
    if (groups_asked_++ == 0) return members_.contains(group, epoch, user_.id);
    if (!direct_) {
        direct_.emplace();
        members_.each_membership(user_.id, nullptr, [&](const Id &id, uint32_t of_row) {
            direct_->emplace_back(id, of_row);
            return direct_->size() < direct_max;
        });
    }
    if (std::binary_search(direct_->begin(), direct_->end(), std::pair(group, epoch))) return true;
    return direct_->size() == direct_max && members_.contains(group, epoch, user_.id);
}

bool Gate::Judgement::is_indirectly_in(const Id &group) {
    if (!indirect_) {
        indirect_ = indirect_groups(*user_.catalog, directory_, snapshot_.groups, user_.id).ids;
        std::sort(indirect_->begin(), indirect_->end());
    }
    return std::binary_search(indirect_->begin(), indirect_->end(), group);
}

bool Gate::Judgement::matches(const std::string &text) {
    auto record = RecordView::peek(user_.record);
    const Filter *filter = gate_.filter_of(*user_.type, text);
    std::vector<Leaf> leaves;
    if (filter == nullptr || !record ||
        user_.record.size() * (1 + filter->terms()) > filter_bytes_max ||
        !record->leaves(leaves, filter->stored(), AttrSet())) {
        failed_ = true;
        return false;
    }
    if (filter->needs_rows()) use(MadeFrom::any_resource);
    canonical_order(*user_.type, leaves);
    Computed computed(*user_.catalog, *user_.type, "", directory_,
                      options_.nested_groups ? &snapshot_.groups : nullptr);
    computed.look_at(user_.id, *record);
    FilterSubject subject;
    subject.type = user_.type;
    subject.leaves = &leaves;
    subject.computed = &computed;
    subject.id = user_.id;
    subject.version = record->header().version;
    subject.created = record->header().created;
    subject.modified = record->header().modified;
    if (filter->needs_schemas()) {
        auto extensions = listed_extensions(*user_.catalog, *user_.type, *record);
        failed_ |= !extensions;
        subject.extensions = extensions.value_or(0);
    }
    return filter->matches(subject);
}

// The groups that a condition names.
const std::vector<Gate::GroupRef> &Gate::groups_of(Snapshot &snapshot, const Catalog &catalog,
                                                   Directory &directory,
                                                   const Condition &condition) {
    constexpr size_t groups_max = 1024;
    if (snapshot.txn.id() != groups_txn_ || groups_.size() > groups_max) groups_.clear();
    groups_txn_ = snapshot.txn.id();
    auto [place, is_new] = groups_.try_emplace({directory.tenant(), condition.text});
    if (!is_new) return place->second;
    std::vector<GroupRef> &found = place->second;
    for (const TypeView *type : catalog.group_types()) {
        for (const Id &id : ids_of(*type, directory, condition)) {
            auto group = directory.record(type->number, id);
            const bool is_named =
                group && (condition.kind == Condition::Kind::group_id ||
                          is_text(*type->display_name, group->first(type->display_name->number),
                                  condition.value));
            if (is_named) found.push_back({id, group->header().member_epoch});
        }
    }
    // What a read that failed has found is not remembered.
    if (!snapshot.txn.good() || !directory.may_walk()) groups_txn_ = 0;
    return found;
}

// The filter for users of `type`; nullptr if it is not valid for the
// catalog in use.
const Filter *Gate::filter_of(const TypeView &type, const std::string &text) {
    auto [place, is_new] = filters_.try_emplace({type.number, text});
    if (is_new) {
        DeviationReport report;
        Dialect dialect(false, report);
        auto filter = Filter::parse(type, text, FilterLimits(), dialect);
        if (filter) place->second = std::move(*filter);
    }
    return place->second ? &*place->second : nullptr;
}

Decision Gate::decide(Snapshot &snapshot, const GateUser &user, const Requirements &requirements,
                      GateOptions options) {
    use(user.catalog);
    Judgement judgement(*this, snapshot, user, options);
    Decision decision;
    for (const Requirement &line : requirements.lines()) {
        const bool holds =
            std::any_of(line.conditions.begin(), line.conditions.end(),
                        [&](const Condition &condition) { return judgement.holds(condition); });
        if (holds) continue;
        decision.reason = Reason::not_allowed;
        decision.failed = &line;
        break;
    }
    decision.no_such_group = judgement.no_such_group();
    decision.made_from = judgement.made_from();
    if (judgement.failed()) {
        decision = {};
        decision.reason = Reason::unavailable;
        decision.is_beyond_limit = judgement.is_beyond_limit();
    }
    return decision;
}

}  // namespace scim::service
