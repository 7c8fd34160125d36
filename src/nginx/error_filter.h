#pragma once
// Replaces the error pages that nginx itself generates in a SCIM location by SCIM errors
// (RFC 7644 3.12): 413, 408, the 503 of limit_req, the 403 of allow and deny, and all others.
// Requests that nginx refuses before it selects a location are not covered; conf-examples/ shows an
// `error_page` for them.

#include "nginx/ngx.h"

namespace scim::nginx {

void install_error_filter();

}  // namespace scim::nginx
