#pragma once
// Writes the Test Anything Protocol: each unit test is a program that prove(1) runs directly.
// The name of a test says what is true when it passes. done() returns the exit status: 1 if a
// test failed.
//
//     int main() { ok(1 + 1 == 2, "sums"); is(f(), "x", "f"); return tap::done(); }

#include <cstdio>
#include <sstream>
#include <string>
#include <string_view>

namespace tap {

inline int count = 0, failed = 0;

inline bool report(bool good, std::string_view name) {
    count++;
    failed += !good;
    std::string line(name);
    for (char &c : line)
        if (c == '\n' || c == '#') c = ' ';
    std::printf("%sok %d - %s\n", good ? "" : "not ", count, line.c_str());
    std::fflush(stdout);
    return good;
}

template <class T>
std::string show(const T &v) {
    std::ostringstream s;
    s << std::boolalpha << v;
    return s.str();
}

inline int done() {
    std::printf("1..%d\n", count);
    return failed != 0;
}

}  // namespace tap

inline bool ok(bool good, std::string_view name) { return tap::report(good, name); }

template <class A, class B>
bool is(const A &got, const B &want, std::string_view name) {
    bool good = got == want;
    tap::report(good, name);
    if (!good) {
        std::printf("#      got: %s\n# expected: %s\n", tap::show(got).c_str(),
                    tap::show(want).c_str());
        std::fflush(stdout);
    }
    return good;
}

// Writes a comment to stdout; prove shows it only with --verbose.
inline void note(std::string_view text) { std::printf("# %.*s\n", int(text.size()), text.data()); }

// Writes a comment to stderr, which prove always shows: why a test fails, or the seed that
// repeats it.
inline void diag(std::string_view text) {
    std::fprintf(stderr, "# %.*s\n", int(text.size()), text.data());
}
