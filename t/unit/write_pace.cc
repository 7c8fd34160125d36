// A background writer's transactions: long while nobody waits for the write lock, short while somebody
// does, with a pause in which another thread gets the lock.

#include "service/write_pace.h"

#include <atomic>
#include <thread>

#include "fixture.h"

using namespace scim;
using service::WritePace;
using store::LockUse;
using Clock = WritePace::Clock;

namespace {

// The time until a transaction must end.
Clock::duration hold(WritePace &pace) {
    pace.begin();
    const auto begun = Clock::now();
    while (!pace.must_end()) continue;
    return Clock::now() - begun;
}

// A transaction for which another thread waits; commits it, gives way, and returns how long it held
// the lock. `got_lock`: whether the other thread has had it when this returns.
Clock::duration hold_with_waiter(store::Env &env, WritePace &pace, bool &got_lock) {
    std::atomic<bool> has_written{false};
    auto txn = std::make_unique<store::WriteTxn>(env);
    std::thread other([&] {
        store::WriteTxn waits(env);
        has_written = true;
    });
    while (env.lock_use() != LockUse::awaited) std::this_thread::yield();
    const auto held = hold(pace);
    pace.note_waiters();
    txn.reset();
    pace.give_way();
    got_lock = has_written;
    other.join();
    return held;
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto opened = fixture::open_store(dir.path);
    store::Env &env = opened->env();
    WritePace pace(env);
    ok(hold(pace) >= WritePace::short_hold, "a transaction lasts at least short_hold");

    bool got_lock = false;
    constexpr auto while_quiet = 4 * WritePace::busy;
    std::this_thread::sleep_for(while_quiet);
    const auto quiet = hold(pace);
    ok(quiet >= while_quiet / 4, "it lasts longer when nobody has waited for a while");
    const auto held = hold_with_waiter(env, pace, got_lock);
    ok(held >= WritePace::min_hold, "with a waiter it lasts at least min_hold");
    ok(held < quiet, "but not as long as without");
    ok(hold(pace) < quiet, "nor does the next one, for which nobody waits");
    ok(got_lock, "the waiter has had the lock when the writer goes on");

    // Not seen before the commit: the writer pauses all the same.
    std::atomic<bool> has_written{false};
    std::thread late;
    {
        store::WriteTxn txn(env);
        pace.begin();
        pace.note_waiters();
        late = std::thread([&] {
            store::WriteTxn waits(env);
            has_written = true;
        });
        while (env.lock_use() != LockUse::awaited) std::this_thread::yield();
    }
    pace.give_way();
    ok(has_written, "so has one that began to wait during the commit");
    late.join();
    return tap::done();
}
