#pragma once
// What log_format, limit_req and others may ask of a SCIM request: $scim_operation,
// $scim_resource_type, $scim_resource_id, $scim_error_type, $scim_detail, $scim_dialect (known once
// there is an answer), $scim_tenant and $scim_token_label (known at any time in a SCIM location;
// looking them up authenticates). Never a token, never a value of a resource.

#include "nginx/ngx.h"

namespace scim::nginx {

ngx_int_t add_variables(ngx_conf_t *cf);

}  // namespace scim::nginx
