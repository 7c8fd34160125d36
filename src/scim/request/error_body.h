#pragma once
// The body of an error response (RFC 7644 3.12).

#include <string>
#include <string_view>

#include "scim/text/result.h"

namespace scim {

// How an Error is shown.
struct ErrorView {
    std::string_view request_id;  // is appended to the detail as " (request …)"; empty: none
    bool strict = false;          // scim_profile rfc: without errorId, which RFC 7644 does not have
    uint16_t status = 0;          // 0: that of the error
};

// An Error message as JSON. Its member errorId is the id of the refusal (refusals.h).
std::string error_body(const Error &error, const ErrorView &view);

}  // namespace scim
