#include <string>

#include "nginx/guard.h"
#include "nginx/handler.h"
#include "service/content_type.h"
#include "service/ignored.h"
#include "service/once_a_minute.h"

namespace scim::nginx {

namespace {

// An ngx_str_t for a string literal. nginx does not write to the header strings that it is given.
ngx_str_t literal(std::string_view text) {
    return {text.size(), reinterpret_cast<u_char *>(const_cast<char *>(text.data()))};
}

// `name` is a literal, `value` is in the pool. Returns false if an allocation failed, that of
// `value` (data == NULL) included.
bool add_header(ngx_http_request_t *r, std::string_view name, ngx_str_t value) {
    auto *h = static_cast<ngx_table_elt_t *>(ngx_list_push(&r->headers_out.headers));
    if (h == NULL) return false;
    *h = {};  // clears the fields that only some versions of nginx have
    h->key = literal(name);
    h->value = value;
    h->hash = value.data != NULL;
    return h->hash != 0;
}

bool add_header(ngx_http_request_t *r, std::string_view name, std::string_view value) {
    return add_header(r, name, copy_to_pool(r->pool, value));
}

// meta.location is sent as Location (RFC 7644 3.1, 3.3) and, with a resource as the body, as
// Content-Location (RFC 7643 3.1). A 304 has it only for /Me.
bool add_location(ngx_http_request_t *r, const service::Response &response) {
    const ngx_str_t url = copy_to_pool(r->pool, response.location);
    const bool is_resource =
        response.status < 300 && (!response.body.empty() || response.in_sink > 0);
    return add_header(r, "Location", url) &&
           (!is_resource || add_header(r, "Content-Location", url));
}

// The value of WWW-Authenticate (RFC 6750 3). Quotes and backslashes of the detail become "'", and
// characters outside printable ASCII become "?", so that the quoted string stays valid.
std::string challenge(const service::Response &response, bool has_credentials) {
    std::string out = "Bearer realm=\"scim\"";
    if (!has_credentials) return out;
    out += ", error=\"invalid_token\", error_description=\"";
    for (char c : response.log_fields.detail)
        out += c == '"' || c == '\\' ? '\'' : uint8_t(c) < 0x20 || uint8_t(c) > 0x7e ? '?' : c;
    return out + '"';
}

bool add_headers(ngx_http_request_t *r, const service::Response &response) {
    bool good = true;
    // Some clients treat a 204 response to PATCH without Content-Type as a failure. nginx removes
    // headers_out.content_type from a 204 response, but not a header in this list.
    if (response.status == 204 && r->method == NGX_HTTP_PATCH)
        good &= add_header(r, "Content-Type", view(answer_type(r)));
    if (!response.etag.empty()) good &= add_header(r, "ETag", response.etag);
    const bool has_location = response.status != 304 || response.is_of_me;
    if (!response.location.empty() && has_location) good &= add_location(r, response);
    if (response.retry_after != 0)
        good &= add_header(r, "Retry-After", std::to_string(response.retry_after));
    if (response.explanation)
        good &= add_header(r, "SCIM-Explain", to_string(*response.explanation));
    if (!response.allow.empty()) good &= add_header(r, "Allow", response.allow);
    if (response.status == 401)
        good &= add_header(r, "WWW-Authenticate",
                           challenge(response, r->headers_in.authorization != NULL));
    return good;
}

// The level at which a refusal is logged. Debian's nginx.conf logs `error` and above. Refused
// writes, refused tokens and requests for unknown endpoints have the level `error`, because an
// operator must act on them; the same detail repeated within a minute has the level `warn`. Refused
// reads have the level `warn`, except for 401, 403 and 5xx.
ngx_uint_t level_of(const service::Response &response) {
    if (response.status >= 500) return NGX_LOG_ERR;
    const std::string_view operation = response.log_fields.operation;
    const bool is_read = operation == "get" || operation == "list" || operation == "search" ||
                         operation == "discovery";
    if (is_read && response.status != 401 && response.status != 403) return NGX_LOG_WARN;
    static auto *lately = new service::OnceAMinute;
    return lately->is_new(response.log_fields.detail, now()) ? NGX_LOG_ERR : NGX_LOG_WARN;
}

void log_ignored(ngx_http_request_t *r, const service::LogFields &log_fields) {
    const std::string ignored = service::ignored_sentence(log_fields.dialect);
    if (ignored.empty()) return;
    static auto *lately = new service::OnceAMinute;
    const std::string request = service::request_text(request_id(r));
    const ngx_uint_t level = lately->is_new(ignored, now()) ? NGX_LOG_ERR : NGX_LOG_WARN;
    ngx_log_error(level, r->connection->log, 0, "scim: %V of %V %V: %V (request %V)",
                  static_cast<const ngx_str_t *>(Printable(log_fields.operation)),
                  static_cast<const ngx_str_t *>(Printable(log_fields.resource_type)),
                  static_cast<const ngx_str_t *>(Printable(log_fields.resource_id)),
                  static_cast<const ngx_str_t *>(Printable(ignored)),
                  static_cast<const ngx_str_t *>(Printable(request)));
}

// The operations of a bulk request that failed.
void log_refused(ngx_http_request_t *r, const service::LogFields &log_fields) {
    // Most responses have none, and making the id of a request takes 7,700 instructions.
    if (log_fields.refused.empty()) return;
    static auto *lately = new service::OnceAMinute;
    const std::string request = service::request_text(request_id(r));
    for (const std::string &sentence : log_fields.refused) {
        const ngx_uint_t level = lately->is_new(sentence, now()) ? NGX_LOG_ERR : NGX_LOG_WARN;
        ngx_log_error(level, r->connection->log, 0, "scim: %V %V (request %V)",
                      static_cast<const ngx_str_t *>(Printable(log_fields.operation)),
                      static_cast<const ngx_str_t *>(Printable(sentence)),
                      static_cast<const ngx_str_t *>(Printable(request)));
    }
}

void log_refusal(ngx_http_request_t *r, const service::Response &response) {
    const service::LogFields &log_fields = response.log_fields;
    const ngx_uint_t level = level_of(response);
    const std::string request = service::request_text(request_id(r));
    const std::string_view operation = log_fields.operation;
    const bool has_name = !operation.empty() && operation != "unknown";
    std::string kind;
    if (log_fields.scim_type != ScimType::none)
        kind.append(" ").append(to_string(log_fields.scim_type));
    if (!log_fields.error_id.empty()) kind.append(" [").append(log_fields.error_id).append("]");
    ngx_log_error(level, r->connection->log, 0, "scim: %V answered with %ui%V: %V (request %V)",
                  static_cast<const ngx_str_t *>(Printable(has_name ? operation : "request")),
                  ngx_uint_t(response.status), static_cast<const ngx_str_t *>(Printable(kind)),
                  static_cast<const ngx_str_t *>(Printable(log_fields.detail)),
                  static_cast<const ngx_str_t *>(Printable(request)));
}

// A buffer with `text`. A text of less than 64 KiB is copied, so that `text` keeps its capacity. A
// longer one is moved to the pool.
ngx_buf_t *buffer_of(ngx_pool_t *pool, std::string &text) {
    constexpr size_t is_long = 64 * 1024;
    if (text.size() < is_long) {
        ngx_buf_t *b = ngx_create_temp_buf(pool, text.size());
        if (b != NULL) b->last = ngx_cpymem(b->pos, text.data(), text.size());
        return b;
    }
    auto *kept = pool_new<std::string>(pool, std::move(text));
    auto *b = static_cast<ngx_buf_t *>(ngx_calloc_buf(pool));
    if (kept == NULL || b == NULL) return NULL;
    b->pos = reinterpret_cast<u_char *>(&(*kept)[0]);
    b->last = b->pos + kept->size();
    b->memory = 1;
    return b;
}

// NULL if the pool has no memory.
ngx_buf_t *body_of(ngx_http_request_t *r, service::Response &response, TempFile *file) {
    const bool is_in_file = file != NULL && response.in_sink > 0;
    ngx_buf_t *b =
        is_in_file ? file->give_to(r, off_t(response.in_sink)) : buffer_of(r->pool, response.body);
    if (b == NULL) return NULL;
    b->last_buf = r == r->main;
    b->last_in_chain = 1;
    return b;
}

// Prepends the comma-separated list `first` to `list`.
void put_first(const std::string &first, std::string &list) {
    if (!first.empty()) list.insert(0, list.empty() ? first : first + ",");
}

}  // namespace

std::string_view accepted_type(ngx_http_request_t *r, std::string_view usual,
                               std::string_view other) {
    constexpr std::string_view name = "accept";
    service::AcceptedTypes accepted(usual, other);
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        auto *h = static_cast<ngx_table_elt_t *>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++)
            if (h[i].key.len == name.size() &&
                ngx_memcmp(h[i].lowcase_key, name.data(), name.size()) == 0)
                accepted.add(view(h[i].value));
    }
    return accepted.answer_type();
}

ngx_str_t answer_type(ngx_http_request_t *r) {
    return literal(accepted_type(r, "application/scim+json", "application/json"));
}

ngx_int_t send(ngx_http_request_t *r, EndpointCtx &ctx, service::Response &response,
               TempFile *file) {
    put_first(ctx.log_fields.dialect, response.log_fields.dialect);
    const service::LogFields &log_fields = response.log_fields;
    if (response.status >= 400 || (log_fields.has_error && !log_fields.detail.empty()))
        log_refusal(r, response);
    log_refused(r, log_fields);
    if (response.status < 400 && !response.log_fields.dialect.empty())
        log_ignored(r, response.log_fields);
    if (!response.log_fields.dialect.empty())
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "scim: accepted a request that deviates from RFC 7644: %V",
                      static_cast<const ngx_str_t *>(Printable(response.log_fields.dialect)));
    // Braces, because ngx_log_debug1() expands to nothing without --with-debug.
    if (!response.log_fields.plan.empty()) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0, "scim plan: %s",
                       response.log_fields.plan.c_str());
    }
    // Otherwise nginx would compare If-Match with the version that this very request has created.
    r->disable_not_modified = 1;
    r->headers_out.status = response.status;
    const off_t size = off_t(response.in_sink + response.body.size());
    bool has_body = size > 0 && response.status != 204 && response.status != 304;
    if (has_body) {
        r->headers_out.content_type = answer_type(r);
        r->headers_out.content_type_len = r->headers_out.content_type.len;
    }
    r->headers_out.content_length_n = has_body                                           ? size
                                      : response.status == 204 || response.status == 304 ? -1
                                                                                         : 0;
    if (!add_headers(r, response)) return NGX_ERROR;
    ngx_buf_t *b = NULL;
    if (has_body && (b = body_of(r, response, file)) == NULL) return NGX_ERROR;
    ctx.log_fields = std::move(response.log_fields);
    if (!has_body) r->header_only = 1;
    ctx.answered = true;  // no exception is thrown below this line
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
    ngx_chain_t out = {b, NULL};
    return ngx_http_output_filter(r, &out);
}

ngx_int_t send_without_body(ngx_http_request_t *r, EndpointCtx &ctx,
                            const service::Response &response) noexcept {
    ctx.answered = true;
    r->disable_not_modified = 1;
    r->headers_out.status = response.status == 201 ? 201 : 204;
    r->headers_out.content_length_n = response.status == 201 ? 0 : -1;
    r->header_only = 1;
    if (!response.etag.empty()) add_header(r, "ETag", response.etag);
    if (!response.location.empty()) add_header(r, "Location", response.location);
    return ngx_http_send_header(r);
}

ngx_int_t send_error(ngx_http_request_t *r, EndpointCtx &ctx, const Error &error) {
    service::Response response;
    service::Request request;
    request.id = request_id(r);
    request.settings = &loc_conf(r).settings;
    service::refuse(response, error, request);
    return send(r, ctx, response);
}

}  // namespace scim::nginx
