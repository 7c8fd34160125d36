#pragma once
// Who is kept out, apart from the SCIM record: rows of the database `access`.
//
//     access := tenant:u32 0x01 id:16            of a resource
//             | tenant:u32 0x02 value            tombstone of a deleted resource: its userName
//             | tenant:u32 0x03 value            tombstone: its externalId
//             | tenant:u32 0x04 id:16            tombstone: its id
//             | tenant:u32 0x05 user:16 kind:u8 value-or-id
//     row    := blocked:i64 not_before:i64 [user:16]
//
// The times are little-endian milliseconds since 1970; 0: none. `value` is the index value of the
// attribute (keys.h), so it is bounded. A resource without a row is not kept out.
//
// A state never moves backwards: what is added to it is merged() with it, and only unblocked() and
// `scimctl forget` take something away. An import takes a time more than 300 seconds ahead as now + 300
// seconds, so a copy of a state may have an earlier time than its original.
//
// `user` is the blocked user who has left a tombstone. A tombstone that is not blocked does not
// have it, nor does one that several blocked users have left. A row of kind 0x05 has no value.
// There is one for each tombstone with a `user`: it lists the tombstones that scimctl user unblock
// lifts.
//
// Each deleted user leaves tombstones, with the time of its deletion as not_before. A user who gets
// another userName or externalId leaves one under the old value, with the time of the change. A
// value that exactly one living user has has no tombstone: the user has inherited the state, and
// the tombstone is deleted (service/plan_access.cc). An id is used again only by an import that
// keeps ids.
//
// A tombstone never expires, because a session may be of any age: only `scimctl forget` deletes it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scim/text/id.h"
#include "store/keys.h"
#include "store/lmdb.h"

namespace scim::store {

// True for the types whose resources can be kept out: they have a userName that is looked up.
inline bool has_users(const TypeView &type) {
    return type.user_name != nullptr && type.user_name->index != nullptr;
}

struct AccessState {
    int64_t blocked = 0;     // when the user was blocked, in milliseconds; 0: not blocked
    int64_t not_before = 0;  // milliseconds: earlier sessions are refused; 0: none are
    // In a tombstone, the blocked user who has left it. Zeros: nobody, or several users.
    Id blocked_user{};
    bool empty() const { return blocked == 0 && not_before == 0; }
    bool operator==(const AccessState &o) const {
        return blocked == o.blocked && not_before == o.not_before && blocked_user == o.blocked_user;
    }
    AccessState unblocked() const { return {0, not_before, {}}; }
    // What a user who gets the value inherits. The block does not name the user who has left it.
    AccessState inherited() const { return {blocked, not_before, {}}; }
};
std::string encode_access(const AccessState &state);
std::optional<AccessState> decode_access(Bytes row);

// The state of a resource; empty() if there is no row. A damaged row fails the transaction.
AccessState access_of(Txn &txn, TenantNumber tenant, const Id &id);
// The same for any key of `access`.
AccessState access_at(Txn &txn, Bytes key);
// Writes the row, or deletes it if the state is empty; for a tombstone also the row of kind 0x05.
void put_access(WriteTxn &txn, Bytes key, const AccessState &state);

bool is_tombstone(Bytes key);

// At most `limit` keys of tombstones that the user has left while it was blocked.
std::vector<std::string> tombstones_of_block(Txn &txn, TenantNumber tenant, const Id &user,
                                             size_t limit);

// The state of a user or a value to whom both apply: blocked if one of them is; the later of the
// times.
AccessState merged(const AccessState &a, const AccessState &b);

// Until when the tenant's gate is paused, in milliseconds; 0 if no pause was begun, or if it was
// ended by `scimctl gate resume`. A pause ends by itself: compare the time with the clock.
int64_t gate_paused_until(Txn &txn, TenantNumber tenant);
void put_gate_pause(WriteTxn &txn, TenantNumber tenant, int64_t until);  // 0: not paused

}  // namespace scim::store
