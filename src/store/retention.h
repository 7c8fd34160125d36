#pragma once
// How much of the change log is kept: the oldest rows of `changes` go when they are too old, or when
// the database takes too much room, whatever tenant they are of.
//
// Only rows of `changes` go, always all parts of a position together and the oldest positions of a
// tenant first: what is left is the end of its log without a gap. The tenant's last position and
// time, versions and the positions of memberships stand elsewhere and stay, so that no position is
// ever given twice.
//
// Nothing says where the oldest row of all tenants is, so that writing a change costs no more. A
// trimmer therefore looks now and then at the first row of each tenant, in steps that read only, and
// then takes rows away in steps of a write transaction. It remembers nothing on disk: several may be
// at work in several processes; each looks again at what it is about to delete.

#include <cstdint>
#include <queue>
#include <vector>

#include "store/keys.h"
#include "store/lmdb.h"

namespace scim::store {

struct Retention {
    int64_t age = int64_t(90) * 24 * 3600 * 1000;  // milliseconds
    uint64_t size = uint64_t(4) << 30;             // bytes that `changes` takes, of all tenants
};

class LogTrimmer {
  public:
    explicit LogTrimmer(const Retention &retention) : retention_(retention) {}

    // True if look() or trim() should be called: it is time to look (`now` in milliseconds), or what
    // was begun is not done. Costs nothing.
    bool due(int64_t now) const;
    // A step of looking, at some hundred tenants. Does nothing while there is something to trim.
    void look(Txn &txn, int64_t now);
    // True if trim() has something to do.
    bool has_found() const { return !looking_ && !heads_.empty(); }
    // Deletes up to `rows` rows, fewer if they are of many tenants, more only to end what belongs to
    // one position.
    void trim(WriteTxn &txn, size_t rows);
    // While `short_of_room` is set changes of any age go, the oldest first.
    void make_room(bool short_of_room);
    // Ends what was begun, until it is time to look again: the store cannot be read or written.
    void stop();

  private:
    // The first row of a tenant, when it was looked at.
    struct Head {
        int64_t time;
        TenantNumber tenant;
        bool operator<(const Head &other) const { return time > other.time; }  // the oldest on top
    };
    void begin(Txn &txn, int64_t now);
    bool is_too_large(Txn &txn) const {
        return short_of_room_ || txn.bytes(Db::changes) > retention_.size;
    }
    size_t trim_tenant(WriteTxn &txn, TenantNumber tenant, size_t rows);
    bool must_go(Txn &txn, int64_t time) const;

    Retention retention_;
    int64_t looked_ = INT64_MIN;  // when the last look began
    int64_t oldest_ = 0;          // time of the oldest change that is kept, as far as age goes
    bool short_of_room_ = false;
    bool looking_ = false;
    bool any_ = false;   // of this look: `changes` is too large, any head may be the oldest
    uint64_t next_ = 0;  // the tenant to look at next
    std::priority_queue<Head> heads_;  // 16 bytes a tenant of which something may have to go
};

}  // namespace scim::store
