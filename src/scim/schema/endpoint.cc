#include "scim/schema/endpoint.h"

#include <algorithm>

#include "scim/text/text.h"

namespace scim {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool is_version(std::string_view segment) {
    if (segment.size() < 2 || segment[0] != 'v' || !is_digit(segment[1])) return false;
    return std::all_of(segment.begin() + 1, segment.end(),
                       [](char c) { return is_digit(c) || c == '.'; });
}

bool is_protocol_endpoint(std::string_view segment) {
    for (const ProtocolEndpoint &endpoint : protocol_endpoints)
        if (ascii_iequals(endpoint.segment, segment)) return true;
    return is_version(ascii_lower(segment));
}

}  // namespace scim
