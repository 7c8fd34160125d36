#include "nginx/client_variables.h"
#include "nginx/directive.h"
#include "nginx/gate_conf.h"
#include "nginx/request_headers.h"

// The directives about what happens to sessions and open requests: scim_session, scim_recheck.

namespace scim::nginx {

namespace {

void look_at_variables(ngx_conf_t *cf, SessionConf &session, std::string_view text) {
    each_variable(text, [&](const std::string &variable) {
        if (begins_with(variable, "http_"))
            session.headers.push_back(header_form(std::string_view(variable).substr(5)));
        if (session.trusted || !is_chosen_by_client(variable)) return;
        ngx_conf_log_error(
            NGX_LOG_WARN, cf, 0,
            "the value of \"scim_session\" contains $%V, whose value a client can choose: a "
            "revoked session stays valid; add \"trusted\" if another server or directive vouches "
            "for it",
            static_cast<const ngx_str_t *>(Printable(variable)));
    });
}

char *set_session_guarded(ngx_conf_t *cf, GateConf &conf) {
    if (conf.session != NULL) return const_cast<char *>("is duplicate");
    auto session = std::make_unique<SessionConf>();
    for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
        const std::string text = arg(cf, i);
        bool &flag = text == "trusted" ? session->trusted : session->optional;
        if (text != "trusted" && text != "optional")
            return fail(cf, "invalid parameter " + quoted(text) +
                                " in \"scim_session\" directive, it must be \"optional\" or "
                                "\"trusted\"");
        flag = true;
    }
    const std::string value = arg(cf, 1);
    if (value.empty()) return fail(cf, "empty value in \"scim_session\" directive");
    session->is_off = value == "off" && cf->args->nelts == 2;
    if (!compile(cf, value, session->value)) return static_cast<char *>(NGX_CONF_ERROR);
    look_at_variables(cf, *session, value);
    conf.session = session.get();
    gate_main_conf(cf)->sessions.push_back(std::move(session));
    return NGX_CONF_OK;
}

char *set_recheck_guarded(ngx_conf_t *cf, GateConf &conf) {
    if (conf.recheck != NGX_CONF_UNSET_MSEC) return const_cast<char *>("is duplicate");
    conf.recheck = 0;
    ngx_str_t text = static_cast<ngx_str_t *>(cf->args->elts)[1];
    if (view(text) == "off") return NGX_CONF_OK;
    const ngx_int_t time = ngx_parse_time(&text, 0);
    constexpr ngx_int_t least = 1000, most = 24 * 3600 * 1000;
    if (time == NGX_ERROR || time < least || time > most)
        return fail(cf, "invalid value " + quoted(view(text)) +
                            " in \"scim_recheck\" directive, it must be \"off\" or a time between "
                            "1s and 24h");
    conf.recheck = ngx_msec_t(time);
    return NGX_CONF_OK;
}

}  // namespace

char *set_session(ngx_conf_t *cf, ngx_command_t *, void *conf) {
    return guarded_slot(cf, [&] { return set_session_guarded(cf, conf_at(conf)); });
}

char *set_recheck(ngx_conf_t *cf, ngx_command_t *, void *conf) {
    return guarded_slot(cf, [&] { return set_recheck_guarded(cf, conf_at(conf)); });
}

}  // namespace scim::nginx
