#pragma once
// The users that are measured with: the same on every machine and in every run, user by user.
//
// Names from a dozen languages, one to three email addresses, telephones, addresses, the enterprise extension. Most are
// around 1 KB of JSON; a few are as bare as 0.4 KB or, with a certificate, as large as 3 KB.

#include <cstdint>
#include <string>

namespace bench {

struct User {
    std::string user_name;  // unique: it ends in the number
    std::string json;       // the body of a POST
};

User user(uint64_t number);

// One step of SplitMix64: small, fast, and the same everywhere.
inline uint64_t next_random(uint64_t &state) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

}  // namespace bench
