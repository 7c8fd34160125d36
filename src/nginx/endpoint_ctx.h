#pragma once
// The state of one request in a location with the directive `scim`.

#include <string>
#include <string_view>

#include "nginx/conf.h"
#include "nginx/ngx.h"
#include "service/request.h"

namespace scim::nginx {

// The inputs that determine the actor, the base URL and the path of a request. `rewrite`, `set`,
// try_files and other modules may change them during the request.
struct LookUp {
    const LocConf *location = NULL;
    ngx_uint_t method = 0;
    ngx_str_t uri = ngx_null_string, authorization = ngx_null_string;
    ngx_str_t host = ngx_null_string;  // used for URLs in a location without scim_base_url
    // Values of scim_base_url and scim_tenant.
    ngx_str_t base_url = ngx_null_string, tenant = ngx_null_string;
};

// In the pool of the request. nginx
// drops it in an internal redirect; it is then created again.
struct EndpointCtx {
    LookUp looked_up;       // the inputs of `actor`, `refusal`, `base_url` and `path`
    bool answered = false;  // the module sends the response: the error filter leaves it alone
    bool is_write = false;
    uint64_t started = 0;       // counting_time() when the handling began
    bool reading_body = false;  // nginx is reading the request body
    service::ActorPtr actor;
    Error refusal = undecided();  // the error response if `actor` is null
    service::ActorPtr refused;    // owner of an expired, revoked or not yet valid token
    ngx_str_t base_url = ngx_null_string;
    std::string_view path;          // rest of the URI after the base URL
    service::LogFields log_fields;  // values of variables; complete after the response is made
    std::string error_body;         // replaces the body of an error page of nginx
};

// Returns the request's context and creates it on the first call. NULL if the allocation fails.
EndpointCtx *ctx_of(ngx_http_request_t *r);
// Returns the request's context, or NULL if it has not been created.
EndpointCtx *ctx_if_any(ngx_http_request_t *r);

}  // namespace scim::nginx
