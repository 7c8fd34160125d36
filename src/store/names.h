#pragma once
// Names of deleted resources, which `scimctl log` shows: rows of the database `names`.
//
//     names := tenant:u32 0x01 id:16              of a deleted resource
//            | tenant:u32 0x02 digest:u64 id:16   finds the row of the id by its name
//     row   := position:u64 name                  of an id: the change that deleted it, and its
//                                                 userName or displayName
//            | (empty)                            of a digest
//
// `digest` is XXH3-64 of the name's key by Matching::folded. A resource has a row as long as the
// change that deleted it is in the log, unless its name was forgotten.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "scim/text/id.h"
#include "store/keys.h"
#include "store/lmdb.h"

namespace scim::store {

// A longer name is cut at a character.
constexpr size_t kept_name_max = 1000;  // bytes

struct DeletedName {
    uint64_t position = 0;
    std::string name;
};
std::optional<DeletedName> decode_deleted_name(Bytes row);

// The name of a deleted resource; nothing if there is no row. A damaged row fails the transaction.
std::optional<DeletedName> deleted_name(Txn &txn, TenantNumber tenant, const Id &id);
// Replaces the rows of an earlier deletion of the id. REQUIRES: the name is not empty.
void put_deleted_name(WriteTxn &txn, TenantNumber tenant, const Id &id, uint64_t position,
                      std::string_view name);
// Deletes the rows of the id. Returns the number of rows deleted. Of a damaged row the digest is not
// known: scimctl verify reports the one that stays.
size_t drop_deleted_name(WriteTxn &txn, TenantNumber tenant, const Id &id);
// The same, if the name is of the change at `position`, or damaged.
size_t drop_name_of_change(WriteTxn &txn, TenantNumber tenant, const Id &id, uint64_t position);
// Deletes the rows of up to `limit` deleted resources with this name, whatever its case. Returns
// their number.
size_t drop_deleted_names(WriteTxn &txn, TenantNumber tenant, std::string_view name, size_t limit);

Key deleted_name_key(TenantNumber tenant, const Id &id);
Key name_digest_key(TenantNumber tenant, std::string_view name, const Id &id);

}  // namespace scim::store
