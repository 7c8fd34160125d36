#pragma once
// The directives of the access gate. They are directives of a module of their own: unlike those of
// the SCIM endpoint, they apply to every location, and inside limit_except.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nginx/conf.h"
#include "nginx/ngx.h"
#include "service/gate_decision.h"
#include "service/gate_values.h"
#include "service/header_value.h"

extern ngx_module_t ngx_http_scim_gate_module;

namespace scim::nginx {

// scim_subject VALUE [by=ATTRIBUTE] [store=NAME] tenant=VALUE [trusted];
struct SubjectConf {
    ngx_http_complex_value_t value, tenant;
    std::string by = "userName", store_name;
    const StoreConf *store = NULL;
    // The value or the tenant names a variable $ssl_client_*, so it counts only if the certificate is
    // verified. ($ssl_client_verify says nothing of the certificate.)
    bool is_of_certificate = false;
    // The value or the tenant names a capture, or a variable that the configuration defines (`set`,
    // `map`): it may have been made of a variable $ssl_client_* that the request has evaluated.
    bool may_be_of_certificate = false;
    std::vector<std::string> variables;  // that the value and the tenant name
    // The names of the request headers whose variables $http_* the value names, in the form of
    // header_form(): each of them must not arrive twice.
    std::vector<std::string> headers;
    bool trusted = false;
    bool is_remote_user = false;  // the value names $remote_user
    std::string where;            // "conf/nginx.conf:12"
};

// scim_session VALUE [optional] [trusted]; or scim_session off;
struct SessionConf {
    ngx_http_complex_value_t value;
    bool is_off = false, optional = false, trusted = false;
    std::vector<std::string> headers;  // as SubjectConf::headers
};

// scim_header NAME VALUE;
struct HeaderConf {
    std::string name;  // as written
    std::string form;  // header_form() of it
    ngx_http_complex_value_t value;
    std::string text;  // of the value, as written
    // The data of the gate's variable that is all of the value; nothing: it is something else.
    std::optional<uintptr_t> gate_variable;
    // The member of headers_in that nginx keeps for fields of this name; NULL: none.
    const ngx_http_header_t *known = NULL;
    ngx_uint_t hash = 0;  // of the lower-case name
    // The index of its variable $http_*, which may have been evaluated before the field is replaced.
    // NGX_ERROR: it is not in use, or a subject's or session's, which must not change.
    ngx_int_t variable = NGX_ERROR;
    std::string lowcase;
};

// scim_set $name ATTRIBUTE [sep=…] [match=…] [max=…] [encode=…]; and $scim_user_*.
struct ValueConf {
    explicit ValueConf(service::UserAttribute a) : attribute(std::move(a)) {}
    service::UserAttribute attribute;
    service::ValueFormat format;
    bool is_list = true;
    std::string where;
};

struct GateConf;

struct GateMainConf {
    std::vector<std::unique_ptr<ValueConf>> values;  // by the number in a variable's data
    std::map<std::string, uintptr_t> variables;      // the data of the gate's variables, by name
    std::vector<std::unique_ptr<SubjectConf>> subjects;
    std::vector<std::unique_ptr<SessionConf>> sessions;
    std::vector<std::shared_ptr<HeaderConf>> headers;
    std::vector<const GateConf *> gated;  // below the http level
    // The index of $ssl_client_verify, and those of the other $ssl_client_* that are in use.
    ngx_int_t ssl_client_verify = NGX_ERROR;
    std::vector<ngx_uint_t> ssl_client;
};

// The members that the directive table sets.
struct GateConfSlots {
    ngx_uint_t on_error_allow;
    ngx_flag_t nested_groups, dry_run;
    ngx_msec_t recheck;  // 0: off
};

struct GateConf : GateConfSlots {
    std::string decides;                              // where scim_decide is; empty: nowhere
    ngx_uint_t allowed_status = NGX_HTTP_NO_CONTENT;  // of its answer to who may pass
    const SubjectConf *subject = NULL;
    const SessionConf *session = NULL;
    bool has_lines = false;  // of its own, or scim_require off
    std::string where;       // of the first of them
    // Whether scim_require is in force, with or without conditions; false after "off".
    bool gated = false;
    std::shared_ptr<service::Requirements> requirements = std::make_shared<service::Requirements>();
    std::vector<std::string> required_groups;  // that the requirements name
    std::vector<std::shared_ptr<HeaderConf>> headers;
};

inline const GateConf &gate_conf(const ngx_http_core_loc_conf_t &location) {
    return *static_cast<const GateConf *>(
        static_cast<GateConfSlots *>(location.loc_conf[ngx_http_scim_gate_module.ctx_index]));
}

inline const GateConf &gate_conf(ngx_http_request_t *r) {
    return *static_cast<const GateConf *>(
        static_cast<GateConfSlots *>(ngx_http_get_module_loc_conf(r, ngx_http_scim_gate_module)));
}

inline service::GateOptions options_of(const GateConf &conf) {
    service::GateOptions options;
    options.nested_groups = conf.nested_groups;
    return options;
}

// The configuration that nginx passes to a directive.
GateConf &conf_at(void *conf);
// Compiles `text`, in which variables may stand. Returns false if nginx has logged an error.
bool compile(ngx_conf_t *cf, std::string_view text, ngx_http_complex_value_t &value);

char *set_session(ngx_conf_t *cf, ngx_command_t *, void *conf);
char *set_recheck(ngx_conf_t *cf, ngx_command_t *, void *conf);

GateMainConf *gate_main_conf(ngx_conf_t *cf);
const GateMainConf &gate_main_conf(ngx_http_request_t *r);

void *create_gate_main_conf(ngx_conf_t *cf);
void *create_gate_conf(ngx_conf_t *cf);
char *merge_gate_conf(ngx_conf_t *cf, void *parent, void *child);
// Checks the merged configuration against the stores and their schemas, and warns of subjects that
// clients can choose. Logs the error and returns NGX_ERROR if a check fails.
ngx_int_t check_gate_conf(ngx_conf_t *cf);

extern ngx_command_t gate_commands[];

// The variables of the gate, and the directive scim_set, which defines further ones.
ngx_int_t add_gate_variables(ngx_conf_t *cf);
char *set_value(ngx_conf_t *cf, ngx_command_t *, void *);
// The data of the variable that is the whole text; nothing if the text is something else.
std::optional<uintptr_t> find_gate_variable(const GateMainConf &mcf, const std::string &text);

}  // namespace scim::nginx
