#include "nginx/error_filter.h"
#include "scim/request/error_body.h"

#include <string>

#include "nginx/guard.h"
#include "nginx/handler.h"

namespace scim::nginx {

namespace {

ngx_http_output_header_filter_pt next_header_filter;
ngx_http_output_body_filter_pt next_body_filter;

// A refusal by nginx, with nginx's status.
Error refusal_of(ngx_http_request_t *r, const EndpointCtx &ctx) {
    if (ctx.reading_body && r->err_status == 503)
        return {Refusal::body_not_kept,
                "the request body cannot be kept; the server's error log says why", 1};
    auto *clcf = static_cast<ngx_http_core_loc_conf_t *>(
        ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    switch (r->err_status) {
        case 400: return {Refusal::http_invalid, "the request is not valid HTTP"};
        case 401:
            return {Refusal::http_unauthorized,
                    "nginx (auth_basic or auth_request) requires other credentials"};
        case 403:
            return {Refusal::http_forbidden, "nginx (allow or deny) forbids access to this URL"};
        case 404:
            return {Refusal::http_not_found,
                    "nginx (try_files or return) finds nothing at this URL"};
        case 405: return {Refusal::http_method, "nginx does not allow this method at this URL"};
        case 411:
            return {Refusal::http_length_missing,
                    "the request has neither Content-Length nor chunked encoding"};
        case 413:
            return {Refusal::http_body_too_large,
                    "the request body is larger than client_max_body_size allows (" +
                        std::to_string(clcf->client_max_body_size) + " bytes)"};
        case 414:
            return {Refusal::http_uri_too_long,
                    "the request line is longer than large_client_header_buffers allows"};
        case 421:
            return {Refusal::http_wrong_host,
                    "the connection was established for another host name"};
        case 429:
            return {Refusal::http_rate_limited,
                    "too many requests: a limit of nginx's configuration is exceeded", 1};
        case 501:
            return {Refusal::http_not_implemented,
                    "nginx does not implement a feature that the request uses, such as a "
                    "Transfer-Encoding other than chunked"};
        case 503:
            return {Refusal::http_limited,
                    "nginx is overloaded, or limit_req or limit_conn refused the request; the "
                    "error log of nginx names the exceeded zone",
                    1};
        case 505: return {Refusal::http_version, "this version of HTTP is not supported"};
        default: break;
    }
    if (r->err_status >= 500)
        return {Refusal::http_failed, "the request failed inside nginx; its error log says why"};
    return {Refusal::http_refused, "nginx refused the request; its error log says why"};
}

bool replaces(ngx_http_request_t *r) {
    if (r != r->main || r->err_status < 400 || !loc_conf(r).enabled()) return false;
    EndpointCtx *ctx = ctx_of(r);
    return ctx != NULL && !ctx->answered;
}

ngx_int_t replace_headers(ngx_http_request_t *r) {
    EndpointCtx &ctx = *ctx_if_any(r);
    // nginx reports 500 if it lacks a descriptor, memory or disk space for the body. 503 tells the
    // client that it may send the request again.
    if (ctx.reading_body && r->err_status == 500) r->err_status = r->headers_out.status = 503;
    const uint16_t status = uint16_t(r->err_status == 499 ? 400 : r->err_status);
    const Error error = refusal_of(r, ctx);
    ctx.error_body = error_body(
        error, {service::request_text(request_id(r)), loc_conf(r).settings.strict, status});
    ctx.log_fields.detail = error.detail;
    ctx.log_fields.error_id = error.id();
    r->headers_out.content_length_n = off_t(ctx.error_body.size());
    if (r->headers_out.content_length != NULL) r->headers_out.content_length->hash = 0;
    r->headers_out.content_length = NULL;
    r->headers_out.content_type = answer_type(r);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.charset.len = 0;
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);
    if (error.retry_after == 0) return NGX_OK;
    auto *h = static_cast<ngx_table_elt_t *>(ngx_list_push(&r->headers_out.headers));
    if (h == NULL) return NGX_ERROR;
    *h = {};  // clears the fields that only some versions of nginx have
    h->hash = 1;
    ngx_str_set(&h->key, "Retry-After");
    ngx_str_set(&h->value, "1");
    return NGX_OK;
}

ngx_int_t header_filter(ngx_http_request_t *r) {
    if (r->err_status < 400) return next_header_filter(r);
    ngx_int_t rc = guarded(r->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        return replaces(r) ? replace_headers(r) : NGX_OK;
    });
    return rc == NGX_OK ? next_header_filter(r) : rc;
}

ngx_int_t body_filter(ngx_http_request_t *r, ngx_chain_t *in) {
    if (r->err_status < 400 || in == NULL) return next_body_filter(r, in);
    EndpointCtx *ctx = ctx_if_any(r);
    if (ctx == NULL || ctx->error_body.empty()) return next_body_filter(r, in);
    bool last = false;
    for (ngx_chain_t *chain = in; chain != NULL; chain = chain->next) {
        chain->buf->pos = chain->buf->last;
        chain->buf->file_pos = chain->buf->file_last;
        last |= chain->buf->last_buf;
    }
    if (!last) return NGX_OK;
    ngx_buf_t *b = ngx_create_temp_buf(r->pool, ctx->error_body.size());
    if (b == NULL) return NGX_ERROR;
    b->last = ngx_cpymem(b->pos, ctx->error_body.data(), ctx->error_body.size());
    b->last_buf = 1;
    b->last_in_chain = 1;
    ctx->error_body.clear();
    ngx_chain_t out = {b, NULL};
    return next_body_filter(r, &out);
}

}  // namespace

void install_error_filter() {
    next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = header_filter;
    next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = body_filter;
}

}  // namespace scim::nginx
