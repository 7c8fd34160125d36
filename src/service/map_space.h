#pragma once
// The kinds of writes that are allowed while the LMDB map (size= of scim_store) is almost full:
// first only writes that do not make the store larger, finally only writes that remove access.

#include <algorithm>

#include "scim/text/result.h"
#include "store/lmdb.h"

namespace scim::service {

enum class MapSpace : uint8_t {
    for_all,
    for_changes,   // less than 1/20 is free: only writes that do not grow the store
    for_lockouts,  // less than 1/100 is free: only deactivation, deletion and revocation
};

// The free bytes below which writes are limited. The minimums cover the pages that a few
// transactions rewrite, because LMDB reuses a page only two transactions after it was freed.
struct Reserve {
    explicit Reserve(size_t map_size)
        : changes(std::max(map_size / 20, size_t(256) << 10)),
          lockouts(std::max(map_size / 100, size_t(128) << 10)) {}
    size_t changes, lockouts;  // bytes
};

inline MapSpace map_space(store::WriteTxn &txn) {
    const Reserve reserve(txn.map_size());
    const size_t room = txn.room(reserve.changes);
    return room >= reserve.changes    ? MapSpace::for_all
           : room >= reserve.lockouts ? MapSpace::for_changes
                                      : MapSpace::for_lockouts;
}

// 503 for a write that map_space() does not allow. `map_size` is in bytes.
inline Error directory_full(size_t map_size) {
    return Error{Refusal::store_full,
                 "the directory is full: its LMDB map of " + std::to_string(map_size) +
                     " bytes is in use; the operator must raise size= of scim_store",
                 60};
}

}  // namespace scim::service
