#include "scim/schema/endpoint.h"

#include "scim/text/text.h"

namespace scim {

bool is_version(std::string_view segment) {
    if (segment.size() < 2 || segment[0] != 'v' || !is_digit(segment[1])) return false;
    for (char c : segment.substr(1))
        if (!is_digit(c) && c != '.') return false;
    return true;
}

bool is_protocol_endpoint(std::string_view segment) {
    for (const ProtocolEndpoint &endpoint : protocol_endpoints)
        if (ascii_iequals(endpoint.segment, segment)) return true;
    return is_version(ascii_lower(segment));
}

}  // namespace scim
