#include "nginx/gate.h"
#include "nginx/guard.h"
#include "nginx/worker.h"

namespace scim::nginx {

namespace {

using service::Reason;

enum Variable : uintptr_t { decision, denied_reason, user_active, truncated, user_email, value };

struct Name {
    ngx_str_t name;
    Variable variable;
};

Name names[] = {
    {ngx_string("scim_decision"), decision},
    {ngx_string("scim_denied_reason"), denied_reason},
    {ngx_string("scim_user_active"), user_active},
    {ngx_string("scim_truncated"), truncated},
    {ngx_string("scim_user_email"), user_email},
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

// The texts of an attribute. Groups are read in the snapshot of the decision, or in a new one.
std::vector<std::string> texts_of(GateState &state, const service::UserAttribute &attribute,
                                  const service::GateUser &user, service::GateOptions options,
                                  bool &cut) {
    if (state.snapshot != nullptr) return attribute.texts(user, state.snapshot, options, &cut);
    WorkerStore *store = store_of(*state.store);
    if (store == NULL || store->session() == NULL) return attribute.texts(user, nullptr);
    std::optional<service::Snapshot> snapshot;
    return attribute.texts(user, &service::take_snapshot(*store->session(), snapshot), options,
                           &cut);
}

service::UserValue make_value(ngx_http_request_t *r, GateState &state, uintptr_t data,
                              const service::GateUser &user) {
    if (data == user_email) {
        std::string email = service::email_of(user);
        return service::join_values({std::move(email)}, service::ValueFormat(), false);
    }
    const ValueConf &conf = *gate_main_conf(r).values[data - value];
    bool cut = false;
    auto made =
        service::join_values(texts_of(state, conf.attribute, user, options_of(gate_conf(r)), cut),
                             conf.format, conf.is_list, gate_conf(r).required_groups);
    made.truncated |= cut;
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
    // Other locations of the request have other requirements.
    const bool is_of_location =
        data >= value && gate_main_conf(r).values[data - value]->format.only_required;
    const bool nested_groups = gate_conf(r).nested_groups;
    for (const MadeValue &made : state.values)
        if (made.variable == data && made.nested_groups == nested_groups && !is_of_location)
            return made.value.text;
    state.values.push_back({data, nested_groups, make_value(r, state, data, user)});
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

}  // namespace

void set_user_value(ngx_http_variable_t &variable, size_t n) {
    variable.get_handler = get;
    variable.data = value + n;
}

ngx_int_t add_gate_variables(ngx_conf_t *cf) {
    return guarded(cf->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        for (Name &name : names)
            if (add(cf, name.name, name.variable) != NGX_OK) return NGX_ERROR;
        auto &values = gate_main_conf(cf)->values;
        for (UserName &name : user_names) {
            if (add(cf, name.name, value + values.size()) != NGX_OK) return NGX_ERROR;
            values.push_back(std::make_unique<ValueConf>(name.path));
            values.back()->is_list = name.is_list;
        }
        return NGX_OK;
    });
}

}  // namespace scim::nginx
