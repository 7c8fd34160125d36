#pragma once
// The users of the benchmarks. User n is the same on every machine and in every run.
//
// They have names from twelve languages, one to three email addresses, telephone numbers, addresses and
// the enterprise extension. Most have about 1 KB of JSON; a few have only 0.4 KB or, with a
// certificate, 3 KB.

#include <cstdint>
#include <string>

namespace bench {

struct User {
    std::string user_name;  // unique, because it contains the number
    std::string json;       // the body of a POST
};

User user(uint64_t number);

// One step of SplitMix64, which gives the same numbers on every machine.
inline uint64_t next_random(uint64_t &state) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

}  // namespace bench
