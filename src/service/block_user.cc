#include "service/block_user.h"

#include <algorithm>

#include "scim/text/datetime.h"
#include "scim/text/json.h"
#include "service/map_space.h"
#include "store/members.h"
#include "store/names.h"

namespace scim::service {

namespace {

using store::AccessKind;
using store::AccessState;

Outcome readable(const store::Txn &txn) {
    if (txn.good()) return Done{};
    return Error{Refusal::store_unreadable,
                 "the store cannot be read: " + std::string(to_string(txn.error())), 1};
}

std::string text_at(const store::RecordView &record, const Attr *attr) {
    std::string text;
    if (attr == nullptr || !read_string(record.first(attr->number), text)) return {};
    return text;
}

// Adds the users of a type whose userName is `name`.
void add_named(const TenantView &view, const TypeView &type, std::string_view name,
               std::vector<FoundUser> &found) {
    constexpr size_t looked_at = 10;
    const Attr &attr = *type.user_name;
    store::Directory directory(view.txn, view.tenant.number);
    for (const Id &id : directory.find(type.number, attr.number,
                                       store::index_value_of_text(attr, name), looked_at)) {
        auto record = directory.record(type.number, id);
        // Two long names may have the same index value.
        if (record && key_of(attr.matching, text_at(*record, &attr)) == key_of(attr.matching, name))
            found.push_back({&type, id});
    }
}

std::vector<FoundUser> users_called(const TenantView &view, std::string_view user) {
    std::vector<FoundUser> found;
    store::Directory directory(view.txn, view.tenant.number);
    const auto id = parse_id(user);
    for (const auto &type : view.catalog.types()) {
        if (!store::has_users(*type)) continue;
        if (id && directory.exists(type->number, *id)) found.push_back({type.get(), *id});
        add_named(view, *type, user, found);
    }
    return found;
}

// The keys of the tombstones whose userName, externalId or id is `name`.
std::vector<std::string> tombstones_called(const TenantView &view, std::string_view name) {
    std::vector<std::string> keys;
    auto add = [&](std::string key) {
        store::Bytes row;
        if (view.txn.get(store::Db::access, key, row)) keys.push_back(std::move(key));
    };
    auto add_value = [&](AccessKind kind, const Attr *attr) {
        if (attr != nullptr)
            add(store::tombstone_key(view.tenant.number, kind,
                                     store::index_value_of_text(*attr, name)));
    };
    for (const auto &type : view.catalog.types()) {
        if (!store::has_users(*type)) continue;
        add_value(AccessKind::user_name, type->user_name);
        add_value(AccessKind::external_id, type->external_id);
    }
    if (const auto id = parse_id(name)) add(store::tombstone_key(view.tenant.number, *id));
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    return keys;
}

// The state that a user who gets the name would inherit.
AccessState state_of_tombstones(const TenantView &view, std::string_view name) {
    AccessState state;
    for (const std::string &key : tombstones_called(view, name))
        state = store::merged(state, store::access_at(view.txn, key));
    return state;
}

Error no_such_user(const TenantView &view, std::string_view user) {
    std::string said = "tenant " + quoted(view.tenant.name) + " has no user " + quoted(user);
    if (const AccessState state = state_of_tombstones(view, user); state.blocked != 0)
        said += "; a deleted user with this userName, externalId or id is blocked since " +
                time_text(state.blocked) + ", and so is a new one";
    return Error{Refusal::user_unknown, std::move(said)};
}

// The rows of `access` that an unblock changes.
struct Unblocked {
    std::vector<std::string> keys;  // unblocked last, so that the next call finds what is left
    std::vector<Id> users;          // all tombstones that they have left while they were blocked

    void add_blocked(store::Txn &txn, std::string key) {
        if (store::access_at(txn, key).blocked != 0) keys.push_back(std::move(key));
    }
};

// The user that is called `name`, and what others have left under the values that it has. There is a
// tombstone only if several users have the value.
Unblocked unblocked_with(const TenantView &view, const FoundUser &user, std::string_view name) {
    Unblocked some;
    some.users = {user.id};
    some.add_blocked(view.txn, std::string(store::access_key(view.tenant.number, user.id)));
    const auto record =
        store::Directory(view.txn, view.tenant.number).record(user.type->number, user.id);
    auto add_value = [&](AccessKind kind, const Attr *attr) {
        const std::string text = record ? text_at(*record, attr) : std::string();
        if (!text.empty())
            some.add_blocked(view.txn,
                             store::tombstone_key(view.tenant.number, kind,
                                                  store::index_value_of_text(*attr, text)));
    };
    add_value(AccessKind::user_name, user.type->user_name);
    add_value(AccessKind::external_id, user.type->external_id);
    // What belongs to no single user has no other name than its value.
    for (std::string &key : tombstones_called(view, name))
        if (store::access_at(view.txn, key).blocked_user == Id{} &&
            std::find(some.keys.begin(), some.keys.end(), key) == some.keys.end())
            some.add_blocked(view.txn, std::move(key));
    return some;
}

// The tombstones of a name that no user has, and the users who have left them. If it is an id, this
// user may have left others, also if it has left none under the id.
Unblocked unblocked_with(const TenantView &view, std::string_view name) {
    Unblocked some;
    if (const auto id = parse_id(name)) some.users.push_back(*id);
    for (std::string &key : tombstones_called(view, name)) {
        const Id user = store::access_at(view.txn, key).blocked_user;
        if (user != Id{}) some.users.push_back(user);
        some.add_blocked(view.txn, std::move(key));
    }
    return some;
}

bool has_left_block(store::Txn &txn, store::TenantNumber tenant, const std::vector<Id> &users) {
    return std::any_of(users.begin(), users.end(), [&](const Id &user) {
        return !store::tombstones_of_block(txn, tenant, user, 1).empty();
    });
}

void unblock_row(store::WriteTxn &txn, const std::string &key) {
    store::put_access(txn, key, store::access_at(txn, key).unblocked());
}

// Unblocks tombstones that `user` has left, at most `limit` and none of `kept`. Returns their number.
size_t unblock_left(store::WriteTxn &txn, store::TenantNumber tenant, const Id &user,
                    const std::vector<std::string> &kept, size_t limit) {
    size_t count = 0;
    for (const std::string &key :
         store::tombstones_of_block(txn, tenant, user, limit + kept.size())) {
        if (count == limit) break;
        if (std::find(kept.begin(), kept.end(), key) != kept.end()) continue;
        // In a damaged store, the tombstone may be missing or of another user.
        if (store::access_at(txn, key).blocked_user == user) unblock_row(txn, key);
        txn.del(store::Db::access, store::block_key(user, key));
        count++;
    }
    return count;
}

void append_change(store::WriteTxn &txn, store::TenantNumber tenant, store::Operation operation,
                   const std::optional<FoundUser> &user, int64_t now) {
    store::Change change;
    change.time = now;
    change.operation = operation;
    if (user) change.type = user->type->number;
    if (user) change.id = user->id;
    store::DirectoryWriter(txn, tenant).append(std::move(change));
}

// 503 if only writes that remove access are allowed.
Outcome check_space(store::WriteTxn &txn) {
    if (map_space(txn) == MapSpace::for_lockouts) return directory_full(txn.map_size());
    return Done{};
}

void add_groups(const TenantView &view, UserStatus &status) {
    store::Directory directory(view.txn, view.tenant.number);
    for (const TypeView *groups : view.catalog.group_types())
        store::Members(directory).each_group(
            groups->number, status.user.id, nullptr,
            [&](const Id &group, const store::RecordView &record) {
                if (++status.group_count <= shown_groups_max)
                    status.groups.push_back({group, text_at(record, groups->display_name)});
                return true;
            });
}

}  // namespace

Result<FoundUser> find_user(const TenantView &view, std::string_view user) {
    std::vector<FoundUser> found = users_called(view, user);
    RETURN_IF_ERROR(readable(view.txn));
    if (found.empty()) {
        Error error = no_such_user(view, user);
        RETURN_IF_ERROR(readable(view.txn));
        return error;
    }
    const bool same = std::all_of(found.begin(), found.end(),
                                  [&](const FoundUser &f) { return f.id == found.front().id; });
    if (same) return found.front();
    std::string ids;
    for (const FoundUser &f : found)
        ids += (ids.empty() ? "" : ", ") + f.type->type.name + " " + scim::to_string(f.id);
    return Error{Refusal::user_ambiguous, std::to_string(found.size()) + " users are called " +
                                              quoted(user) +
                                              "; give the id of one of them: " + ids};
}

Result<BlockResult> block_user(store::WriteTxn &txn, const Catalog &catalog,
                               const store::Tenant &tenant, std::string_view user, int64_t now) {
    auto found = find_user({txn, catalog, tenant}, user);
    RETURN_IF_ERROR(found);
    AccessState state = store::access_of(txn, tenant.number, found->id);
    RETURN_IF_ERROR(readable(txn));
    if (state.blocked != 0) return BlockResult{*found, state.blocked, true};
    const int64_t time = std::max(now, store::Directory(txn, tenant.number).position().time);
    state = store::merged(state, {time, 0, {}});
    store::put_access(txn, store::access_key(tenant.number, found->id), state);
    append_change(txn, tenant.number, store::Operation::block, *found, state.blocked);
    return BlockResult{*found, state.blocked, false};
}

Result<UnblockResult> unblock_user(store::WriteTxn &txn, const Catalog &catalog,
                                   const store::Tenant &tenant, std::string_view user,
                                   int64_t now) {
    const TenantView view{txn, catalog, tenant};
    const auto found = find_user(view, user);
    if (!found && found.error().status() != 404) return found.error();
    const Unblocked rows = found ? unblocked_with(view, *found, user) : unblocked_with(view, user);
    UnblockResult result;
    if (found) result.user = *found;
    result.was_blocked = !rows.keys.empty() || has_left_block(txn, tenant.number, rows.users);
    RETURN_IF_ERROR(readable(txn));
    if (!result.was_blocked && !found) return found.error();
    if (!result.was_blocked) return result;
    RETURN_IF_ERROR(check_space(txn));
    for (const Id &id : rows.users)
        result.tombstones += unblock_left(txn, tenant.number, id, rows.keys,
                                          unblocked_tombstones_max - result.tombstones);
    result.is_complete = result.tombstones < unblocked_tombstones_max;
    if (result.is_complete)
        for (const std::string &key : rows.keys) {
            unblock_row(txn, key);
            result.tombstones += store::is_tombstone(key);
        }
    append_change(txn, tenant.number, store::Operation::unblock, result.user, now);
    return result;
}

Result<ForgetResult> forget_user(store::WriteTxn &txn, const Catalog &catalog,
                                 const store::Tenant &tenant, std::string_view user, int64_t now) {
    const TenantView view{txn, catalog, tenant};
    if (user.empty()) return Error{Refusal::user_name_empty, "the name is empty"};
    if (!users_called(view, user).empty())
        return Error{Refusal::user_exists,
                     "the user " + quoted(user) + " exists: delete it first, by SCIM"};
    RETURN_IF_ERROR(readable(txn));
    RETURN_IF_ERROR(check_space(txn));
    ForgetResult result;
    const std::vector<std::string> tombstones = tombstones_called(view, user);
    for (const std::string &key : tombstones) store::put_access(txn, key, {});
    result.tombstones = tombstones.size();
    result.names = store::drop_deleted_names(txn, tenant.number, user, forgotten_names_max);
    if (const auto id = parse_id(user))
        result.names += store::drop_deleted_name(txn, tenant.number, *id) > 0;
    result.is_complete = result.names < forgotten_names_max;
    const std::string name = key_of(Matching::folded, quoted(user));  // as details contain it
    result.refusals =
        store::delete_refusals(txn, tenant.number, [&](const store::Refusal &refusal) {
            return refusal.resource_id == user ||
                   key_of(Matching::folded, refusal.detail).find(name) != std::string::npos;
        });
    if (result.any())
        append_change(txn, tenant.number, store::Operation::forget, std::nullopt, now);
    return result;
}

Result<RevokedSessions> revoke_sessions(store::WriteTxn &txn, const Catalog &catalog,
                                        const store::Tenant &tenant, std::string_view user,
                                        int64_t now) {
    auto found = find_user({txn, catalog, tenant}, user);
    RETURN_IF_ERROR(found);
    const std::string key(store::access_key(tenant.number, found->id));
    const AccessState state = store::access_at(txn, key);
    RETURN_IF_ERROR(readable(txn));
    const int64_t time = std::max(now, store::Directory(txn, tenant.number).position().time);
    const AccessState revoked = store::merged(state, {0, time, {}});
    store::put_access(txn, key, revoked);
    append_change(txn, tenant.number, store::Operation::revoke, *found, time);
    return RevokedSessions{*found, revoked.not_before};
}

Result<UserStatus> user_status(const TenantView &view, std::string_view user) {
    auto found = find_user(view, user);
    RETURN_IF_ERROR(found);
    UserStatus status;
    status.user = *found;
    status.access = store::access_of(view.txn, view.tenant.number, found->id);
    status.not_before = status.access.not_before;
    const TypeView &type = *found->type;
    store::Directory directory(view.txn, view.tenant.number);
    if (auto record = directory.record(type.number, found->id)) {
        status.user_name = text_at(*record, type.user_name);
        status.external_id = text_at(*record, type.external_id);
        status.display_name = text_at(*record, type.display_name);
        status.not_before = std::max(status.not_before, record->header().created);
        status.modified = record->header().modified;
        const Attr *active = type.find_core("active");
        const store::Bytes value = active != nullptr ? record->first(active->number) : "";
        if (!value.empty()) status.active = value == "true";
    }
    add_groups(view, status);
    RETURN_IF_ERROR(readable(view.txn));
    return status;
}

Result<int64_t> pause_gate(store::WriteTxn &txn, const store::Tenant &tenant, int64_t length,
                           int64_t now) {
    if (length < pause_min || length > pause_max)
        return Error{Refusal::pause_length,
                     "a pause of the gate must last between 1 minute and 24 hours"};
    RETURN_IF_ERROR(check_space(txn));
    store::put_gate_pause(txn, tenant.number, now + length);
    append_change(txn, tenant.number, store::Operation::pause, std::nullopt, now);
    return now + length;
}

Result<bool> resume_gate(store::WriteTxn &txn, const store::Tenant &tenant, int64_t now) {
    const int64_t until = store::gate_paused_until(txn, tenant.number);
    RETURN_IF_ERROR(readable(txn));
    if (until <= now) return false;
    store::put_gate_pause(txn, tenant.number, 0);
    append_change(txn, tenant.number, store::Operation::resume, std::nullopt, now);
    return true;
}

}  // namespace scim::service
