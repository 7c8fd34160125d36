#include "service/write_pace.h"

#include <algorithm>
#include <thread>

namespace scim::service {

using store::LockUse;

// The longer nobody has waited, the longer somebody may have to wait for the first time.
bool WritePace::must_end() {
    constexpr int part_of_quiet = 4;
    constexpr auto between_looks = std::chrono::microseconds(250);
    const Clock::time_point now = Clock::now();
    const auto hold = std::clamp((begun_ - awaited_ - busy) / part_of_quiet, short_hold, long_hold);
    if (now - begun_ >= hold) return true;
    if (now - begun_ < min_hold || now - looked_ < between_looks) return false;
    looked_ = now;
    return env_.lock_use() != LockUse::held;
}

void WritePace::note_waiters() {
    if (env_.lock_use() != LockUse::held) awaited_ = Clock::now();
}

// The lock is not fair: without a pause this thread would take it again before the one that waits has
// woken up. The pause does not depend on note_waiters() of the last transaction, because that is called
// before the commit, which takes most of the time: most threads begin to wait after it.
void WritePace::give_way() const {
    constexpr auto look = std::chrono::microseconds(200);
    if (!is_busy()) return;
    Clock::duration free{};
    for (Clock::duration paused{}; paused < most_pause && free < free_for; paused += look) {
        std::this_thread::sleep_for(look);
        free = env_.lock_use() == LockUse::free ? free + look : Clock::duration{};
    }
}

}  // namespace scim::service
