#pragma once
// Trims the change log: deletes the oldest rows of `changes`, of all tenants, when they exceed the
// maximum age or the database exceeds its maximum size (scim_log_retention).
//
// Only rows of `changes` are deleted, always all parts of a position, and the oldest positions of a
// tenant first: the rest of a tenant's log has no gap. The tenant's last position and time, the
// versions of resources and the positions of memberships are stored elsewhere and kept, so that a
// position is never reused.
//
// There is no index of the oldest rows over all tenants, which would make every write slower. The
// trimmer periodically reads the first row of each tenant, in read-only steps, and then deletes
// rows in steps of one write transaction each. It keeps no state on disk. Several trimmers may run
// in several processes: each checks a row again before it deletes it.

#include <cstdint>
#include <queue>
#include <vector>

#include "store/keys.h"
#include "store/lmdb.h"

namespace scim::store {

struct Retention {
    int64_t age = int64_t(90) * 24 * 3600 * 1000;  // milliseconds
    uint64_t size = uint64_t(4) << 30;             // bytes of `changes`, all tenants together
};

class LogTrimmer {
  public:
    explicit LogTrimmer(const Retention &retention) : retention_(retention) {}

    // True if look() or trim() should be called: a look is due (`now` in milliseconds), or a look
    // or a trim has not finished. Reads no data.
    bool due(int64_t now) const;
    // One step of reading first rows, of up to 250 tenants. Does nothing while has_found().
    void look(Txn &txn, int64_t now);
    // True if trim() has something to do.
    bool has_found() const { return !looking_ && !heads_.empty(); }
    // Deletes about `rows` rows: fewer if they belong to many tenants, more only to complete a
    // position.
    void trim(WriteTxn &txn, size_t rows);
    // While `short_of_room` is set (the map is nearly full), changes of any age are deleted, the
    // oldest first.
    void make_room(bool short_of_room);
    // Cancels the current look or trim until the next look is due: the store cannot be read or
    // written.
    void stop();

  private:
    // The first row of a tenant's log, as look() read it.
    struct Head {
        int64_t time;
        TenantNumber tenant;
        // Puts the oldest row on top of the queue.
        bool operator<(const Head &other) const { return time > other.time; }
    };
    void begin(Txn &txn, int64_t now);
    bool is_too_large(Txn &txn) const {
        return short_of_room_ || txn.bytes(Db::changes) > retention_.size;
    }
    size_t trim_tenant(WriteTxn &txn, TenantNumber tenant, size_t rows);
    bool must_go(Txn &txn, int64_t time) const;

    Retention retention_;
    int64_t looked_ = INT64_MIN;  // when the last look began, milliseconds
    int64_t oldest_ = 0;  // changes before this time are deleted for their age, milliseconds
    bool short_of_room_ = false;
    bool looking_ = false;
    bool any_ = false;   // collect every head: `changes` was too large when the look began
    uint64_t next_ = 0;  // the tenant to read next
    std::priority_queue<Head> heads_;  // tenants with rows to delete, perhaps; 16 bytes each
};

}  // namespace scim::store
