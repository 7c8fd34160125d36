#pragma once
// Percent-encoding in URLs (RFC 3986, section 2.1).

#include <string>
#include <string_view>

namespace scim {

// Appends a query parameter. Encodes all but unreserved characters (RFC 3986, section 2.3).
void append_parameter(std::string &args, std::string_view name, std::string_view value);

}  // namespace scim
