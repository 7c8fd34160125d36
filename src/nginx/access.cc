#include <string>

#include "nginx/guard.h"
#include "nginx/handler.h"
#include "nginx/worker.h"
#include "scim/text.h"
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

// The URL in front of the endpoints and the path behind it. 404 if the request's URI is not below
// the base URL's path.
Outcome find_base(ngx_http_request_t *r, const LocConf &lcf, Ctx &ctx) {
    std::string_view base_path = lcf.base_path;
    if (lcf.base_url != NULL) {
        if (ngx_http_complex_value(r, lcf.base_url, &ctx.base_url) != NGX_OK)
            throw std::bad_alloc();
        if (!lcf.base_path_fixed) {
            std::string_view url = view(ctx.base_url);
            size_t host = url.find("://");
            size_t start = host == std::string_view::npos ? host : url.find('/', host + 3);
            base_path = start == std::string_view::npos ? std::string_view() : url.substr(start);
            while (!base_path.empty() && base_path.back() == '/') base_path.remove_suffix(1);
        }
    }
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
    if (lcf.base_url != NULL) return Done{};

    std::string_view host =
        r->headers_in.host != NULL ? view(r->headers_in.host->value) : view(r->headers_in.server);
    if (host.empty())
        return Error{400, ScimType::none,
                     "the request has no Host header, and without scim_base_url nothing else says "
                     "what the URLs in the answer begin with",
                     0};
    bool tls = false;
#if (NGX_HTTP_SSL)
    tls = r->connection->ssl != NULL;
#endif
    std::string_view scheme = tls ? "https://" : "http://";
    ctx.base_url.data =
        static_cast<u_char *>(ngx_pnalloc(r->pool, scheme.size() + host.size() + base_path.size()));
    if (ctx.base_url.data == NULL) throw std::bad_alloc();
    u_char *end = ngx_cpymem(ctx.base_url.data, scheme.data(), scheme.size());
    end = ngx_cpymem(end, host.data(), host.size());
    end = ngx_cpymem(end, base_path.data(), base_path.size());
    ctx.base_url.len = size_t(end - ctx.base_url.data);
    return Done{};
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
    // What clients put into Host, and into the URI that scim_base_url is made of, comes back in the
    // URLs of answers.
    if (!is_url_text(view(ctx.base_url)))
        return Error{400, ScimType::none,
                     "the base URL of this request has characters that no URL has: they came with "
                     "its Host header or path",
                     0};
    ngx_str_t tenant = ngx_null_string;
    if (lcf.tenant != NULL && ngx_http_complex_value(r, lcf.tenant, &tenant) != NGX_OK)
        throw std::bad_alloc();

    StoreSlot *slot = slot_of(*lcf.store);
    service::Session *session = slot != NULL ? slot->session() : NULL;
    if (session == NULL) return unavailable(slot);
    store::Errc code = store::Errc::ok;
    Report report;
    auto actor = authenticate(r, lcf, view(tenant), *session, report, code);
    ctx.facts.dialect = report.summary();
    if (code == store::Errc::panic) slot->reopen();
    if (actor) slot->note_uses();
    if (!actor && actor.error().status == 401) note_refused(r, ctx, *slot, actor.error());
    if (!actor || lcf.auth == auth_off || lcf.tenant == NULL) return actor;
    auto agreed = service::check_tenant(**actor, view(tenant));
    if (agreed) return actor;
    // For the operator alone: a client is told of no other tenant than its own.
    static auto *lately = new service::OnceAMinute;
    if (lately->is_new(lcf.where + std::string(view(tenant)), now()))
        ngx_log_error(
            NGX_LOG_ERR, r->connection->log, 0,
            "scim: the token is of tenant \"%V\", and scim_tenant of the location in %s is "
            "\"%V\"",
            static_cast<const ngx_str_t *>(Printable((*actor)->tenant_name)), lcf.where.c_str(),
            static_cast<const ngx_str_t *>(Printable(view(tenant))));
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
    if (ctx.looked_up) return;
    auto actor = find_actor(r, loc_conf(r), ctx);
    if (actor) {
        ctx.actor = std::move(*actor);
    } else {
        ctx.refusal = std::move(actor.error());
    }
    ctx.looked_up = true;
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
        if (ctx->actor) return lcf.auth == auth_off ? NGX_DECLINED : NGX_OK;
        auto *clcf = static_cast<ngx_http_core_loc_conf_t *>(
            ngx_http_get_module_loc_conf(r, ngx_http_core_module));
        if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) return NGX_DECLINED;
        ngx_int_t rc = refuse_body(r);
        ngx_http_finalize_request(r, rc == NGX_OK ? send_error(r, *ctx, ctx->refusal) : rc);
        return NGX_DONE;
    });
}

}  // namespace scim::nginx
