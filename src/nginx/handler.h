#pragma once
// The phases of one request in nginx: access phase, content handler, request body, response.

#include "nginx/endpoint_ctx.h"
#include "nginx/ngx.h"
#include "nginx/temp_file.h"
#include "service/request.h"

namespace scim::nginx {

// Authenticates the request; repeats it only if a member of LookUp has changed. If the request is
// refused, `ctx.actor` is null and `ctx.refusal` is the error.
void look_up_actor(ngx_http_request_t *r, EndpointCtx &ctx);

// The value of $request_id, or a random id if the variable has no valid value.
store::RequestId request_id(ngx_http_request_t *r);

ngx_int_t access_handler(ngx_http_request_t *r);
ngx_int_t content_handler(ngx_http_request_t *r);

// `other` if the Accept fields prefer it to `usual`, otherwise `usual`.
std::string_view accepted_type(ngx_http_request_t *r, std::string_view usual,
                               std::string_view other);
// The media type of the response, selected by the Accept fields (RFC 7644 3.8). A literal.
ngx_str_t answer_type(ngx_http_request_t *r);

// Sends a response and moves its log fields to `ctx`. `file` contains the part of the body that was
// written to the sink, if any. The result is the argument of ngx_http_finalize_request().
ngx_int_t send(ngx_http_request_t *r, EndpointCtx &ctx, service::Response &response,
               TempFile *file = NULL);
// Sends only status, ETag and Location, and omits a header whose allocation fails. Never throws.
ngx_int_t send_without_body(ngx_http_request_t *r, EndpointCtx &ctx,
                            const service::Response &response) noexcept;
ngx_int_t send_error(ngx_http_request_t *r, EndpointCtx &ctx, const Error &error);

// The index of the variable $request_id. Set during configuration.
extern ngx_int_t request_id_index;

}  // namespace scim::nginx
