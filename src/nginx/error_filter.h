#pragma once
// nginx's own error pages in a SCIM location become SCIM errors: 413, 408, a limit_req's 503, an
// allow/deny's 403 and all others. What nginx refuses before it has chosen a location is out of
// reach; conf-examples/ shows `error_page` for it.

#include "nginx/ngx.h"

namespace scim::nginx {

void install_error_filter();

}  // namespace scim::nginx
