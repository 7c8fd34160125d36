// ngx_http_scim_module: a SCIM 2.0 service provider (RFC 7643, RFC 7644) inside nginx, over LMDB.

#include "nginx/conf.h"
#include "nginx/error_filter.h"
#include "nginx/gate.h"
#include "nginx/guard.h"
#include "nginx/handler.h"
#include "nginx/ngx.h"
#include "nginx/startup.h"
#include "nginx/status.h"
#include "nginx/variables.h"
#include "nginx/worker.h"

namespace scim::nginx {

namespace {

ngx_int_t add_handler(ngx_conf_t *cf, ngx_http_phases phase, ngx_http_handler_pt handler) {
    auto *cmcf = static_cast<ngx_http_core_main_conf_t *>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    auto *place = static_cast<ngx_http_handler_pt *>(ngx_array_push(&cmcf->phases[phase].handlers));
    if (place == NULL) return NGX_ERROR;
    *place = handler;
    return NGX_OK;
}

ngx_int_t preconfiguration(ngx_conf_t *cf) { return add_variables(cf); }

ngx_int_t postconfiguration(ngx_conf_t *cf) {
    if (check_conf(cf) != NGX_OK) return NGX_ERROR;
    ngx_str_t request_id = ngx_string("request_id");
    request_id_index = ngx_http_get_variable_index(cf, &request_id);
    if (request_id_index == NGX_ERROR) return NGX_ERROR;
    if (main_conf(cf)->status_zone != NULL &&
        add_handler(cf, NGX_HTTP_LOG_PHASE, count_handler) != NGX_OK)
        return NGX_ERROR;
    return add_handler(cf, NGX_HTTP_ACCESS_PHASE, access_handler);
}

ngx_int_t gate_preconfiguration(ngx_conf_t *cf) { return add_gate_variables(cf); }

// nginx calls the handlers of a phase in the reverse order: this one before those of its own
// modules, mirror and try_files.
ngx_int_t gate_postconfiguration(ngx_conf_t *cf) {
    if (check_gate_conf(cf) != NGX_OK) return NGX_ERROR;
    const GateMainConf &mcf = *gate_main_conf(cf);
    if (mcf.subjects.empty() && mcf.headers.empty()) return NGX_OK;
    if (add_handler(cf, NGX_HTTP_PREACCESS_PHASE, before_access_handler) != NGX_OK)
        return NGX_ERROR;
    return add_handler(cf, NGX_HTTP_PRECONTENT_PHASE, gate_handler);
}

ngx_int_t filter_postconfiguration(ngx_conf_t *) {
    install_error_filter();
    install_gate_filter();
    return NGX_OK;
}

ngx_int_t start(ngx_cycle_t *cycle) {
    guarded_void(cycle->log, [&] { report_startup(cycle); });
    return init_module(cycle);
}

ngx_http_module_t module_ctx = {
    preconfiguration,  /* preconfiguration */
    postconfiguration, /* postconfiguration */

    create_main_conf, /* create main configuration */
    init_main_conf,   /* init main configuration */

    NULL, /* create server configuration */
    NULL, /* merge server configuration */

    create_loc_conf, /* create location configuration */
    merge_loc_conf   /* merge location configuration */
};

ngx_http_module_t gate_module_ctx = {
    gate_preconfiguration,  /* preconfiguration */
    gate_postconfiguration, /* postconfiguration */

    create_gate_main_conf, /* create main configuration */
    NULL,                  /* init main configuration */

    NULL, /* create server configuration */
    NULL, /* merge server configuration */

    create_gate_conf, /* create location configuration */
    merge_gate_conf   /* merge location configuration */
};

ngx_http_module_t filter_module_ctx = {
    NULL,                     /* preconfiguration */
    filter_postconfiguration, /* postconfiguration */

    NULL, /* create main configuration */
    NULL, /* init main configuration */

    NULL, /* create server configuration */
    NULL, /* merge server configuration */

    NULL, /* create location configuration */
    NULL  /* merge location configuration */
};

}  // namespace

}  // namespace scim::nginx

// clang-format off
ngx_module_t ngx_http_scim_module = {
    NGX_MODULE_V1,
    &scim::nginx::module_ctx,              /* module context */
    scim::nginx::commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    scim::nginx::start,                    /* init module */
    scim::nginx::init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    scim::nginx::exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};

// The access gate. Its directives are a module of their own because they are inherited in another
// way than those of the endpoint (gate_conf.h).
ngx_module_t ngx_http_scim_gate_module = {
    NGX_MODULE_V1,
    &scim::nginx::gate_module_ctx,         /* module context */
    scim::nginx::gate_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};

// The filters are a module of their own because the position in nginx's module list determines
// the position in the filter chain (see config).
ngx_module_t ngx_http_scim_filter_module = {
    NGX_MODULE_V1,
    &scim::nginx::filter_module_ctx,       /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};
// clang-format on
