#pragma once
// The progress of a long command on stderr: on a terminal one line that is rewritten twice a second
// with the rate and, if the length is known, the time left; otherwise a line every ten seconds.
// Nothing with --json. Several threads may use it.

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "scimctl/context.h"

namespace scim::scimctl {

class Progress {
  public:
    // `what`: what is counted, such as "records".
    Progress(const Globals &globals, std::string what);
    ~Progress() { clear(); }
    Progress(const Progress &) = delete;
    Progress &operator=(const Progress &) = delete;

    // `done` things are done. `part` is the part of the whole, from 0 to 1; negative if unknown.
    void show(uint64_t done, double part);
    // Removes the line from the terminal, so that something else can be printed.
    void clear();
    // Prints a line in its place (note() in context.h).
    void say(const std::string &text);

  private:
    using Clock = std::chrono::steady_clock;

    void clear_line();

    const Globals &globals_;
    const std::string what_;
    const bool is_terminal_;
    std::mutex mutex_;  // of the members below
    bool is_shown_ = false;
    Clock::time_point begun_ = Clock::now(), shown_ = begun_;
};

// "1,234,567".
std::string with_commas(uint64_t number);

}  // namespace scim::scimctl
