#include <string>

#include "nginx/body.h"
#include "nginx/bounded_recv.h"
#include "nginx/guard.h"
#include "nginx/handler.h"
#include "nginx/worker.h"
#include "scim/request/authority.h"
#include "scim/text/secret.h"
#include "scim/text/text.h"
#include "service/me.h"
#include "service/routes.h"
#include "service/token.h"

namespace scim::nginx {

ngx_int_t request_id_index;

namespace {

// The response does not contain the path of the store, which only the operator may see. The error
// log contains it.
Error unavailable(const WorkerStore *store) {
    if (store != NULL && store->preparing())
        return Error{Refusal::store_starting, "the directory is starting and cannot be read yet",
                     1};
    return Error{Refusal::store_unavailable,
                 "the directory cannot be served now; the error log says why", 10};
}

// The host and port that the request names: those of the request line, which take precedence over
// the Host header (RFC 9112 3.2.2). nginx stores :authority of HTTP/3, and since 1.29 of HTTP/2, in
// the same members; before 1.29 it stores :authority of HTTP/2 as a Host header. Empty if the
// request names no host.
ngx_str_t asked_host(ngx_http_request_t *r) {
    if (r->host_start == NULL || r->host_end == NULL)
        return r->headers_in.host != NULL ? r->headers_in.host->value : ngx_str_t(ngx_null_string);
    u_char *end = r->host_end;
    // In an HTTP/1 request line the port follows host_end, and a path or a space follows the port.
    if (r->http_version < NGX_HTTP_VERSION_20 && *end == ':')
        for (end++; *end >= '0' && *end <= '9'; end++) continue;
    return {size_t(end - r->host_start), r->host_start};
}

LookUp look_up_of(ngx_http_request_t *r, const LocConf &lcf) {
    LookUp look_up;
    look_up.location = &lcf;
    look_up.method = r->method;
    look_up.uri = r->uri;
    if (r->headers_in.authorization != NULL)
        look_up.authorization = r->headers_in.authorization->value;
    if (lcf.base_url == NULL)
        look_up.host = asked_host(r);
    else if (ngx_http_complex_value(r, lcf.base_url, &look_up.base_url) != NGX_OK)
        throw std::bad_alloc();
    if (lcf.tenant != NULL && ngx_http_complex_value(r, lcf.tenant, &look_up.tenant) != NGX_OK)
        throw std::bad_alloc();
    return look_up;
}

// Most are the same bytes in the same place.
bool is_same(const ngx_str_t &a, const ngx_str_t &b) {
    return a.len == b.len && (a.data == b.data || view(a) == view(b));
}

bool operator==(const LookUp &a, const LookUp &b) {
    return a.location == b.location && a.method == b.method && is_same(a.uri, b.uri) &&
           is_same(a.authorization, b.authorization) && is_same(a.host, b.host) &&
           is_same(a.base_url, b.base_url) && is_same(a.tenant, b.tenant);
}

// The path of scim_base_url, without a trailing slash.
std::string_view path_of(std::string_view url) {
    const size_t host = url.find("://");
    const size_t start = host == url.npos ? host : url.find('/', host + 3);
    if (start == url.npos) return {};
    url.remove_prefix(start);
    while (!url.empty() && url.back() == '/') url.remove_suffix(1);
    return url;
}

// Sets ctx.base_url to the request's scheme and host and the location's path. For locations without
// scim_base_url.
Outcome make_base_url(ngx_http_request_t *r, const LocConf &lcf, EndpointCtx &ctx) {
    const std::string_view host = view(ctx.looked_up.host), path = lcf.base_path;
    if (host.empty())
        return Error{Refusal::host_missing,
                     "the request has no Host header, which the URLs in the response require; send "
                     "Host, or set scim_base_url"};
    if (!is_authority(host))
        return Error{
            Refusal::host_invalid,
            "the host of the request (Host header, request line or :authority) is invalid; "
            "expected a name or an address with an optional port, such as id.example.com:8443"};
    bool tls = false;
#if (NGX_HTTP_SSL)
    tls = r->connection->ssl != NULL;
#endif
    const std::string_view scheme = tls ? "https://" : "http://";
    ctx.base_url.data =
        static_cast<u_char *>(ngx_pnalloc(r->pool, scheme.size() + host.size() + path.size()));
    if (ctx.base_url.data == NULL) throw std::bad_alloc();
    u_char *end = ngx_cpymem(ctx.base_url.data, scheme.data(), scheme.size());
    end = ngx_cpymem(end, host.data(), host.size());
    end = ngx_cpymem(end, path.data(), path.size());
    ctx.base_url.len = size_t(end - ctx.base_url.data);
    return Done{};
}

// Checks a scim_base_url with variables. Clients may control the values of the variables, and the
// result appears in the URLs of responses.
Outcome check_base_url(std::string_view url) {
    size_t host = url.find("://");
    host = host == url.npos ? 0 : host + 3;
    if (is_url_text(url) && is_authority(url.substr(host, url.find('/', host) - host)))
        return Done{};
    return Error{Refusal::base_url_invalid,
                 "scim_base_url does not form a valid URL for this request: its host is invalid, "
                 "or it contains a character that is not allowed in a URL"};
}

// Sets ctx.base_url, and ctx.path to the rest of the URI. 404 if the request's URI is not below the
// base URL's path.
Outcome split_url(ngx_http_request_t *r, const LocConf &lcf, EndpointCtx &ctx) {
    ctx.base_url = ctx.looked_up.base_url;
    const std::string_view base_path =
        lcf.base_path_fixed ? lcf.base_path : path_of(view(ctx.base_url));
    std::string_view uri = view(r->uri);
    bool below = uri.size() >= base_path.size() &&
                 uri.compare(0, base_path.size(), base_path) == 0 &&
                 (uri.size() == base_path.size() || uri[base_path.size()] == '/');
    if (!below)
        return Error{Refusal::path_outside_base_url,
                     "the request path is not below " + quoted(base_path) +
                         ", the path of this server's SCIM base URL; check for a missing slash, "
                         "and check scim_base_url"};
    ctx.path = uri.substr(base_path.size());
    if (lcf.base_url == NULL) return make_base_url(r, lcf, ctx);
    return lcf.base_url->lengths != NULL ? check_base_url(view(ctx.base_url)) : Outcome(Done{});
}

Result<service::ActorPtr> authenticate(ngx_http_request_t *r, const LocConf &lcf,
                                       std::string_view tenant, service::Session &session,
                                       DeviationReport &report, store::Errc &code) {
    store::ReadTxn txn(session.reader);
    code = txn.error();
    if (!txn.good()) return service::unreadable(code, 1);
    if (lcf.auth == auth_off)
        return session.authenticator.anonymous(txn, tenant, uint8_t(lcf.scope));
    ngx_table_elt_t *header = r->headers_in.authorization;
    Dialect dialect(lcf.settings.strict, report);
    return session.authenticator.authenticate(
        txn, header != NULL ? view(header->value) : std::string_view(), now(), dialect);
}

// 401 if the user that the token is bound to may not act (service/me.h).
Outcome check_subject(const service::Actor &actor, service::Session &session) {
    if (actor.subject.empty()) return Done{};
    service::Snapshot snapshot(session);
    RETURN_IF_ERROR(snapshot.usable());
    return service::check_subject(actor, *snapshot.catalog(), snapshot.txn);
}

bool is_public(ngx_http_request_t *r, const EndpointCtx &ctx) {
    const bool reads = r->method == NGX_HTTP_GET || r->method == NGX_HTTP_HEAD;
    return reads && service::is_public(service::Method::get, ctx.path);
}

// If the store knows the refused token, records its owner for the variables and the change log.
void note_refused(ngx_http_request_t *r, EndpointCtx &ctx, WorkerStore &store, const Error &error) {
    const auto *header = r->headers_in.authorization;
    if (header == NULL) return;
    store::ReadTxn txn(store.session()->reader);
    ctx.refused = service::find_refused(txn, view(header->value));
    if (ctx.refused) store.refused_tokens().add(*ctx.refused, request_id(r), error, now());
}

Result<service::ActorPtr> authenticated_actor(ngx_http_request_t *r, const LocConf &lcf,
                                              EndpointCtx &ctx) {
    auto split = split_url(r, lcf, ctx);
    RETURN_IF_ERROR(split);
    WorkerStore *store = store_of(*lcf.store);
    service::Session *session = store != NULL ? store->session() : NULL;
    if (session == NULL) return unavailable(store);
    if (lcf.auth == auth_token && r->headers_in.authorization == NULL && is_public(r, ctx))
        return service::Authenticator::nobody();
    const std::string_view tenant = view(ctx.looked_up.tenant);
    store::Errc code = store::Errc::ok;
    DeviationReport report;
    auto actor = authenticate(r, lcf, tenant, *session, report, code);
    ctx.log_fields.dialect = report.summary();
    if (code == store::Errc::panic) store->reopen();
    if (actor) {
        store->note_uses();
        auto may_act = check_subject(**actor, *session);
        if (!may_act) actor = may_act.error();
    }
    if (!actor && actor.error().status() == 401) note_refused(r, ctx, *store, actor.error());
    if (!actor || lcf.auth == auth_off || lcf.tenant == NULL) return actor;
    auto agreed = service::check_tenant(**actor, tenant);
    if (agreed) return actor;
    // The name of the location's tenant goes to the error log only: a client must not learn of
    // tenants other than its own.
    static auto *lately = new service::OnceAMinute;
    const std::string shown = without_tokens(tenant);
    if (lately->is_new(lcf.where + shown, now()))
        ngx_log_error(
            NGX_LOG_ERR, r->connection->log, 0,
            "scim: the token belongs to tenant \"%V\", but \"scim_tenant\" of the location in %s "
            "is \"%V\"",
            static_cast<const ngx_str_t *>(Printable((*actor)->tenant_name)), lcf.where.c_str(),
            static_cast<const ngx_str_t *>(Printable(shown)));
    return agreed.error();
}

}  // namespace

void look_up_actor(ngx_http_request_t *r, EndpointCtx &ctx) {
    // After the response, the variables keep showing the actor that the response was sent to.
    if (ctx.answered && ctx.looked_up.location != NULL) return;
    const LocConf &lcf = loc_conf(r);
    const LookUp look_up = look_up_of(r, lcf);
    if (look_up == ctx.looked_up) return;
    ctx.actor = nullptr;
    ctx.refused.reset();
    ctx.log_fields.dialect.clear();
    ctx.looked_up = look_up;
    try {
        auto actor = authenticated_actor(r, lcf, ctx);
        if (actor)
            ctx.actor = std::move(*actor);
        else
            ctx.refusal = std::move(actor.error());
    } catch (...) {
        ctx.looked_up = LookUp();
        throw;
    }
}

store::RequestId request_id(ngx_http_request_t *r) {
    store::RequestId id{};
    ngx_http_variable_value_t *value =
        ngx_http_get_indexed_variable(r, ngx_uint_t(request_id_index));
    if (value == NULL || value->not_found || value->len != 2 * id.size()) {
        service::fill_random(id.data(), id.size());
        return id;
    }
    for (size_t i = 0; i < id.size(); i++) id[i] = uint8_t(ngx_hextoi(value->data + 2 * i, 2));
    return id;
}

// The reading of a body of at most this size is not bounded.
constexpr off_t small_body = 16 << 10;

// Returns NGX_OK for a valid token, so that it satisfies `satisfy any`. Refuses other requests
// before their body is read. The content handler authenticates again, so that another module that
// allows the request under `satisfy any` does not replace the token.
ngx_int_t access_handler(ngx_http_request_t *r) {
    const LocConf &lcf = loc_conf(r);
    if (!lcf.enabled() || r != r->main) return NGX_DECLINED;
    if (r->headers_in.content_length_n > small_body || r->headers_in.chunked) bound_recv(r);
    return guarded(r, [&]() -> ngx_int_t {
        EndpointCtx *ctx = ctx_of(r);
        if (ctx == NULL) return NGX_ERROR;
        look_up_actor(r, *ctx);
        // A request without a token (scim_auth off, or a public endpoint) does not satisfy
        // `satisfy any`: the other access modules decide.
        if (ctx->actor) return ctx->actor->token == 0 ? NGX_DECLINED : NGX_OK;
        auto *clcf = static_cast<ngx_http_core_loc_conf_t *>(
            ngx_http_get_module_loc_conf(r, ngx_http_core_module));
        if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) return NGX_DECLINED;
        ngx_int_t rc = refuse_body(r);
        ngx_http_finalize_request(r, rc == NGX_OK ? send_error(r, *ctx, ctx->refusal) : rc);
        return NGX_DONE;
    });
}

}  // namespace scim::nginx
