#include "service/write_pace.h"

#include <algorithm>
#include <thread>

namespace scim::service {

using store::LockUse;

// The longer nobody has waited, the longer somebody may have to wait for the first time.
bool WritePace::must_end() {
    constexpr int part_of_quiet = 4;
    const Clock::time_point now = Clock::now();
    const auto hold = std::clamp((begun_ - awaited_) / part_of_quiet, short_hold, long_hold);
    if (now - begun_ >= hold) return true;
    if (now - begun_ < min_hold || now - looked_ < between_looks) return false;
    looked_ = now;
    return env_.lock_use() == LockUse::awaited;
}

void WritePace::note_waiters() {
    is_awaited_ = env_.lock_use() == LockUse::awaited;
    if (is_awaited_) awaited_ = Clock::now();
}

// The lock is not fair: without a pause this thread would take it again before the one that waits
// has woken up.
void WritePace::give_way() const {
    if (!is_awaited_) return;
    for (auto waited = first_wait; waited <= most_wait; waited += first_wait) {
        std::this_thread::sleep_for(first_wait);
        if (env_.lock_use() == LockUse::free) return;
    }
}

}  // namespace scim::service
