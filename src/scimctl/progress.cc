#include "scimctl/progress.h"

#include <unistd.h>

#include <cstdio>

namespace scim::scimctl {

namespace {

using Seconds = std::chrono::duration<double>;

constexpr Seconds on_terminal(0.5), elsewhere(10);

std::string time_left(double seconds) {
    const auto whole = uint64_t(seconds);
    if (whole < 60) return std::to_string(whole) + " s";
    if (whole < 3600) return std::to_string(whole / 60) + " min";
    return std::to_string(whole / 3600) + " h " + std::to_string(whole / 60 % 60) + " min";
}

}  // namespace

std::string with_commas(uint64_t number) {
    std::string text = std::to_string(number);
    for (size_t end = text.size(); end > 3; end -= 3) text.insert(end - 3, 1, ',');
    return text;
}

Progress::Progress(const Globals &globals, std::string what)
    : globals_(globals), what_(std::move(what)), is_terminal_(isatty(STDERR_FILENO) != 0) {}

void Progress::show(uint64_t done, double part) {
    const std::lock_guard lock(mutex_);
    const Clock::time_point time = Clock::now();
    if (globals_.json || time - shown_ < (is_terminal_ ? on_terminal : elsewhere)) return;
    shown_ = time;
    const double passed = Seconds(time - begun_).count();
    std::string text = with_commas(done) + " " + what_ + ", " +
                       with_commas(uint64_t(double(done) / passed)) + "/s";
    if (part > 0)
        text += ", " + std::to_string(int(part * 100)) + " %, " +
                time_left(passed / part - passed) + " left";
    if (!is_terminal_) return note(globals_, text);
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
    std::fflush(stderr);
    is_shown_ = true;
}

void Progress::clear() {
    const std::lock_guard lock(mutex_);
    clear_line();
}

void Progress::say(const std::string &text) {
    const std::lock_guard lock(mutex_);
    clear_line();
    note(globals_, text);
}

void Progress::clear_line() {
    if (is_shown_) std::fputs("\r\033[K", stderr);
    is_shown_ = false;
}

}  // namespace scim::scimctl
