#include "nginx/gate.h"
#include "nginx/guard.h"

namespace scim::nginx {

namespace {

ngx_http_output_header_filter_pt next_header_filter;

// True for nginx's own redirect from /app to the location /app/, which tells nothing.
bool is_slash_redirect(ngx_http_request_t *r) {
    const auto *clcf = static_cast<const ngx_http_core_loc_conf_t *>(
        ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    return r->headers_out.status == NGX_HTTP_MOVED_PERMANENTLY && clcf->auto_redirect &&
           r->uri.len + 1 == clcf->name.len;
}

// True for an answer that reaches the client of a gated location although nothing was decided.
bool is_undecided(ngx_http_request_t *r) {
    if (r != r->main || r->headers_out.status >= 400 || r->headers_out.status < 200) return false;
    const GateConf &conf = gate_conf(r);
    if (!conf.gated || loc_conf(r).enabled() || is_slash_redirect(r)) return false;
    const GateState *state = gate_state_if_any(r);
    const bool is_denied = state != NULL && std::string_view(state->decision) == "deny";
    return state == NULL || (state->decided != &conf && !is_denied);
}

ngx_int_t header_filter(ngx_http_request_t *r) {
    guarded_void(r->connection->log, [&] {
        if (is_undecided(r))
            log_gate_once(r, NGX_LOG_ERR, GateMessage::undecided,
                          "a request was answered without the decision of \"scim_require\" in " +
                              gate_conf(r).where +
                              ": \"return\", \"rewrite\" or a handler of another module answers "
                              "before it");
    });
    return next_header_filter(r);
}

}  // namespace

void install_gate_filter() {
    next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = header_filter;
}

}  // namespace scim::nginx
