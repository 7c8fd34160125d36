// A process sees whether the write lock is free, held or awaited.

#include <thread>

#include "fixture.h"

using namespace scim;
using store::LockUse;

int main() {
    fixture::TempDir dir;
    auto opened = fixture::open_store(dir.path);
    store::Env &env = opened->env();
    ok(env.lock_use() == LockUse::free, "the lock is free");
    std::thread other;
    {
        store::WriteTxn txn(env);
        ok(env.lock_use() == LockUse::held, "it is held by a transaction");
        other = std::thread([&] { store::WriteTxn waits(env); });
        while (env.lock_use() != LockUse::awaited) std::this_thread::yield();
        ok(true, "it is awaited when another thread begins one");
    }
    other.join();
    ok(env.lock_use() == LockUse::free, "it is free after both");
    return tap::done();
}
