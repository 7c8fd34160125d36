#pragma once
// The body of an error response (RFC 7644 3.12).

#include <string>
#include <string_view>

#include "scim/text/result.h"

namespace scim {

// An Error message as JSON. `request_id`, if not empty, is appended to the detail as
// " (request …)".
std::string error_body(const Error &error, std::string_view request_id);

}  // namespace scim
