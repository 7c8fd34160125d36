#pragma once
// The life of one request in nginx: access phase, content handler, body, answer.

#include <string>

#include "nginx/conf.h"
#include "nginx/ngx.h"
#include "nginx/temp_file.h"
#include "service/request.h"

namespace scim::nginx {

// What the actor, the base URL and the path of a request depend on. `rewrite`, `set`, try_files and other
// modules change it while nginx works on the request.
struct LookUp {
    const LocConf *location = NULL;
    ngx_uint_t method = 0;
    ngx_str_t uri = ngx_null_string, authorization = ngx_null_string;
    ngx_str_t host = ngx_null_string;  // as Location has it where there is no scim_base_url
    ngx_str_t base_url = ngx_null_string, tenant = ngx_null_string;  // of the directives
};

// What the module knows of a request. In the request's pool.
struct Ctx {
    LookUp looked_up;           // what `actor`, `refusal`, `base_url` and `path` were found for
    bool answered = false;      // the body is ours: the error filter keeps off
    bool reading_body = false;  // nginx reads the request body
    service::ActorPtr actor;
    Error refusal;              // why there is no actor
    service::ActorPtr refused;  // who would be the actor if the token were still, or already, valid
    ngx_str_t base_url = ngx_null_string;
    std::string_view path;   // behind the base URL
    service::Facts facts;    // for the log's variables, whole once there is an answer
    std::string error_body;  // what replaces a page of nginx's own
};

// Made when it is first asked for; NULL without memory.
Ctx *ctx_of(ngx_http_request_t *r);
// The one there is, or NULL.
Ctx *ctx_if_any(ngx_http_request_t *r);

// Finds out who asks: once, and again if anything of LookUp has changed.
// `ctx.actor` is empty and `ctx.refusal` says why if nobody may.
void look_up_actor(ngx_http_request_t *r, Ctx &ctx);

// The request's id ($request_id), made if need be.
store::RequestId request_id(ngx_http_request_t *r);

ngx_int_t access_handler(ngx_http_request_t *r);
ngx_int_t content_handler(ngx_http_request_t *r);

// For an answer that needs no body: what comes of it is thrown away, and a client that waits for a
// 100 gets none.
ngx_int_t refuse_body(ngx_http_request_t *r);

// The media type of the answer, by the Accept fields of the request (RFC 7644 3.8): a literal.
ngx_str_t answer_type(ngx_http_request_t *r);

// Sends an answer and remembers its facts; `file` is where its sink has put the body, if it has. What
// it returns is for ngx_http_finalize_request().
ngx_int_t send(ngx_http_request_t *r, Ctx &ctx, service::Response &response, TempFile *file = NULL);
// The same with status, ETag and Location alone, as far as there is memory. Never throws.
ngx_int_t send_without_body(ngx_http_request_t *r, Ctx &ctx,
                            const service::Response &response) noexcept;
ngx_int_t send_error(ngx_http_request_t *r, Ctx &ctx, const Error &error);

// The index of $request_id among nginx's variables; set while configuring.
extern ngx_int_t request_id_index;

}  // namespace scim::nginx
