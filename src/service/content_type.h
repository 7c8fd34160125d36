#pragma once
// What a body may say it is.

#include "scim/result.h"

namespace scim::service {

// 415 unless the type is SCIM's, plain JSON's, or missing: that is common on real requests and
// harmless (RFC 7644 3.8, S-48).
Outcome check_content_type(std::string_view type);

}  // namespace scim::service
