#pragma once
// xsd:dateTime as RFC 7643 2.3.5 wants it. Times inside the house are microseconds (values) or
// milliseconds (meta) since 1970-01-01T00:00:00Z.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace scim {

// Date and time are both needed; a fraction of up to nine digits and an offset are allowed, a
// missing offset is UTC (S-6). Nothing for what is not a time, 24:00:00 and 30 February included.
std::optional<int64_t> parse_datetime(std::string_view text);  // microseconds

// 2026-11-21T10:00:00.123Z
void append_datetime(std::string &out, int64_t milliseconds);
std::string time_text(int64_t milliseconds);

}  // namespace scim
