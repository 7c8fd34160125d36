#pragma once
// What a body may say it is.

#include "service/request.h"

namespace scim::service {

// 415 unless the type is SCIM's, plain JSON's, or missing: that is common on real requests and
// harmless (RFC 7644 3.8, S-48). 415 for what is compressed, too: a small body could become any size.
Outcome check_content_type(const Request &request);

}  // namespace scim::service
