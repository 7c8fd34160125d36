#pragma once
// Counts the users of a tenant that lost their access within the last hour, in a row of `meta`:
//
//     lockouts := warned:i64 newest:i64 (deactivated:u32 deleted:u32)*12      little-endian
//
// `newest` is the number of the newest slot of 5 minutes since 1970; the count of slot n is the
// (n mod 12)th. `warned` is the time of the last warning, in milliseconds since 1970. Oldest counts
// are dropped by slots, so "an hour" is 55 to 60 minutes.

#include <array>
#include <cstdint>

#include "store/keys.h"
#include "store/lmdb.h"

namespace scim::store {

struct Lockouts {
    static constexpr int64_t slot_length = 5 * 60 * 1000;  // milliseconds
    static constexpr size_t slots = 12;
    struct Count {
        uint32_t deactivated = 0, deleted = 0;
    };

    int64_t warned = 0, newest = 0;
    std::array<Count, slots> counts{};

    // Counts a user at `time` (milliseconds).
    void add(int64_t time, bool deleted);
    Count sum() const;
};
constexpr size_t lockouts_size = 8 + 8 + Lockouts::slots * 8;

// Zeros if there is no row, or if it has another size: a write does not fail for a counter.
Lockouts lockouts_of(Txn &txn, TenantNumber tenant);
void put_lockouts(WriteTxn &txn, TenantNumber tenant, const Lockouts &lockouts);

}  // namespace scim::store
