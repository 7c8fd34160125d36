#include "store/lockouts.h"

#include "store/bytes.h"

namespace scim::store {

void Lockouts::add(int64_t time, bool deleted) {
    const int64_t slot = time / slot_length;
    if (slot - newest >= int64_t(slots)) counts = {};
    // Empties the slots between the last count and this one. A time before the newest slot counts
    // in the newest slot.
    for (; newest < slot && slot - newest < int64_t(slots); newest++)
        counts[size_t(newest + 1) % slots] = {};
    if (newest < slot) newest = slot;
    Count &count = counts[size_t(newest) % slots];
    (deleted ? count.deleted : count.deactivated)++;
}

Lockouts::Count Lockouts::sum() const {
    Count sum;
    for (const Count &count : counts) {
        sum.deactivated += count.deactivated;
        sum.deleted += count.deleted;
    }
    return sum;
}

Lockouts lockouts_of(Txn &txn, TenantNumber tenant) {
    Lockouts lockouts;
    Bytes row;
    if (!txn.get(Db::meta, lockouts_key(tenant), row) || row.size() != lockouts_size)
        return lockouts;
    ByteReader in(row);
    lockouts.warned = int64_t(in.le(8));
    lockouts.newest = int64_t(in.le(8));
    for (auto &count : lockouts.counts) {
        count.deactivated = uint32_t(in.le(4));
        count.deleted = uint32_t(in.le(4));
    }
    return lockouts;
}

void put_lockouts(WriteTxn &txn, TenantNumber tenant, const Lockouts &lockouts) {
    std::string row;
    append_le(row, uint64_t(lockouts.warned), 8);
    append_le(row, uint64_t(lockouts.newest), 8);
    for (const auto &count : lockouts.counts) {
        append_le(row, count.deactivated, 4);
        append_le(row, count.deleted, 4);
    }
    txn.put(Db::meta, lockouts_key(tenant), row);
}

}  // namespace scim::store
