#pragma once
// State of a store that the workers of one configuration share. The master creates it before it
// starts the workers, so that a worker that replaces a crashed one has the same state.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace scim::nginx {

struct StoreShare {
    // The store existed when the configuration was loaded, or a worker has created it since: no
    // worker creates it again.
    std::atomic<bool> is_there{false};
    // The configuration's generation in this store (service/store.h); 0 until a worker has opened
    // it.
    std::atomic<uint64_t> generation{0};
};

// The StoreShare objects of one cycle of nginx, in memory that a process shares with its child
// processes. Allocated in the pool of the cycle.
class StoreShares {
  public:
    explicit StoreShares(size_t count);
    ~StoreShares();
    StoreShares(const StoreShares &) = delete;
    StoreShares &operator=(const StoreShares &) = delete;

    // NULL if the memory could not be allocated.
    StoreShare *at(size_t i) { return shares_ != nullptr ? shares_ + i : nullptr; }

  private:
    size_t count_;
    StoreShare *shares_ = nullptr;
};

}  // namespace scim::nginx
