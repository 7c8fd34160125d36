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

// Calls `each(kind, value)` for the index values in `values`, but not in `others`, that a tombstone
// can have.
template <class Each>
void each_value(const TypeView &type, const store::IndexValues &values,
                const store::IndexValues &others, Each &&each) {
    for (const auto &entry : values) {
        const auto &[attr, value] = entry;
        const auto kind = kind_of(type, attr);
        if (kind && !value.empty() && !std::binary_search(others.begin(), others.end(), entry))
            each(*kind, value);
    }
}

// While more living users than this have a value, its tombstone keeps the block, and none of them
// inherits it.
constexpr size_t heirs_max = 100;

using Holder = std::pair<TypeNumber, Id>;

// The users who have the value, except `id`. Complete if there are at most heirs_max.
std::vector<Holder> holders(const Catalog &catalog, store::Directory &directory, const Id &id,
                            AccessKind kind, const std::string &value) {
    constexpr size_t looked_at = heirs_max + 2;  // `id` may be one of them
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
        for (const Id &holder : directory.find(type->number, attr->number, value, looked_at))
            if (holder != id) found.emplace_back(type->number, holder);
    }
    return found;
}

// The state of a key, which an earlier call may have changed.
AccessState state_at(store::Directory &directory, const store::ResourceEdit &edit,
                     const std::string &key) {
    for (const auto &[known, state] : edit.access)
        if (known == key) return state;
    return store::access_at(directory.txn(), key);
}

// Sets the row of a key. False if it has this state already.
bool set(store::Directory &directory, store::ResourceEdit &edit, std::string key,
         const AccessState &state) {
    if (state_at(directory, edit, key) == state) return false;
    auto known = std::find_if(edit.access.begin(), edit.access.end(),
                              [&](const auto &row) { return row.first == key; });
    if (known != edit.access.end())
        known->second = state;
    else
        edit.access.emplace_back(std::move(key), state);
    return true;
}

// Merges a state into the row of a key. False if that changes nothing.
bool add(store::Directory &directory, store::ResourceEdit &edit, std::string key,
         const AccessState &state) {
    const AccessState after = merged(state_at(directory, edit, key), state);
    return set(directory, edit, std::move(key), after);
}

// Gives a state to a user, and lists the user for the change log.
void bequeath(store::Directory &directory, store::ResourceEdit &edit, const Holder &holder,
              const AccessState &state) {
    const auto &[type, id] = holder;
    if (!add(directory, edit, std::string(store::access_key(directory.tenant(), id)),
             state.inherited()))
        return;
    const bool is_listed =
        std::any_of(edit.heirs.begin(), edit.heirs.end(),
                    [&](const store::Heir &heir) { return heir.id == holder.second; });
    if (!is_listed) edit.heirs.push_back({type, id, state.blocked != 0});
}

// What a user leaves under a value that it has lost. Other living users may have the value, because
// externalId need not be unique and two types may have users of one name. A single one inherits the
// state. While several have the value, it names nobody, and the tombstone keeps the state for the
// last of them and for new ones; a block is inherited at once, too, by up to heirs_max users.
void leave(const Catalog &catalog, store::Directory &directory, store::ResourceEdit &edit,
           AccessKind kind, const std::string &value, const AccessState &state) {
    const std::string key = store::tombstone_key(directory.tenant(), kind, value);
    const AccessState all = merged(state_at(directory, edit, key), state);
    const std::vector<Holder> others = holders(catalog, directory, edit.id, kind, value);
    const bool is_inherited = others.size() == 1;
    if (is_inherited || (all.blocked != 0 && others.size() <= heirs_max))
        for (const Holder &holder : others) bequeath(directory, edit, holder, all);
    set(directory, edit, key, is_inherited ? AccessState() : all);
}

// The state that a user leaves under a value that it loses now.
AccessState left_state(const Command &command, store::Directory &directory, int64_t now) {
    const std::string key(store::access_key(command.tenant, command.id));
    AccessState state = merged(store::access_at(directory.txn(), key), {0, now, {}});
    if (state.blocked != 0) state.blocked_user = command.id;
    return state;
}

void leave_tombstones(const Command &command, store::Directory &directory,
                      store::ResourceEdit &edit) {
    const auto state = [&] { return left_state(command, directory, edit.change.time); };
    const bool is_deleted = edit.record.empty();
    if (is_deleted) {
        edit.access.emplace_back(store::access_key(command.tenant, command.id), AccessState());
        add(directory, edit, store::tombstone_key(command.tenant, command.id), state());
    }
    each_value(*command.type, edit.before, edit.after,
               [&](AccessKind kind, const std::string &value) {
                   leave(*command.catalog, directory, edit, kind, value, state());
               });
}

void inherit(const Command &command, store::Directory &directory, store::ResourceEdit &edit) {
    AccessState inherited;
    auto inherit_from = [&](AccessKind kind, const std::string &value) {
        std::string key = store::tombstone_key(command.tenant, kind, value);
        const AccessState state = state_at(directory, edit, key);
        if (state.empty()) return;
        inherited = merged(inherited, state);
        if (holders(*command.catalog, directory, command.id, kind, value).empty())
            set(directory, edit, std::move(key), AccessState());
    };
    each_value(*command.type, edit.after, edit.before, inherit_from);
    if (command.reuses_id) inherit_from(AccessKind::id, std::string(store::bytes_of(command.id)));
    if (!inherited.empty())
        add(directory, edit, std::string(store::access_key(command.tenant, command.id)),
            inherited.inherited());
}

}  // namespace

void plan_access(const Command &command, store::Directory &directory, Plan &plan) {
    if (!store::has_users(*command.type)) return;
    leave_tombstones(command, directory, plan.edit);
    if (plan.edit.record.empty()) return;
    inherit(command, directory, plan.edit);
    if (plan.ends_access)
        add(directory, plan.edit, std::string(store::access_key(command.tenant, command.id)),
            {0, plan.edit.change.time, {}});
    if (!command.access.empty())
        bequeath(directory, plan.edit, {command.type->number, command.id}, command.access);
}

store::ResourceEdit plan_deleted_user(const Catalog &catalog, store::Directory &directory,
                                      AccessKind kind, const std::string &value,
                                      const AccessState &state) {
    store::ResourceEdit edit;
    leave(catalog, directory, edit, kind, value, state);
    return edit;
}

}  // namespace scim::service
