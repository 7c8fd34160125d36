#pragma once
// What the workers of one configuration know of a store together. The master makes it before it starts
// them, so that a worker that takes the place of a dead one knows what that one knew.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace scim::nginx {

struct StoreShare {
    // The store was there when the configuration was loaded, or a worker has made it since: no worker
    // makes it again.
    std::atomic<bool> is_there{false};
    // Of the configuration for this store (service/store.h); 0 until the first worker has opened it.
    std::atomic<uint64_t> generation{0};
};

// StoreShares in memory that a process shares with those that it forks. For one cycle of nginx: an
// object in its pool.
class StoreShares {
  public:
    explicit StoreShares(size_t count);
    ~StoreShares();
    StoreShares(const StoreShares &) = delete;
    StoreShares &operator=(const StoreShares &) = delete;

    // NULL if there is no memory.
    StoreShare *at(size_t i) { return shares_ != nullptr ? shares_ + i : nullptr; }

  private:
    size_t count_;
    StoreShare *shares_ = nullptr;
};

}  // namespace scim::nginx
