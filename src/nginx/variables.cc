#include "nginx/variables.h"

#include "nginx/guard.h"
#include "nginx/handler.h"
#include "version.h"

namespace scim::nginx {

namespace {

enum Variable : uintptr_t {
    operation,
    resource_type,
    resource_id,
    error_type,
    error_id,
    detail,
    dialect,
    tenant,
    token_label,
    module_version
};

struct Name {
    ngx_str_t name;
    Variable variable;
};

Name names[] = {
    {ngx_string("scim_operation"), operation},
    {ngx_string("scim_resource_type"), resource_type},
    {ngx_string("scim_resource_id"), resource_id},
    {ngx_string("scim_error_type"), error_type},
    {ngx_string("scim_error_id"), error_id},
    {ngx_string("scim_detail"), detail},
    {ngx_string("scim_dialect"), dialect},
    {ngx_string("scim_tenant"), tenant},
    {ngx_string("scim_token_label"), token_label},
    {ngx_string("scim_version"), module_version},
};

// The actor for $scim_tenant and $scim_token_label. After the response, when the access log is
// written, it is the owner of an expired or revoked token, too. Before, when limit_req and
// limit_conn read the variables, such a request counts as unauthenticated.
const service::Actor *known(const EndpointCtx &ctx) {
    return ctx.actor ? ctx.actor.get() : ctx.answered ? ctx.refused.get() : nullptr;
}

std::string_view text_of(const EndpointCtx &ctx, uintptr_t variable) {
    switch (variable) {
        case operation: return ctx.log_fields.operation;
        case resource_type: return ctx.log_fields.resource_type;
        case resource_id: return ctx.log_fields.resource_id;
        case error_type: return to_string(ctx.log_fields.scim_type);
        case error_id: return ctx.log_fields.error_id;
        case detail: return ctx.log_fields.detail;
        case dialect: return ctx.log_fields.dialect;
        case tenant: return known(ctx) != nullptr ? known(ctx)->tenant_name : std::string_view();
        case token_label: return known(ctx) != nullptr ? known(ctx)->label : std::string_view();
        default: return {};
    }
}

// $scim_version, in every location.
ngx_int_t get_version(ngx_http_request_t *, ngx_http_variable_value_t *v, uintptr_t) {
    v->data = reinterpret_cast<u_char *>(const_cast<char *>(version));
    v->len = unsigned(sizeof version - 1);
    v->valid = 1;
    v->not_found = 0;
    v->no_cacheable = 0;
    return NGX_OK;
}

ngx_int_t get(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t variable) {
    return guarded(r->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        v->not_found = 1;
        if (!loc_conf(r).enabled()) return NGX_OK;
        EndpointCtx *ctx = ctx_of(r);
        if (ctx == NULL) return NGX_ERROR;
        // limit_req reads these before the access phase. A second call with the same inputs is
        // cheap.
        if (variable == tenant || variable == token_label) look_up_actor(r, *ctx);
        std::string_view text = text_of(*ctx, variable);
        if (text.empty()) return NGX_OK;
        ngx_str_t copy = copy_to_pool(r->pool, text);
        if (copy.data == NULL) return NGX_ERROR;
        v->data = copy.data;
        v->len = unsigned(copy.len);
        v->valid = 1;
        v->not_found = 0;
        v->no_cacheable = 0;
        return NGX_OK;
    });
}

}  // namespace

ngx_int_t add_variables(ngx_conf_t *cf) {
    for (Name &name : names) {
        ngx_http_variable_t *variable =
            ngx_http_add_variable(cf, &name.name, NGX_HTTP_VAR_NOCACHEABLE);
        if (variable == NULL) return NGX_ERROR;
        variable->get_handler = name.variable == module_version ? get_version : get;
        variable->data = name.variable;
    }
    return NGX_OK;
}

}  // namespace scim::nginx
