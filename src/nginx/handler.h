#pragma once
// The phases of one request in nginx: access phase, content handler, request body, response.

#include <string>

#include "nginx/conf.h"
#include "nginx/ngx.h"
#include "nginx/temp_file.h"
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

// The module's context of a request, in the request's pool.
struct Ctx {
    LookUp looked_up;           // the inputs of `actor`, `refusal`, `base_url` and `path`
    bool answered = false;      // the module sends the response: the error filter leaves it alone
    bool reading_body = false;  // nginx is reading the request body
    service::ActorPtr actor;
    Error refusal;              // the error response if `actor` is null
    service::ActorPtr refused;  // owner of an expired, revoked or not yet valid token
    ngx_str_t base_url = ngx_null_string;
    std::string_view path;          // rest of the URI after the base URL
    service::LogFields log_fields;  // values of variables; complete after the response is made
    std::string error_body;         // replaces the body of an error page of nginx
};

// Returns the request's context and creates it on the first call. NULL if the allocation fails.
Ctx *ctx_of(ngx_http_request_t *r);
// Returns the request's context, or NULL if it has not been created.
Ctx *ctx_if_any(ngx_http_request_t *r);

// Authenticates the request; repeats it only if a member of LookUp has changed. If the request is
// refused, `ctx.actor` is null and `ctx.refusal` is the error.
void look_up_actor(ngx_http_request_t *r, Ctx &ctx);

// The value of $request_id, or a random id if the variable has no valid value.
store::RequestId request_id(ngx_http_request_t *r);

ngx_int_t access_handler(ngx_http_request_t *r);
ngx_int_t content_handler(ngx_http_request_t *r);

// Discards the request body, for a response that does not depend on it. A client that waits for a
// 100 (Continue) response does not get it. Returns NGX_OK or an error.
ngx_int_t refuse_body(ngx_http_request_t *r);

// The media type of the response, selected by the Accept fields (RFC 7644 3.8). A literal.
ngx_str_t answer_type(ngx_http_request_t *r);

// Sends a response and moves its log fields to `ctx`. `file` contains the part of the body that was
// written to the sink, if any. The result is the argument of ngx_http_finalize_request().
ngx_int_t send(ngx_http_request_t *r, Ctx &ctx, service::Response &response, TempFile *file = NULL);
// Sends only status, ETag and Location, and omits a header whose allocation fails. Never throws.
ngx_int_t send_without_body(ngx_http_request_t *r, Ctx &ctx,
                            const service::Response &response) noexcept;
ngx_int_t send_error(ngx_http_request_t *r, Ctx &ctx, const Error &error);

// The index of the variable $request_id. Set during configuration.
extern ngx_int_t request_id_index;

}  // namespace scim::nginx
