// Blocks and not-before times follow the person, not the record: without tombstones, to delete and
// create a user again, or to give its name to another one, would end the block.

#include <algorithm>

#include "service/plan_parts.h"

namespace scim::service {

namespace {

using store::AccessKind;
using store::AccessState;

std::optional<AccessKind> kind_of(const TypeView &type, AttrNumber attr) {
    if (attr == type.user_name->number) return AccessKind::user_name;
    if (type.external_id != nullptr && attr == type.external_id->number)
        return AccessKind::external_id;
    return std::nullopt;
}

// Calls `each(kind, value)` for the index values that a tombstone can have.
template <class Each>
void each_value(const TypeView &type, const store::IndexValues &values, Each &&each) {
    for (const auto &[attr, value] : values)
        if (auto kind = kind_of(type, attr); kind && !value.empty()) each(*kind, value);
}

// Other living users with the value; more than this many are not looked for.
constexpr size_t holders_max = 100;

using Holder = std::pair<TypeNumber, Id>;

std::vector<Holder> holders(const Command &command, store::Directory &directory, AccessKind kind,
                            const std::string &value) {
    std::vector<Holder> found;
    for (const auto &type : command.catalog->types()) {
        if (!store::has_users(*type)) continue;
        const Attr *attr = kind == AccessKind::user_name ? type->user_name : type->external_id;
        for (const Id &id : directory.find(type->number, attr->number, value, holders_max))
            if (id != command.id) found.emplace_back(type->number, id);
    }
    return found;
}

// Merges a state into the row of a key, which an earlier call may have changed.
void add(store::Directory &directory, store::ResourceEdit &edit, std::string key,
         const AccessState &state) {
    auto known = std::find_if(edit.access.begin(), edit.access.end(),
                              [&](const auto &row) { return row.first == key; });
    if (known != edit.access.end()) {
        known->second = merged(known->second, state);
        return;
    }
    const AccessState stored = store::access_at(directory.txn(), key);
    edit.access.emplace_back(std::move(key), merged(stored, state));
}

// Gives the state of the deleted user to another one, and lists it for the change log.
void bequeath(const Command &command, store::Directory &directory, store::ResourceEdit &edit,
              const Holder &holder, const AccessState &state) {
    const auto &[type, id] = holder;
    add(directory, edit, std::string(store::access_key(command.tenant, id)), state);
    const bool is_listed =
        std::any_of(edit.heirs.begin(), edit.heirs.end(),
                    [&](const store::Heir &heir) { return heir.id == holder.second; });
    if (!is_listed) edit.heirs.push_back({type, id, state.blocked != 0});
}

void leave_tombstones(const Command &command, store::Directory &directory,
                      store::ResourceEdit &edit) {
    const store::TenantNumber tenant = command.tenant;
    const std::string key(store::access_key(tenant, command.id));
    const AccessState state = store::access_at(directory.txn(), key);
    if (state.empty()) return;
    edit.access.emplace_back(key, AccessState());
    each_value(*command.type, edit.before, [&](AccessKind kind, const std::string &value) {
        // Other living users may have the same value, because externalId need not be unique and two
        // types may have users of one name. They inherit the state at once; otherwise a tombstone
        // keeps it.
        const std::vector<Holder> others = holders(command, directory, kind, value);
        for (const Holder &holder : others) bequeath(command, directory, edit, holder, state);
        if (others.empty()) add(directory, edit, store::tombstone_key(tenant, kind, value), state);
    });
}

void inherit(const Command &command, store::Directory &directory, store::ResourceEdit &edit) {
    AccessState inherited;
    each_value(*command.type, edit.after, [&](AccessKind kind, const std::string &value) {
        std::string key = store::tombstone_key(command.tenant, kind, value);
        const AccessState state = store::access_at(directory.txn(), key);
        if (state.empty()) return;
        inherited = merged(inherited, state);
        edit.access.emplace_back(std::move(key), AccessState());
    });
    if (!inherited.empty())
        add(directory, edit, std::string(store::access_key(command.tenant, command.id)), inherited);
}

}  // namespace

void plan_access(const Command &command, store::Directory &directory, Plan &plan) {
    if (!store::has_users(*command.type)) return;
    if (plan.edit.record.empty()) return leave_tombstones(command, directory, plan.edit);
    inherit(command, directory, plan.edit);
    if (plan.ends_access)
        add(directory, plan.edit, std::string(store::access_key(command.tenant, command.id)),
            {0, plan.edit.change.time});
}

}  // namespace scim::service
