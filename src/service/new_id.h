#pragma once
// Ids of new resources. Those of one process ascend, also within a millisecond, so that a list shows
// resources in the order in which a client created them.

#include <atomic>
#include <cstdint>

#include "scim/text/id.h"

namespace scim::service {

// Gives each caller in a process a tick of its own, in ascending order, on any thread.
class TickSource {
  public:
    // The first tick of this time, in milliseconds since 1970, or the one after the last that was
    // given, whichever is later. Ticks therefore ascend when the clock is set back, too: they stay
    // ahead of it then until it has caught up.
    uint64_t next(int64_t milliseconds);

  private:
    std::atomic<uint64_t> last_{0};
};

// The id of a resource that is created at `now`, in milliseconds since 1970.
Id make_new_id(int64_t now);

}  // namespace scim::service
