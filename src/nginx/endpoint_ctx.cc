#include "nginx/endpoint_ctx.h"

#include "nginx/guard.h"

namespace scim::nginx {

EndpointCtx *ctx_if_any(ngx_http_request_t *r) {
    return static_cast<EndpointCtx *>(ngx_http_get_module_ctx(r, ngx_http_scim_module));
}

EndpointCtx *ctx_of(ngx_http_request_t *r) {
    EndpointCtx *ctx = ctx_if_any(r);
    if (ctx != NULL) return ctx;
    ctx = pool_new<EndpointCtx>(r->pool);
    if (ctx != NULL) ngx_http_set_ctx(r, ctx, ngx_http_scim_module);
    return ctx;
}

}  // namespace scim::nginx
