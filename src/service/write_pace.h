#pragma once
// The length of the transactions of a background writer, such as an import. While nobody else waits
// for the write lock, they become longer, because a page that many rows change is written once. When
// somebody waits, the transaction ends as soon as it has lasted min_hold. For the time `busy` the
// transactions are then short, because a commit takes longer than the changes, and after each of them
// the lock is left free for a moment. The same if it is not known who waits (LockUse).

#include <chrono>

#include "store/lmdb.h"

namespace scim::service {

class WritePace {
  public:
    using Clock = std::chrono::steady_clock;
    static constexpr Clock::duration min_hold = std::chrono::microseconds(500),
                                     short_hold = std::chrono::microseconds(1500),
                                     long_hold = std::chrono::milliseconds(800),
                                     busy = std::chrono::milliseconds(500),
                                     free_for = std::chrono::milliseconds(1),
                                     most_pause = std::chrono::milliseconds(10);

    explicit WritePace(const store::Env &env) : env_(env) {}

    // Called when the transaction has begun.
    void begin() { begun_ = looked_ = Clock::now(); }
    // Called after each step of it: true if it must be committed now.
    bool must_end();
    // Called before the commit.
    void note_waiters();
    // Called after the commit. If somebody has waited within `busy`, waits until nobody has used the
    // lock for free_for, for about most_pause at most.
    void give_way() const;

  private:
    bool is_busy() const { return Clock::now() - awaited_ < busy; }

    const store::Env &env_;
    Clock::time_point begun_ = Clock::now();
    Clock::time_point looked_ = begun_;          // when the lock was looked at
    Clock::time_point awaited_ = begun_ - busy;  // when somebody was last seen waiting
};

}  // namespace scim::service
