#pragma once
// xsd:dateTime (RFC 7643 2.3.5). Times are numbers of microseconds (values) or
// milliseconds (meta) since 1970-01-01T00:00:00Z.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace scim {

// The years that are read: all of them fit a signed 64-bit number of microseconds.
constexpr int datetime_first_year = -290000, datetime_last_year = 290000;

// Every xsd:dateTime of those years. Date and time are both needed; a missing offset is UTC;
// 24:00:00 is the first moment of the next day; a fraction of a second may have any number of
// digits, of which those beyond the microsecond are cut off. Nothing for what is not a time, 30
// February and the year 0000 included.
std::optional<int64_t> parse_datetime(std::string_view text);  // microseconds

// 2026-11-21T10:00:00.123Z
void append_datetime(std::string &out, int64_t milliseconds);
std::string time_text(int64_t milliseconds);

}  // namespace scim
