#pragma once
// Counts of resources in blocks of ids: the n-th resource of a type is found without reading those
// before it.
//
//     blocks := tenant:u32 type:u16 first:id -> total:u32 block*
//     block  := first:id count:u8
//
// A block is the range of ids from its `first` to that of the next block of the type; the last one
// has no end. It has 1 to block_most resources. A row has 1 to row_most blocks in the order of their
// ids; `total` is the sum of their counts. The first block of a row begins at the id in the key.
//
// The ids of new resources ascend, so all blocks but the last are full, until resources are deleted.
// A block that deletions have made small is merged with its neighbour in the row. Rows are not
// merged; a row without resources is deleted.

#include <cstdint>
#include <optional>
#include <vector>

#include "store/keys.h"
#include "store/lmdb.h"

namespace scim::store {

constexpr unsigned block_most = 128;  // resources
constexpr size_t row_most = 100;      // blocks: two rows fit on a page of 4 KiB

struct Block {
    Id first{};
    uint8_t count = 0;
};
// Nothing if the value is not one of `blocks`: its size, or the total.
std::optional<std::vector<Block>> decode_blocks(Bytes value);
std::string encode_blocks(const std::vector<Block> &blocks);

// Counts a resource that was created. REQUIRES: its record is written.
void add_to_blocks(WriteTxn &txn, TenantNumber tenant, TypeNumber type, const Id &id);
// Counts a resource that was deleted.
void remove_from_blocks(WriteTxn &txn, TenantNumber tenant, TypeNumber type, const Id &id);

// Where the n-th resource is, n from 0: `skip` resources after the first one at or after `first`.
struct BlockPlace {
    Id first{};
    uint64_t skip = 0;  // less than block_most
};
// Reads one row for each row_most * block_most resources before the place. The transaction fails as
// damaged if fewer than n + 1 resources are counted.
BlockPlace find_in_blocks(Txn &txn, TenantNumber tenant, TypeNumber type, uint64_t n);

}  // namespace scim::store
