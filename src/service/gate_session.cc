#include "service/gate_session.h"

#include <algorithm>
#include <optional>

#include "scim/text/text.h"

namespace scim::service {

namespace {

bool all_digits(std::string_view text, size_t max) {
    return !text.empty() && text.size() <= max && std::all_of(text.begin(), text.end(), is_digit);
}

// Whole seconds since 1970.
std::optional<int64_t> parse_time(std::string_view text) {
    constexpr size_t whole_max = 12, fraction_max = 19;
    const size_t dot = text.find('.');
    const std::string_view whole = text.substr(0, dot);
    if (!all_digits(whole, whole_max)) return std::nullopt;
    if (dot != text.npos && !all_digits(text.substr(dot + 1), fraction_max)) return std::nullopt;
    int64_t seconds = 0;
    for (char c : whole) seconds = seconds * 10 + (c - '0');
    return seconds;
}

}  // namespace

SessionFault check_session(std::string_view value, bool optional, int64_t not_before, int64_t now) {
    constexpr int64_t second = 1000;  // milliseconds
    if (value.empty()) return optional ? SessionFault::none : SessionFault::missing;
    const auto began = parse_time(value);
    if (!began) return SessionFault::malformed;
    if (*began > now / second + session_skew_max) return SessionFault::in_future;
    return *began <= not_before / second ? SessionFault::revoked : SessionFault::none;
}

}  // namespace scim::service
