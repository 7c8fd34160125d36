#include "nginx/gate.h"
#include "nginx/guard.h"
#include "nginx/worker.h"

namespace scim::nginx {

namespace {

using service::Reason;

enum Variable : uintptr_t { decision, denied_reason, user_active, truncated, value };

struct Name {
    ngx_str_t name;
    Variable variable;
};

Name names[] = {
    {ngx_string("scim_decision"), decision},
    {ngx_string("scim_denied_reason"), denied_reason},
    {ngx_string("scim_user_active"), user_active},
    {ngx_string("scim_truncated"), truncated},
};

struct UserName {
    ngx_str_t name;
    const char *path;
    bool is_list;
};

UserName user_names[] = {
    {ngx_string("scim_user_id"), "id", false},
    {ngx_string("scim_user_name"), "userName", false},
    {ngx_string("scim_user_display_name"), "displayName", false},
    {ngx_string("scim_user_groups"), "groups.display", true},
    {ngx_string("scim_user_roles"), "roles.value", true},
};

// The user that the location's subject names, if the gate would not refuse the user.
const service::GateUser *identity(ngx_http_request_t *r, GateState &state, const GateConf &conf) {
    // Without a decision, what the subject says may be what another module has refused.
    const bool is_error = r->main->error_page || r->main->err_status >= NGX_HTTP_BAD_REQUEST;
    const bool is_unchecked =
        state.refused_by_access || (is_error && (state.in_access || !state.passed_access));
    if (conf.subject == NULL || state.is_anonymous || is_unchecked) return nullptr;
    const service::GateUser &user = user_of(r, conf, state.snapshot);
    return user.reason == Reason::none ? &user : nullptr;
}

// Joins the values of the user. Groups are read in the snapshot of the decision, or in a new one.
service::UserValue join(ngx_http_request_t *r, const GateState &state, const ValueConf &conf,
                        const service::GateUser &user) {
    const GateConf &location = gate_conf(r);
    std::optional<service::Snapshot> own;
    service::Snapshot *snapshot = state.snapshot;
    if (snapshot == nullptr) snapshot = take_snapshot(*state.store, own);
    service::ValueJoiner joiner(conf.format, conf.is_list, location.required_groups);
    const bool is_complete =
        conf.attribute.each_text(user, snapshot, options_of(location),
                                 [&](std::string_view text) { return joiner.add(text); });
    auto made = joiner.finish();
    made.truncated |= !is_complete;
    return made;
}

service::UserValue make_value(ngx_http_request_t *r, const GateState &state, const ValueConf &conf,
                              const service::GateUser &user) {
    auto made = join(r, state, conf, user);
    if (made.truncated || made.left_out > 0)
        log_gate_once(r, NGX_LOG_WARN, GateMessage::known_user,
                      "the value of \"" + conf.attribute.path() + "\" of user " +
                          quoted(state.subject) +
                          (made.truncated ? " is longer than its limit and is cut"
                                          : " has elements that no header can contain; they are "
                                            "left out"));
    return made;
}

// Valid until the next call.
const std::string &value_text(ngx_http_request_t *r, GateState &state, uintptr_t data,
                              const service::GateUser &user) {
    const ValueConf &conf = *gate_main_conf(r).values[data - value];
    // Other locations of the request have other requirements.
    const bool is_of_location = conf.format.only_required;
    const bool nested_groups = gate_conf(r).nested_groups;
    for (const MadeValue &made : state.values)
        if (made.variable == data && made.nested_groups == nested_groups && !is_of_location)
            return made.value.text;
    constexpr size_t usual = 8;
    if (state.values.empty()) state.values.reserve(usual);
    state.values.push_back({data, nested_groups, make_value(r, state, conf, user)});
    state.truncated |= state.values.back().value.truncated;
    return state.values.back().value.text;
}

std::string_view text_of(ngx_http_request_t *r, GateState &state, uintptr_t data) {
    const GateConf &conf = gate_conf(r);
    switch (data) {
        case decision: return state.decision;
        case denied_reason: return service::to_string(state.reason);
        case truncated: return state.truncated ? "1" : "0";
        case user_active: {
            if (conf.subject == NULL) return {};
            const service::GateUser &user = user_of(r, conf, state.snapshot);
            return !user.found() ? "" : user.reason == Reason::inactive ? "0" : "1";
        }
        default: break;
    }
    const service::GateUser *user = identity(r, state, conf);
    return user != nullptr ? std::string_view(value_text(r, state, data, *user))
                           : std::string_view();
}

ngx_int_t get(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) {
    return guarded(r->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        v->not_found = 1;
        const std::string_view text = text_of(r, gate_state(r), data);
        if (text.empty()) return NGX_OK;
        ngx_str_t copy = copy_to_pool(r->pool, text);
        if (copy.data == NULL) return NGX_ERROR;
        v->data = copy.data;
        v->len = unsigned(copy.len);
        v->valid = 1;
        v->not_found = 0;
        v->no_cacheable = 1;
        return NGX_OK;
    });
}

ngx_int_t add(ngx_conf_t *cf, ngx_str_t &name, uintptr_t data) {
    ngx_http_variable_t *variable = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
    if (variable == NULL) return NGX_ERROR;
    variable->get_handler = get;
    variable->data = data;
    return NGX_OK;
}

ngx_int_t add_value(ngx_conf_t *cf, ngx_str_t &name, service::UserAttribute attribute,
                    bool is_list) {
    auto &values = gate_main_conf(cf)->values;
    if (add(cf, name, value + values.size()) != NGX_OK) return NGX_ERROR;
    values.push_back(std::make_unique<ValueConf>(std::move(attribute)));
    values.back()->is_list = is_list;
    return NGX_OK;
}

}  // namespace

void set_user_value(ngx_http_variable_t &variable, size_t n) {
    variable.get_handler = get;
    variable.data = value + n;
}

ngx_int_t add_gate_variables(ngx_conf_t *cf) {
    return guarded(cf->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        for (Name &name : names)
            if (add(cf, name.name, name.variable) != NGX_OK) return NGX_ERROR;
        for (UserName &name : user_names)
            if (add_value(cf, name.name, service::UserAttribute(name.path), name.is_list) != NGX_OK)
                return NGX_ERROR;
        ngx_str_t email = ngx_string("scim_user_email");
        return add_value(cf, email, service::UserAttribute::one_email(), false);
    });
}

}  // namespace scim::nginx
