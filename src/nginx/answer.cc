#include <string>

#include "nginx/guard.h"
#include "nginx/handler.h"
#include "service/content_type.h"
#include "service/ignored.h"
#include "service/once_a_minute.h"

namespace scim::nginx {

namespace {

// nginx does not write to what it takes for its own.
ngx_str_t literal(std::string_view text) {
    return {text.size(), reinterpret_cast<u_char *>(const_cast<char *>(text.data()))};
}

// `name` is a literal, `value` in the pool; it has no data if that has no memory.
bool add_header(ngx_http_request_t *r, std::string_view name, ngx_str_t value) {
    auto *h = static_cast<ngx_table_elt_t *>(ngx_list_push(&r->headers_out.headers));
    if (h == NULL) return false;
    *h = {};  // its fields differ between versions of nginx
    h->key = literal(name);
    h->value = value;
    h->hash = value.data != NULL;
    return h->hash != 0;
}

bool add_header(ngx_http_request_t *r, std::string_view name, std::string_view value) {
    return add_header(r, name, copy_to_pool(r->pool, value));
}

// RFC 7644 3.1 and 3.3 speak of Location, RFC 7643 3.1 of Content-Location: meta.location is either.
bool add_location(ngx_http_request_t *r, const service::Response &response) {
    const ngx_str_t url = copy_to_pool(r->pool, response.location);
    const bool has_body = !response.body.empty() || response.in_sink > 0;
    return add_header(r, "Location", url) && (!has_body || add_header(r, "Content-Location", url));
}

// RFC 6750 3: what failed, in a form that clients show.
// Quotes and backslashes would end the string.
std::string challenge(const service::Response &response, bool has_credentials) {
    std::string out = "Bearer realm=\"scim\"";
    if (!has_credentials) return out;
    out += ", error=\"invalid_token\", error_description=\"";
    for (char c : response.facts.detail)
        out += c == '"' || c == '\\' ? '\'' : uint8_t(c) < 0x20 || uint8_t(c) > 0x7e ? '?' : c;
    return out + '"';
}

bool add_headers(ngx_http_request_t *r, const service::Response &response) {
    bool good = true;
    // nginx takes Content-Type away from a 204 itself, but not from this list. There are clients that
    // count an answer to a PATCH without it as a failure.
    if (response.status == 204 && r->method == NGX_HTTP_PATCH)
        good &= add_header(r, "Content-Type", view(answer_type(r)));
    if (!response.etag.empty()) good &= add_header(r, "ETag", response.etag);
    if (!response.location.empty() && response.status != 304) good &= add_location(r, response);
    if (response.retry_after != 0)
        good &= add_header(r, "Retry-After", std::to_string(response.retry_after));
    if (!response.allow.empty()) good &= add_header(r, "Allow", response.allow);
    if (response.status == 401)
        good &= add_header(r, "WWW-Authenticate",
                           challenge(response, r->headers_in.authorization != NULL));
    return good;
}

// Debian's nginx.conf logs errors and worse. An operator sees there what no client can mend alone:
// refused writes, refused tokens and addresses that nobody serves, each sentence once a minute; what
// repeats is a warning. Reads that find nothing are their client's affair.
ngx_uint_t level_of(const service::Response &response) {
    if (response.status >= 500) return NGX_LOG_ERR;
    const std::string_view operation = response.facts.operation;
    const bool is_read = operation == "get" || operation == "list" || operation == "search" ||
                         operation == "discovery";
    if (is_read && response.status != 401 && response.status != 403) return NGX_LOG_WARN;
    static auto *lately = new service::OnceAMinute;
    return lately->is_new(response.facts.detail, now()) ? NGX_LOG_ERR : NGX_LOG_WARN;
}

void log_ignored(ngx_http_request_t *r, const service::Facts &facts) {
    const std::string ignored = service::ignored_sentence(facts.dialect);
    if (ignored.empty()) return;
    static auto *lately = new service::OnceAMinute;
    const std::string request = service::request_text(request_id(r));
    const ngx_uint_t level = lately->is_new(ignored, now()) ? NGX_LOG_ERR : NGX_LOG_WARN;
    ngx_log_error(level, r->connection->log, 0, "scim: %V of %V %V: %V (request %V)",
                  static_cast<const ngx_str_t *>(Printable(facts.operation)),
                  static_cast<const ngx_str_t *>(Printable(facts.resource_type)),
                  static_cast<const ngx_str_t *>(Printable(facts.resource_id)),
                  static_cast<const ngx_str_t *>(Printable(ignored)),
                  static_cast<const ngx_str_t *>(Printable(request)));
}

void log_refusal(ngx_http_request_t *r, const service::Response &response) {
    const service::Facts &facts = response.facts;
    const ngx_uint_t level = level_of(response);
    const std::string request = service::request_text(request_id(r));
    ngx_log_error(level, r->connection->log, 0, "scim: %V answered with %ui%s%V: %V (request %V)",
                  static_cast<const ngx_str_t *>(
                      Printable(facts.operation.empty() ? "request" : facts.operation)),
                  ngx_uint_t(response.status), facts.scim_type == ScimType::none ? "" : " ",
                  static_cast<const ngx_str_t *>(Printable(to_string(facts.scim_type))),
                  static_cast<const ngx_str_t *>(Printable(facts.detail)),
                  static_cast<const ngx_str_t *>(Printable(request)));
}

// A short text is copied, so that its string is used again; a long one goes to the pool as it is.
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

// Of two comma-separated lists.
void put_first(const std::string &first, std::string &list) {
    if (!first.empty()) list.insert(0, list.empty() ? first : first + ",");
}

}  // namespace

ngx_str_t answer_type(ngx_http_request_t *r) {
    constexpr std::string_view name = "accept";
    service::AcceptedTypes accepted;
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        auto *h = static_cast<ngx_table_elt_t *>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++)
            if (h[i].key.len == name.size() &&
                ngx_memcmp(h[i].lowcase_key, name.data(), name.size()) == 0)
                accepted.add(view(h[i].value));
    }
    return literal(accepted.answer_type());
}

ngx_int_t send(ngx_http_request_t *r, Ctx &ctx, service::Response &response, TempFile *file) {
    put_first(ctx.facts.dialect, response.facts.dialect);
    if (response.status >= 400 || !response.facts.detail.empty()) log_refusal(r, response);
    if (response.status < 400 && !response.facts.dialect.empty()) log_ignored(r, response.facts);
    if (!response.facts.dialect.empty())
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "scim: accepted, though not in RFC 7644's form: %V",
                      static_cast<const ngx_str_t *>(Printable(response.facts.dialect)));
    // Braces: without --with-debug ngx_log_debug1() is nothing.
    if (!response.facts.plan.empty()) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0, "scim plan: %s",
                       response.facts.plan.c_str());
    }
    // nginx would compare a request's If-Match with the version that the request itself has made.
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
    ctx.facts = std::move(response.facts);
    if (!has_body) r->header_only = 1;
    ctx.answered = true;  // nothing throws from here on
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
    ngx_chain_t out = {b, NULL};
    return ngx_http_output_filter(r, &out);
}

ngx_int_t send_without_body(ngx_http_request_t *r, Ctx &ctx,
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

ngx_int_t send_error(ngx_http_request_t *r, Ctx &ctx, const Error &error) {
    service::Response response;
    service::refuse(response, error, request_id(r));
    return send(r, ctx, response);
}

}  // namespace scim::nginx
