#include "service/gate_cache.h"

#include <algorithm>

namespace scim::service {

namespace {

// More rows of the log are not read at once.
constexpr size_t log_rows_max = 1000;
constexpr size_t tenants_max = 1024;
// A user with more bytes of values is not kept.
constexpr size_t user_bytes_max = GateCache::bytes_max / 64;

size_t bytes_of(const std::string &text) {
    constexpr size_t in_place = 15;
    return text.capacity() > in_place ? text.capacity() + 1 : 0;
}

// The memory of a user in the cache, without the catalog, which is shared.
size_t cost_of(const KnownUser &known, const std::string &key) {
    constexpr size_t nodes = 192;  // of the list, the hash table and the allocator
    size_t bytes = sizeof(KnownUser) + nodes + bytes_of(key) +
                   known.decisions.capacity() * sizeof(KnownDecision) +
                   known.values.capacity() * sizeof(KnownValue);
    for (const KnownValue &value : known.values) bytes += bytes_of(value.value.text);
    return bytes;
}

// True if it may have other results after the changes behind `position`.
bool is_outdated(MadeFrom made_from, uint64_t position, const TenantChanges &changes) {
    switch (made_from) {
        case MadeFrom::user: return false;
        case MadeFrom::groups: return changes.groups_position > position;
        case MadeFrom::any_resource: return changes.position > position;
    }
    return true;
}

bool is_group(const Catalog &catalog, TypeNumber type) {
    const auto &groups = catalog.group_types();
    return std::any_of(groups.begin(), groups.end(),
                       [&](const TypeView *group) { return group->number == type; });
}

}  // namespace

bool GateCache::has_outdated(const KnownUser &known, const TenantChanges &changes) {
    return std::any_of(known.decisions.begin(), known.decisions.end(),
                       [&](const KnownDecision &made) {
                           return is_outdated(made.decision.made_from, known.position_, changes);
                       }) ||
           std::any_of(known.values.begin(), known.values.end(), [&](const KnownValue &made) {
               return is_outdated(made.made_from, known.position_, changes);
           });
}

// Lists the changes between `changes.position` and the snapshot. False if some are not known.
bool GateCache::catch_up(TenantChanges &changes, const Catalog &catalog,
                         store::Directory &directory) {
    const auto resources =
        store::resources_changed_after(directory, changes.position, log_rows_max);
    if (!resources) return false;
    for (const store::ChangedResource &resource : *resources) {
        if (is_group(catalog, resource.type)) changes.groups_position = resource.position;
        const auto [place, is_new] =
            changes.others.insert_or_assign(resource.id, resource.position);
        changes_ += size_t(is_new);
    }
    return true;
}

const TenantChanges *GateCache::follow(Snapshot &snapshot, store::TenantNumber tenant) {
    if (tenants_.size() >= tenants_max && tenants_.find(tenant) == tenants_.end()) {
        changes_ -= tenants_.begin()->second.others.size();
        tenants_.erase(tenants_.begin());
    }
    const auto [place, is_new] = tenants_.try_emplace(tenant);
    TenantChanges &changes = place->second;
    if (changes.txn == snapshot.txn.id()) return &changes;
    store::Directory directory(snapshot.txn, tenant);
    const uint64_t position = directory.position().position;
    const bool is_same = !is_new && position == changes.position;
    // What was kept before `known_since` is not used any more.
    if (!is_same &&
        (is_new || !catch_up(changes, *snapshot.catalog(), directory) || changes_ > changes_max)) {
        changes_ -= changes.others.size();
        changes.others.clear();
        changes.known_since = position;
    }
    if (!snapshot.txn.good()) {
        changes_ -= changes.others.size();
        tenants_.erase(place);
        return nullptr;
    }
    changes.position = position;
    changes.txn = snapshot.txn.id();
    return &changes;
}

void GateCache::set_key(store::TenantNumber tenant, const Subject &subject) {
    key_.assign(reinterpret_cast<const char *>(&tenant), sizeof tenant);
    key_.append(subject.by);
    key_ += '\0';
    key_.append(subject.value);
}

std::shared_ptr<KnownUser> GateCache::find(const Snapshot &snapshot, store::TenantNumber tenant,
                                           const Subject &subject, const TenantChanges &changes) {
    set_key(tenant, subject);
    const auto place = places_.find(key_);
    if (place == places_.end()) return nullptr;
    auto known = *place->second;
    users_.splice(users_.begin(), users_, place->second);
    const uint64_t position = known->position_;
    if (position == changes.position && known->user.catalog == snapshot.catalog()) return known;
    const auto change = changes.others.find(known->user.id);
    const bool is_changed = change != changes.others.end() && change->second > position;
    if (is_changed || position < changes.known_since || known->user.catalog != snapshot.catalog()) {
        forget(*known);
        return nullptr;
    }
    if (!has_outdated(*known, changes)) {
        known->position_ = changes.position;
        return known;
    }
    // Requests that are under way keep what they have seen: an outdated part is left out of a copy.
    auto renewed = std::make_shared<KnownUser>(known->user);
    for (const KnownDecision &made : known->decisions)
        if (!is_outdated(made.decision.made_from, position, changes))
            renewed->decisions.push_back(made);
    for (const KnownValue &made : known->values)
        if (!is_outdated(made.made_from, position, changes)) renewed->values.push_back(made);
    forget(*known);
    renewed->key_ = key_;
    renewed->position_ = changes.position;
    add(renewed);
    return renewed;
}

void GateCache::allow(KnownUser &known, const Subject &subject, const TenantChanges &changes) {
    set_key(known.user.tenant, subject);
    known.key_ = key_;
    known.position_ = changes.position;
}

// Puts a user with a key into the cache.
void GateCache::add(const std::shared_ptr<KnownUser> &known) {
    Users one{known};
    places_.emplace(known->key_, one.begin());
    users_.splice(users_.begin(), one);
    known->charged_ = cost_of(*known, known->key_);
    bytes_ += known->charged_;
    while (bytes_ > bytes_max) forget(*users_.back());
}

void GateCache::keep(const std::shared_ptr<KnownUser> &known) {
    if (known->key_.empty()) return;
    std::string().swap(known->user.record);
    if (known->charged_ == 0) {
        known->decisions.shrink_to_fit();
        known->values.shrink_to_fit();
        if (const auto other = places_.find(known->key_); other != places_.end())
            forget(**other->second);
    }
    const size_t cost = cost_of(*known, known->key_);
    if (cost > user_bytes_max) return forget(*known);
    if (cost == known->charged_) return;
    if (known->charged_ == 0) return add(known);
    bytes_ += cost - known->charged_;
    known->charged_ = cost;
    while (bytes_ > bytes_max) forget(*users_.back());
}

void GateCache::forget(KnownUser &known) {
    const auto place = known.charged_ != 0 ? places_.find(known.key_) : places_.end();
    if (place != places_.end()) {
        bytes_ -= known.charged_;
        known.charged_ = 0;
        const auto user = place->second;
        places_.erase(place);
        known.key_.clear();
        users_.erase(user);  // may destroy `known`
        return;
    }
    known.key_.clear();
}

void GateCache::clear() {
    while (!users_.empty()) forget(*users_.back());
    tenants_.clear();
    changes_ = 0;
}

std::shared_ptr<KnownUser> CachingGate::find(Snapshot &snapshot, const Subject &subject) {
    store::TenantNumber tenant = 0;
    const TenantChanges *changes = nullptr;
    if (!subject.value.empty() && snapshot.usable())
        tenant = gate_.tenant_of(snapshot, subject.tenant);
    if (tenant != 0) changes = cache_.follow(snapshot, tenant);
    if (changes != nullptr)
        if (auto known = cache_.find(snapshot, tenant, subject, *changes)) return known;
    auto known = std::make_shared<KnownUser>(gate_.find(snapshot, subject));
    if (changes != nullptr && gate_.finds_only(known->user, subject.by))
        cache_.allow(*known, subject, *changes);
    return known;
}

Decision CachingGate::decide(Snapshot &snapshot, KnownUser &known, const Requirements &requirements,
                             GateOptions options) {
    for (const KnownDecision &made : known.decisions)
        if (made.requirements == &requirements && made.nested_groups == options.nested_groups)
            return made.decision;
    Decision decision;
    decision.reason = Reason::unavailable;
    if (!load(snapshot, known.user)) return decision;
    decision = gate_.decide(snapshot, known.user, requirements, options);
    if (decision.reason != Reason::unavailable)
        known.decisions.push_back({&requirements, options.nested_groups, decision});
    return decision;
}

// Reads the record of a user that was kept without it. False if that fails.
bool CachingGate::load(Snapshot &snapshot, GateUser &user) {
    if (!user.record.empty()) return true;
    if (!snapshot.usable() || !user.found()) return false;
    store::Directory directory(snapshot.txn, user.tenant);
    auto record = directory.record(user.type->number, user.id);
    if (record) user.record = record->bytes();
    return record.has_value();
}

const UserValue *CachingGate::find_value(const KnownUser &known,
                                         const ValueDefinition &definition) {
    for (const KnownValue &made : known.values)
        if (made.is_of(definition)) return &made.value;
    return nullptr;
}

bool CachingGate::needs_snapshot(const KnownUser &known, const ValueDefinition &definition) {
    return known.user.record.empty() ||
           definition.attribute->made_from(known.user) == MadeFrom::groups;
}

const UserValue &CachingGate::make_value(Snapshot *snapshot, KnownUser &known,
                                         const ValueDefinition &definition) {
    KnownValue made;
    made.attribute = definition.attribute;
    made.nested_groups = definition.options.nested_groups;
    if (definition.format->only_required) made.required = definition.required;
    made.made_from = definition.attribute->made_from(known.user);
    const bool has_record =
        snapshot != nullptr ? load(*snapshot, known.user) : !known.user.record.empty();
    ValueJoiner joiner(*definition.format, definition.is_list, *definition.required);
    const bool is_complete =
        definition.attribute->each_text(known.user, snapshot, definition.options,
                                        [&](std::string_view text) { return joiner.add(text); });
    made.value = joiner.finish();
    made.value.truncated |= !is_complete;
    const bool needs_store = made.made_from == MadeFrom::groups;
    const bool was_read =
        has_record && is_complete && (snapshot != nullptr ? snapshot->txn.good() : !needs_store);
    if (!was_read) {
        cache_.forget(known);
        unread_ = std::move(made.value);
        return unread_;
    }
    constexpr size_t usual = 8;
    if (known.values.empty()) known.values.reserve(usual);
    known.values.push_back(std::move(made));
    return known.values.back().value;
}

}  // namespace scim::service
