#pragma once
// xsd:dateTime (RFC 7643 2.3.5). Attribute values are kept in microseconds since
// 1970-01-01T00:00:00Z, the times in `meta` in milliseconds.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace scim {

// The accepted years: all fit a signed 64-bit number of microseconds.
constexpr int datetime_first_year = -290000, datetime_last_year = 290000;

// The time in microseconds, nullopt if `text` is not an xsd:dateTime of an accepted year. Date and
// time are required; a missing offset means UTC; 24:00:00 is 00:00:00 of the next day; digits
// beyond the microsecond are cut off. Dates that do not exist, such as 30 February, and the year
// 0000 are refused.
std::optional<int64_t> parse_datetime(std::string_view text);

// In the form 2026-11-21T10:00:00.123Z. Times outside the years 0001 to 9999 are clamped.
void append_datetime(std::string &out, int64_t milliseconds);
std::string time_text(int64_t milliseconds);

}  // namespace scim
