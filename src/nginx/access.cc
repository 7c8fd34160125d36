#include <string>

#include "nginx/guard.h"
#include "nginx/handler.h"
#include "nginx/worker.h"
#include "scim/authority.h"
#include "scim/secret.h"
#include "scim/text.h"
#include "service/routes.h"
#include "service/token.h"

namespace scim::nginx {

ngx_int_t request_id_index;

namespace {

// The path of the store is the operator's business: the log has it.
Error unavailable(const StoreSlot *slot) {
    if (slot != NULL && slot->preparing())
        return Error{503, ScimType::none, "the directory is being prepared", 1};
    return Error{503, ScimType::none, "the directory cannot be served now; the error log says why",
                 10};
}

// The host and port that the request is sent to: of the request line, which counts before the Host
// header (RFC 9112 3.2.2). nginx keeps :authority of HTTP/3, and of HTTP/2 since 1.29, there, too; an
// older nginx makes a Host header of that of HTTP/2. Empty if the request names none.
ngx_str_t asked_host(ngx_http_request_t *r) {
    if (r->host_start == NULL || r->host_end == NULL)
        return r->headers_in.host != NULL ? r->headers_in.host->value : ngx_str_t(ngx_null_string);
    u_char *end = r->host_end;
    // In a request line of HTTP/1 a port may follow; then come a path or a space.
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

bool operator==(const LookUp &a, const LookUp &b) {
    return a.location == b.location && a.method == b.method && view(a.uri) == view(b.uri) &&
           view(a.authorization) == view(b.authorization) && view(a.host) == view(b.host) &&
           view(a.base_url) == view(b.base_url) && view(a.tenant) == view(b.tenant);
}

// The path of scim_base_url: behind its host, without a slash at the end.
std::string_view path_of(std::string_view url) {
    const size_t host = url.find("://");
    const size_t start = host == url.npos ? host : url.find('/', host + 3);
    if (start == url.npos) return {};
    url.remove_prefix(start);
    while (!url.empty() && url.back() == '/') url.remove_suffix(1);
    return url;
}

// Scheme, host and path of the request's location.
Outcome make_base_url(ngx_http_request_t *r, const LocConf &lcf, Ctx &ctx) {
    const std::string_view host = view(ctx.looked_up.host), path = lcf.base_path;
    if (host.empty())
        return Error{400, ScimType::none,
                     "the request has no Host header, and without scim_base_url nothing else says "
                     "what the URLs in the answer begin with",
                     0};
    if (!is_authority(host))
        return Error{
            400, ScimType::none,
            "the Host of the request (Host header, request line or :authority) is no host; "
            "expected a name or an address and perhaps a port, such as id.example.com:8443",
            0};
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

// scim_base_url with variables is made of what clients send, and comes back in the URLs of answers.
Outcome check_base_url(std::string_view url) {
    size_t host = url.find("://");
    host = host == url.npos ? 0 : host + 3;
    if (is_url_text(url) && is_authority(url.substr(host, url.find('/', host) - host)))
        return Done{};
    return Error{400, ScimType::none,
                 "scim_base_url makes no URL of this request: it has no valid host, or characters "
                 "that no URL has",
                 0};
}

// The URL in front of the endpoints and the path behind it. 404 if the request's URI is not below
// the base URL's path.
Outcome find_base(ngx_http_request_t *r, const LocConf &lcf, Ctx &ctx) {
    ctx.base_url = ctx.looked_up.base_url;
    const std::string_view base_path =
        lcf.base_path_fixed ? lcf.base_path : path_of(view(ctx.base_url));
    std::string_view uri = view(r->uri);
    bool below = uri.size() >= base_path.size() &&
                 uri.compare(0, base_path.size(), base_path) == 0 &&
                 (uri.size() == base_path.size() || uri[base_path.size()] == '/');
    if (!below)
        return Error{404, ScimType::none,
                     "the address is not below " + quoted(base_path) +
                         ", the path of this server's SCIM base URL; is a slash missing, or "
                         "scim_base_url another one?",
                     0};
    ctx.path = uri.substr(base_path.size());
    if (lcf.base_url == NULL) return make_base_url(r, lcf, ctx);
    return lcf.base_url->lengths != NULL ? check_base_url(view(ctx.base_url)) : Outcome(Done{});
}

Result<service::ActorPtr> authenticate(ngx_http_request_t *r, const LocConf &lcf,
                                       std::string_view tenant, service::Session &session,
                                       Report &report, store::Errc &code) {
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

bool is_public(ngx_http_request_t *r, const Ctx &ctx) {
    const bool reads = r->method == NGX_HTTP_GET || r->method == NGX_HTTP_HEAD;
    return reads && service::is_public(service::Method::get, ctx.path);
}

// Whose the refused token is, for the log and its variables.
void note_refused(ngx_http_request_t *r, Ctx &ctx, StoreSlot &slot, const Error &error) {
    const auto *header = r->headers_in.authorization;
    if (header == NULL) return;
    store::ReadTxn txn(slot.session()->reader);
    ctx.refused = service::find_refused(txn, view(header->value));
    if (ctx.refused) slot.refused_tokens().add(*ctx.refused, request_id(r), error, now());
}

Result<service::ActorPtr> find_actor(ngx_http_request_t *r, const LocConf &lcf, Ctx &ctx) {
    auto based = find_base(r, lcf, ctx);
    if (!based) return based.error();
    StoreSlot *slot = slot_of(*lcf.store);
    service::Session *session = slot != NULL ? slot->session() : NULL;
    if (session == NULL) return unavailable(slot);
    if (lcf.auth == auth_token && r->headers_in.authorization == NULL && is_public(r, ctx))
        return service::Authenticator::nobody();
    const std::string_view tenant = view(ctx.looked_up.tenant);
    store::Errc code = store::Errc::ok;
    Report report;
    auto actor = authenticate(r, lcf, tenant, *session, report, code);
    ctx.facts.dialect = report.summary();
    if (code == store::Errc::panic) slot->reopen();
    if (actor) slot->note_uses();
    if (!actor && actor.error().status == 401) note_refused(r, ctx, *slot, actor.error());
    if (!actor || lcf.auth == auth_off || lcf.tenant == NULL) return actor;
    auto agreed = service::check_tenant(**actor, tenant);
    if (agreed) return actor;
    // For the operator alone: a client is told of no other tenant than its own.
    static auto *lately = new service::OnceAMinute;
    const std::string shown = without_tokens(tenant);
    if (lately->is_new(lcf.where + shown, now()))
        ngx_log_error(
            NGX_LOG_ERR, r->connection->log, 0,
            "scim: the token is of tenant \"%V\", and scim_tenant of the location in %s is "
            "\"%V\"",
            static_cast<const ngx_str_t *>(Printable((*actor)->tenant_name)), lcf.where.c_str(),
            static_cast<const ngx_str_t *>(Printable(shown)));
    return agreed.error();
}

}  // namespace

Ctx *ctx_if_any(ngx_http_request_t *r) {
    return static_cast<Ctx *>(ngx_http_get_module_ctx(r, ngx_http_scim_module));
}

Ctx *ctx_of(ngx_http_request_t *r) {
    Ctx *ctx = ctx_if_any(r);
    if (ctx != NULL) return ctx;
    ctx = pool_new<Ctx>(r->pool);
    if (ctx != NULL) ngx_http_set_ctx(r, ctx, ngx_http_scim_module);
    return ctx;
}

void look_up_actor(ngx_http_request_t *r, Ctx &ctx) {
    // The log's variables tell of the actor that was answered.
    if (ctx.answered && ctx.looked_up.location != NULL) return;
    const LocConf &lcf = loc_conf(r);
    const LookUp look_up = look_up_of(r, lcf);
    if (look_up == ctx.looked_up) return;
    ctx.actor = nullptr;
    ctx.refused.reset();
    ctx.facts.dialect.clear();
    ctx.looked_up = look_up;
    try {
        auto actor = find_actor(r, lcf, ctx);
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

// Says yes for a known token, so that `satisfy any` may count on it,
// and refuses otherwise before a byte of the body is asked for.
// The content handler asks again: no other module's yes opens this door.
ngx_int_t access_handler(ngx_http_request_t *r) {
    const LocConf &lcf = loc_conf(r);
    if (!lcf.enabled() || r != r->main) return NGX_DECLINED;
    return guarded(r, [&]() -> ngx_int_t {
        Ctx *ctx = ctx_of(r);
        if (ctx == NULL) return NGX_ERROR;
        look_up_actor(r, *ctx);
        // Without a token nobody is satisfied: not where scim_auth is off, nor for what is public.
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
