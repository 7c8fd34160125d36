#pragma once
// The length of the transactions of a background writer, such as an import. While nobody else waits
// for the write lock, they become longer, because a commit costs the same for few rows and for many.
// When somebody waits, the transaction ends within min_hold, the other writer gets the lock, and the
// next transactions are short again.

#include <chrono>

#include "store/lmdb.h"

namespace scim::service {

class WritePace {
  public:
    using Clock = std::chrono::steady_clock;
    static constexpr Clock::duration min_hold = std::chrono::milliseconds(2),
                                     short_hold = std::chrono::milliseconds(8),
                                     long_hold = std::chrono::milliseconds(400);

    explicit WritePace(const store::Env &env) : env_(env) {}

    // Called when the transaction has begun.
    void begin() { begun_ = looked_ = Clock::now(); }
    // Called after each step of it: true if it must be committed now.
    bool must_end();
    // Called before the commit.
    void note_waiters();
    // Called after the commit: if somebody waited, waits until the lock is free again, for at most
    // most_wait.
    void give_way() const;

  private:
    static constexpr auto first_wait = std::chrono::microseconds(200),
                          most_wait = std::chrono::microseconds(100000);
    static constexpr auto between_looks = std::chrono::microseconds(250);

    const store::Env &env_;
    Clock::time_point begun_ = Clock::now();
    Clock::time_point looked_ = begun_;   // when the lock was looked at
    Clock::time_point awaited_ = begun_;  // when somebody was last seen waiting
    bool is_awaited_ = false;
};

}  // namespace scim::service
