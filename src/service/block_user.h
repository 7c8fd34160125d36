#pragma once
// Who is kept out, apart from the SCIM record: blocked users, revoked sessions and their tombstones
// (store/access.h), for scimctl, without its terminal output.
//
// Each function reads and writes within the given transaction; nothing takes effect before the
// caller commits. Errors are 404 (no such user), 409 (several users have the name) and 503 (the
// store cannot be read, or is full). Their detail is a sentence for the operator.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/schema/catalog.h"
#include "scim/text/result.h"
#include "store/directory.h"
#include "store/tenants.h"

namespace scim::service {

// `catalog` is the catalog of the transaction.
struct TenantView {
    store::Txn &txn;
    const Catalog &catalog;
    const store::Tenant &tenant;
};

struct FoundUser {
    const TypeView *type = nullptr;
    Id id{};
};
// The user with this id or userName. 404 if there is none; the detail says whether a deleted user
// with this userName, externalId or id is blocked. 409 if there are several; the detail lists their ids.
Result<FoundUser> find_user(const TenantView &view, std::string_view user);

// Deletes what is left of a deleted user: the tombstones that keep its block (store/access.h), and
// its name in the log (store/names.h), and the refused requests that contain `user` or concern the
// resource with this id. Changes contain ids and names of attributes, but no values other than those
// of `active`: they stay. `user` is the id, userName, externalId or another value of the deleted
// user; the log knows its name by the id and the userName only. Appends a change without names if
// something was deleted. 409 if there is such a user.
struct ForgetResult {
    size_t tombstones = 0, names = 0, refusals = 0;  // that were deleted
    bool is_complete = true;  // false: there may be more names; call again in another transaction
    bool any() const { return tombstones + names + refusals > 0; }
};
constexpr size_t forgotten_names_max = 1000;  // in one call
Result<ForgetResult> forget_user(store::WriteTxn &txn, const Catalog &catalog,
                                 const store::Tenant &tenant, std::string_view user, int64_t now);

struct BlockResult {
    FoundUser user;
    int64_t since = 0;     // milliseconds
    bool existed = false;  // true: the user was blocked already, and nothing was written
};
Result<BlockResult> block_user(store::WriteTxn &txn, const Catalog &catalog,
                               const store::Tenant &tenant, std::string_view user, int64_t now);

struct UnblockResult {
    std::optional<FoundUser> user;  // nothing: only tombstones have the name
    bool was_blocked = false;       // false: nothing was written
    size_t tombstones = 0;          // that were unblocked
    bool is_complete = true;        // false: call again in another transaction
};
constexpr size_t unblocked_tombstones_max = 1000;  // in one call
// Unblocks the user, the userName and externalId that it has, and the tombstones that it has left.
// If no user has the name, unblocks the tombstones with this userName, externalId or id, and all
// others that the same users have left: a deleted user that comes back must not be blocked again by
// its other name.
//
// What others have left stays, also if the user has inherited a block from them: their other names
// stay blocked. Users who have inherited the block of this one stay blocked, too. A tombstone without
// a user (store/access.h) is unblocked only by its own value, also if a user has it in another
// attribute.
Result<UnblockResult> unblock_user(store::WriteTxn &txn, const Catalog &catalog,
                                   const store::Tenant &tenant, std::string_view user, int64_t now);

struct RevokedSessions {
    FoundUser user;
    int64_t not_before = 0;  // milliseconds
};
// Makes the gate refuse all sessions of the user that have begun until now (gate_session.h).
Result<RevokedSessions> revoke_sessions(store::WriteTxn &txn, const Catalog &catalog,
                                        const store::Tenant &tenant, std::string_view user,
                                        int64_t now);

constexpr size_t shown_groups_max = 100;

struct UserStatus {
    FoundUser user;
    std::string user_name, external_id, display_name;  // empty: no value
    std::optional<bool> active;                        // nothing: no value
    store::AccessState access;
    int64_t not_before = 0;  // milliseconds, as in GateUser
    int64_t modified = 0;    // milliseconds
    struct Group {
        Id id{};
        std::string name;
    };
    std::vector<Group> groups;  // the first shown_groups_max of the direct groups
    uint64_t group_count = 0;   // of all direct groups
};
Result<UserStatus> user_status(const TenantView &view, std::string_view user);

// Pauses of the tenant's gate

constexpr int64_t pause_min = 60 * 1000, pause_max = 24 * 3600 * 1000;  // milliseconds

// Pauses the gate for `length` from `now`; a pause under way is replaced. Returns its end. 400 if
// `length` is not between pause_min and pause_max.
Result<int64_t> pause_gate(store::WriteTxn &txn, const store::Tenant &tenant, int64_t length,
                           int64_t now);
// Ends the pause; false, without a change, if the gate is not paused.
Result<bool> resume_gate(store::WriteTxn &txn, const store::Tenant &tenant, int64_t now);

}  // namespace scim::service
