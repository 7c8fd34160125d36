#pragma once
// What may be written while the map (size=) is almost full: first nothing more that makes the store
// larger, and at the end only what takes access away from somebody.

#include <algorithm>

#include "scim/result.h"
#include "store/lmdb.h"

namespace scim::service {

enum class Room : uint8_t {
    for_all,
    for_changes,   // less than a twentieth is free: nothing that grows
    for_lockouts,  // less than a hundredth: deactivation, deletion and revocation alone
};

// Never less than what some transactions rewrite: LMDB uses a page again two transactions after it
// was freed.
struct Reserve {
    explicit Reserve(size_t map_size)
        : changes(std::max(map_size / 20, size_t(256) << 10)),
          lockouts(std::max(map_size / 100, size_t(128) << 10)) {}
    size_t changes, lockouts;  // bytes
};

inline Room room_of(store::WriteTxn &txn) {
    const Reserve reserve(txn.map_size());
    const size_t room = txn.room(reserve.changes);
    return room >= reserve.changes    ? Room::for_all
           : room >= reserve.lockouts ? Room::for_changes
                                      : Room::for_lockouts;
}

// `map_size` in bytes.
inline Error directory_full(size_t map_size) {
    return Error{503, ScimType::none,
                 "the directory is full: its map of " + std::to_string(map_size) +
                     " bytes is in use; its operator must raise size= of scim_store",
                 60};
}

}  // namespace scim::service
