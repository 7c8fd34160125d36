// Tests that ids of new resources ascend in a process: within a millisecond, across it, after the
// clock was set back, and on several threads.
#include "service/new_id.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "tap.h"

using namespace scim;
using namespace scim::service;

static void ticks() {
    TickSource source;
    const uint64_t start = 1000 * ticks_a_millisecond;
    is(source.next(1000), start, "the first tick is the first one of its millisecond");
    is(source.next(1000), start + 1, "the next tick of a millisecond follows");
    is(source.next(999), start + 2, "ticks ascend after the clock was set back");
    is(source.next(1001), start + ticks_a_millisecond, "a later millisecond has its first tick");
    uint64_t last = 0;
    for (uint64_t i = 0; i < ticks_a_millisecond; i++) last = source.next(1001);
    is(last, start + 2 * ticks_a_millisecond,
       "more ticks than a millisecond has go on in the next");
}

static void threads() {
    TickSource source;
    constexpr size_t each = 20000;
    std::vector<std::vector<uint64_t>> given(4);
    std::vector<std::thread> running;
    running.reserve(given.size());
    for (auto &ticks : given)
        running.emplace_back([&] {
            for (size_t i = 0; i < each; i++) ticks.push_back(source.next(2000));
        });
    for (auto &thread : running) thread.join();
    std::vector<uint64_t> all;
    bool ascend = true;
    for (auto &ticks : given) {
        ascend &= std::is_sorted(ticks.begin(), ticks.end());
        all.insert(all.end(), ticks.begin(), ticks.end());
    }
    std::sort(all.begin(), all.end());
    ok(ascend, "each of four threads gets ascending ticks");
    ok(std::adjacent_find(all.begin(), all.end()) == all.end(), "no two threads get one tick");
}

static void ids() {
    std::vector<Id> made(10000);
    for (Id &id : made) id = make_new_id(5000);
    ok(std::is_sorted(made.begin(), made.end()), "ids that are made in one millisecond ascend");
    is(to_string(made[0]).substr(0, 15), "00000000-1388-7", "an id begins with its millisecond");
    ok(!std::equal(made[0].begin() + 8, made[0].end(), made[1].begin() + 8),
       "the end of an id is random");
}

int main() {
    ticks();
    threads();
    ids();
    return tap::done();
}
