#pragma once
// The nginx variables of the module. $scim_operation, $scim_resource_type, $scim_resource_id,
// $scim_error_type, $scim_detail and $scim_dialect have a value after the response is made.
// $scim_tenant and $scim_token_label have a value at any time in a SCIM location: reading them
// authenticates the request. $scim_version has a value in every location. No variable contains a
// token; only $scim_detail may contain the beginning of a refused attribute value.

#include "nginx/ngx.h"

namespace scim::nginx {

ngx_int_t add_variables(ngx_conf_t *cf);

}  // namespace scim::nginx
