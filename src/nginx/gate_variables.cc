#include <algorithm>

#include "nginx/directive.h"
#include "nginx/gate.h"
#include "nginx/guard.h"
#include "nginx/worker.h"
#include "scim/text/text.h"

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

// True if the location's subject names a user whom the gate would not refuse. state.user is then set.
bool has_identity(ngx_http_request_t *r, GateState &state, const GateConf &conf) {
    // Without a decision, what the subject says may be what another module has refused.
    const bool is_error = r->main->error_page || r->main->err_status >= NGX_HTTP_BAD_REQUEST;
    const bool is_unchecked =
        state.refused_by_access || (is_error && (state.in_access || !state.passed_access));
    if (conf.subject == NULL || state.is_anonymous || is_unchecked) return false;
    user_of(r, conf, state.snapshot);
    return state.reason_of_user() == Reason::none;
}

void log_value(ngx_http_request_t *r, const GateState &state, const ValueConf &conf,
               const service::UserValue &made) {
    if (!made.truncated && made.left_out == 0) return;
    log_gate_once(r, NGX_LOG_WARN, GateMessage::known_user,
                  "the value of \"" + conf.attribute.path() + "\" of user " +
                      quoted(state.subject) +
                      (made.truncated ? " is longer than its limit and is cut"
                                      : " has elements that no header can contain; they are "
                                        "left out"));
}

// A value is made in the snapshot of the decision, or in a new one. Valid until the next call.
std::string_view value_text(ngx_http_request_t *r, GateState &state, uintptr_t data) {
    const ValueConf &conf = *gate_main_conf(r).values[data - value];
    const GateConf &location = gate_conf(r);
    const service::ValueDefinition definition = {&conf.attribute, &conf.format, conf.is_list,
                                                 &location.required_groups, options_of(location)};
    service::KnownUser &known = *state.user;
    const service::UserValue *made = service::CachingGate::find_value(known, definition);
    WorkerStore *store = made == nullptr ? store_of(*state.store) : NULL;
    if (store != NULL) {
        std::optional<service::Snapshot> own;
        service::Snapshot *snapshot = state.snapshot;
        if (snapshot == nullptr && service::CachingGate::needs_snapshot(known, definition))
            snapshot = take_snapshot(*state.store, own);
        made = &store->gate().make_value(snapshot, known, definition);
        log_value(r, state, conf, *made);
        if (state.snapshot == nullptr) store->gate().keep(state.user);
        // keep() may move the values.
        if (const auto *kept = service::CachingGate::find_value(known, definition)) made = kept;
    }
    if (made == nullptr) return {};
    state.truncated |= made->truncated;
    return made->text;
}

}  // namespace

std::string_view variable_text(ngx_http_request_t *r, GateState &state, uintptr_t data) {
    const GateConf &conf = gate_conf(r);
    switch (data) {
        case decision: return state.decision;
        case denied_reason: return service::to_string(state.reason);
        case truncated: return state.truncated ? "1" : "0";
        case user_active: {
            if (conf.subject == NULL) return {};
            const service::GateUser &user = user_of(r, conf, state.snapshot).user;
            return !user.found() ? "" : user.reason == Reason::inactive ? "0" : "1";
        }
        default: break;
    }
    if (!has_identity(r, state, conf)) return {};
    return value_text(r, state, data);
}

namespace {

ngx_int_t get(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) {
    return guarded(r->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        v->not_found = 1;
        const std::string_view text = variable_text(r, gate_state(r), data);
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

void set_gate_variable(ngx_conf_t *cf, ngx_http_variable_t &variable, uintptr_t data) {
    variable.get_handler = get;
    variable.data = data;
    gate_main_conf(cf)->variables[std::string(view(variable.name))] = data;
}

ngx_int_t add(ngx_conf_t *cf, ngx_str_t &name, uintptr_t data) {
    ngx_http_variable_t *variable = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
    if (variable == NULL) return NGX_ERROR;
    set_gate_variable(cf, *variable, data);
    return NGX_OK;
}

ngx_int_t add_user_value(ngx_conf_t *cf, ngx_str_t &name, service::UserAttribute attribute,
                         bool is_list) {
    auto &values = gate_main_conf(cf)->values;
    if (add(cf, name, value + values.size()) != NGX_OK) return NGX_ERROR;
    values.push_back(std::make_unique<ValueConf>(std::move(attribute)));
    values.back()->is_list = is_list;
    return NGX_OK;
}

// Sets one parameter of scim_set. Returns an error message, or an empty string.
std::string set_format(service::ValueFormat &format, const std::string &text) {
    std::string value;
    if (option(text, "sep=", format.separator)) {
        const bool is_plain =
            is_ascii(format.separator) && !format.separator.empty() &&
            format.separator.size() <= 8 &&
            std::all_of(format.separator.begin(), format.separator.end(), [](char c) {
                return c >= ' ' && c < 0x7f && c != '%' && !is_letter(c) && !is_digit(c);
            });
        return is_plain ? ""
                        : "\"sep=\" must be 1 to 8 ASCII characters that are no letters, digits or "
                          "\"%\"";
    }
    if (option(text, "match=", value)) {
        format.only_required = value == "required";
        format.match = format.only_required ? "" : value;
        return value.empty() ? "\"match=\" must be a pattern or \"required\"" : "";
    }
    if (option(text, "max=", value)) {
        ngx_str_t size = {value.size(), reinterpret_cast<u_char *>(&value[0])};
        const ssize_t max = ngx_parse_size(&size);
        constexpr ssize_t least = 16, most = 64 * 1024;
        format.max = size_t(max);
        return max >= least && max <= most ? "" : "\"max=\" must be between 16 and 64k";
    }
    if (option(text, "encode=", value)) {
        using service::ValueEncoding;
        format.encoding = value == "base64url" ? ValueEncoding::base64url
                          : value == "none"    ? ValueEncoding::none
                                               : ValueEncoding::percent;
        const bool known = value == "percent" || value == "base64url" || value == "none";
        return known ? "" : "\"encode=\" must be \"percent\", \"base64url\" or \"none\"";
    }
    return "it must be \"sep=\", \"match=\", \"max=\" or \"encode=\"";
}

char *set_value_guarded(ngx_conf_t *cf) {
    ngx_str_t name = static_cast<ngx_str_t *>(cf->args->elts)[1];
    if (name.len < 2 || name.data[0] != '$')
        return fail(cf, "invalid variable name " + quoted(view(name)) +
                            " in \"scim_set\" directive, it must begin with \"$\"");
    name.data++;
    name.len--;
    auto value = std::make_unique<ValueConf>(service::UserAttribute(arg(cf, 2)));
    value->where = where(cf);
    for (ngx_uint_t i = 3; i < cf->args->nelts; i++)
        if (std::string problem = set_format(value->format, arg(cf, i)); !problem.empty())
            return fail(cf, "invalid parameter " + quoted(arg(cf, i)) +
                                " in \"scim_set\" directive, " + problem);
    GateMainConf *mcf = gate_main_conf(cf);
    ngx_http_variable_t *variable = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
    if (variable == NULL) return static_cast<char *>(NGX_CONF_ERROR);
    set_gate_variable(cf, *variable, Variable::value + mcf->values.size());
    mcf->values.push_back(std::move(value));
    return NGX_CONF_OK;
}

}  // namespace

char *set_value(ngx_conf_t *cf, ngx_command_t *, void *) {
    return guarded_slot(cf, [&] { return set_value_guarded(cf); });
}

std::optional<uintptr_t> find_gate_variable(const GateMainConf &mcf, const std::string &text) {
    for (const auto &[name, data] : mcf.variables)
        if (const std::string lower = ascii_lower(text);
            lower == "$" + name || lower == "${" + name + "}")
            return data;
    return std::nullopt;
}

ngx_int_t add_gate_variables(ngx_conf_t *cf) {
    return guarded(cf->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        for (Name &name : names)
            if (add(cf, name.name, name.variable) != NGX_OK) return NGX_ERROR;
        for (UserName &name : user_names)
            if (add_user_value(cf, name.name, service::UserAttribute(name.path), name.is_list) !=
                NGX_OK)
                return NGX_ERROR;
        ngx_str_t email = ngx_string("scim_user_email");
        return add_user_value(cf, email, service::UserAttribute::one_email(), false);
    });
}

}  // namespace scim::nginx
