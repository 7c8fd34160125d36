// Blocks and not-before times follow the person, not the record: without tombstones, to delete and
// create a user again, or to give its name to another one, would end the block, and sessions from
// before the deletion would count as those of the other one.

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

// The users who have the value, except `id`.
std::vector<Holder> holders(const Catalog &catalog, store::Directory &directory, const Id &id,
                            AccessKind kind, const std::string &value) {
    std::vector<Holder> found;
    for (const auto &type : catalog.types()) {
        if (!store::has_users(*type)) continue;
        if (kind == AccessKind::id) {
            const Id same = store::id_at(value, 0);
            if (directory.exists(type->number, same)) found.emplace_back(type->number, same);
            continue;
        }
        const Attr *attr = kind == AccessKind::user_name ? type->user_name : type->external_id;
        if (attr == nullptr) continue;
        for (const Id &holder : directory.find(type->number, attr->number, value, holders_max))
            if (holder != id) found.emplace_back(type->number, holder);
    }
    return found;
}

// Merges a state into the row of a key, which an earlier call may have changed. False if that changes
// nothing.
bool add(store::Directory &directory, store::ResourceEdit &edit, std::string key,
         const AccessState &state) {
    auto known = std::find_if(edit.access.begin(), edit.access.end(),
                              [&](const auto &row) { return row.first == key; });
    const bool is_known = known != edit.access.end();
    const AccessState before = is_known ? known->second : store::access_at(directory.txn(), key);
    const AccessState after = merged(before, state);
    if (after == before) return false;
    if (is_known)
        known->second = after;
    else
        edit.access.emplace_back(std::move(key), after);
    return true;
}

// Gives the state of a deleted user to another one, and lists it for the change log.
void bequeath(store::Directory &directory, store::ResourceEdit &edit, const Holder &holder,
              const AccessState &state) {
    const auto &[type, id] = holder;
    if (!add(directory, edit, std::string(store::access_key(directory.tenant(), id)), state))
        return;
    const bool is_listed =
        std::any_of(edit.heirs.begin(), edit.heirs.end(),
                    [&](const store::Heir &heir) { return heir.id == holder.second; });
    if (!is_listed) edit.heirs.push_back({type, id, state.blocked != 0});
}

// Other living users may have the same value, because externalId need not be unique and two types may
// have users of one name. They inherit the state at once; otherwise a tombstone keeps it. While
// several have the value, it names nobody, so that not-before is inherited by the last one only.
void leave(const Catalog &catalog, store::Directory &directory, store::ResourceEdit &edit,
           AccessKind kind, const std::string &value, const AccessState &state) {
    const std::vector<Holder> others = holders(catalog, directory, edit.id, kind, value);
    const bool names_nobody = others.size() > 1;
    for (const Holder &holder : others)
        if (!names_nobody || state.blocked != 0) bequeath(directory, edit, holder, state);
    if (others.empty())
        add(directory, edit, store::tombstone_key(directory.tenant(), kind, value), state);
}

void leave_tombstones(const Command &command, store::Directory &directory,
                      store::ResourceEdit &edit) {
    const store::TenantNumber tenant = command.tenant;
    const std::string key(store::access_key(tenant, command.id));
    const AccessState state = merged(store::access_at(directory.txn(), key), {0, edit.change.time});
    edit.access.emplace_back(key, AccessState());
    add(directory, edit, store::tombstone_key(tenant, command.id), state);
    each_value(*command.type, edit.before, [&](AccessKind kind, const std::string &value) {
        leave(*command.catalog, directory, edit, kind, value, state);
    });
}

void inherit(const Command &command, store::Directory &directory, store::ResourceEdit &edit) {
    AccessState inherited;
    auto inherit_from = [&](std::string key) {
        const AccessState state = store::access_at(directory.txn(), key);
        if (state.empty()) return;
        inherited = merged(inherited, state);
        edit.access.emplace_back(std::move(key), AccessState());
    };
    each_value(*command.type, edit.after, [&](AccessKind kind, const std::string &value) {
        inherit_from(store::tombstone_key(command.tenant, kind, value));
    });
    if (command.reuses_id) inherit_from(store::tombstone_key(command.tenant, command.id));
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
    if (!command.access.empty())
        add(directory, plan.edit, std::string(store::access_key(command.tenant, command.id)),
            command.access);
}

store::ResourceEdit plan_deleted_user(const Catalog &catalog, store::Directory &directory,
                                      AccessKind kind, const std::string &value,
                                      const AccessState &state) {
    store::ResourceEdit edit;
    leave(catalog, directory, edit, kind, value, state);
    return edit;
}

}  // namespace scim::service
