// A background writer's transactions: long while nobody waits for the write lock, short while somebody
// does, with a pause in which another thread gets the lock.

#include "service/write_pace.h"

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

// A transaction for which another thread waits. Returns how long it held the lock.
Clock::duration hold_with_waiter(store::Env &env, WritePace &pace) {
    auto txn = std::make_unique<store::WriteTxn>(env);
    std::thread other([&] { store::WriteTxn waits(env); });
    while (env.lock_use() != LockUse::awaited) std::this_thread::yield();
    const auto held = hold(pace);
    pace.note_waiters();
    txn.reset();
    other.join();
    return held;
}

Clock::duration pause(const WritePace &pace) {
    const auto begun = Clock::now();
    pace.give_way();
    return Clock::now() - begun;
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto opened = fixture::open_store(dir.path);
    store::Env &env = opened->env();
    WritePace pace(env);
    constexpr auto while_quiet = 4 * WritePace::busy;
    std::this_thread::sleep_for(while_quiet);
    Clock::duration quiet{};
    {
        store::WriteTxn txn(env);
        quiet = hold(pace);
        pace.note_waiters();
    }
    ok(quiet >= while_quiet / 4, "a transaction is long when nobody has waited for a while");
    ok(pause(pace) < quiet, "and the writer does not pause after it");

    const auto held = hold_with_waiter(env, pace);
    ok(held >= WritePace::min_hold, "with a waiter it lasts at least min_hold");
    ok(held < quiet, "but not as long as without");
    ok(pause(pace) >= WritePace::free_for, "then the lock is left free for a moment");
    {
        store::WriteTxn txn(env);
        ok(hold(pace) >= WritePace::short_hold, "the next transaction lasts at least short_hold");
        ok(hold(pace) < quiet, "but is short, though nobody waits");
        ok(pause(pace) >= WritePace::most_pause, "a pause ends also while the lock is held");
    }
    return tap::done();
}
