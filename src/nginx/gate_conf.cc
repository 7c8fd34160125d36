#include "nginx/gate_conf.h"

#include <algorithm>

#include "nginx/client_variables.h"
#include "nginx/directive.h"
#include "nginx/gate.h"
#include "nginx/guard.h"
#include "nginx/request_headers.h"
#include "scim/text/text.h"

namespace scim::nginx {

namespace {

// Notes what must be looked at beside the value, and warns of variables that clients choose.
void look_at_variables(ngx_conf_t *cf, SubjectConf &subject, const char *what,
                       std::string_view text) {
    each_variable(text, [&](const std::string &variable) {
        subject.variables.push_back(variable);
        if (is_of_certificate(variable)) subject.is_of_certificate = true;
        if (is_capture(variable)) subject.may_be_of_certificate = true;
        if (begins_with(variable, "http_"))
            subject.headers.push_back(header_form(std::string_view(variable).substr(5)));
        if (variable == "remote_user") subject.is_remote_user = true;
        if (subject.trusted || !is_chosen_by_client(variable)) return;
        ngx_conf_log_error(
            NGX_LOG_WARN, cf, 0,
            "%s of \"scim_subject\" contains $%V, whose value a client can choose: any client can "
            "be any user; add \"trusted\" if another server or directive vouches for it",
            what, static_cast<const ngx_str_t *>(Printable(variable)));
    });
}

// Warns if a request can pass the access phase without the check of its password.
void check_satisfy(ngx_conf_t *cf, const GateConf &conf) {
    const auto *clcf = static_cast<const ngx_http_core_loc_conf_t *>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (clcf->satisfy != NGX_HTTP_SATISFY_ANY || !conf.subject->is_remote_user) return;
    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"scim_subject\" in %s is $remote_user, which nginx does not check where "
                  "\"satisfy any\" lets an address pass: there, any client can be any user",
                  conf.subject->where.c_str());
}

char *set_subject_guarded(ngx_conf_t *cf, GateConf &conf) {
    if (conf.subject != NULL) return const_cast<char *>("is duplicate");
    auto subject = std::make_unique<SubjectConf>();
    subject->where = where(cf);
    std::string tenant;
    for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
        const std::string text = arg(cf, i);
        if (text == "trusted")
            subject->trusted = true;
        else if (!option(text, "by=", subject->by) &&
                 !option(text, "store=", subject->store_name) && !option(text, "tenant=", tenant))
            return fail(cf, "invalid parameter " + quoted(text) +
                                " in \"scim_subject\" directive, it must be \"by=\", \"store=\", "
                                "\"tenant=\" or \"trusted\"");
    }
    if (tenant.empty())
        return fail(cf, "\"scim_subject\" requires \"tenant=\", the tenant that the user is in");
    const std::string value = arg(cf, 1);
    if (value.empty()) return fail(cf, "empty value in \"scim_subject\" directive");
    if (!compile(cf, value, subject->value) || !compile(cf, tenant, subject->tenant))
        return static_cast<char *>(NGX_CONF_ERROR);
    look_at_variables(cf, *subject, "the value", value);
    look_at_variables(cf, *subject, "\"tenant=\"", tenant);
    conf.subject = subject.get();
    gate_main_conf(cf)->subjects.push_back(std::move(subject));
    return NGX_CONF_OK;
}

char *set_subject(ngx_conf_t *cf, ngx_command_t *, void *conf) {
    return guarded_slot(cf, [&] { return set_subject_guarded(cf, conf_at(conf)); });
}

char *set_require_guarded(ngx_conf_t *cf, GateConf &conf) {
    const bool is_alone = cf->args->nelts == 2;
    const std::string first = arg(cf, 1);
    if (conf.has_lines && ((is_alone && first == "off") || !conf.gated))
        return fail(cf, "\"scim_require off\" must be the only \"scim_require\" of its level");
    if (!conf.has_lines) {
        conf.has_lines = true;
        conf.where = where(cf);
    }
    conf.gated = !(is_alone && first == "off");
    if (!conf.gated || (is_alone && first == "active")) return NGX_CONF_OK;
    std::vector<std::string> texts;
    for (ngx_uint_t i = 1; i < cf->args->nelts; i++) texts.push_back(arg(cf, i));
    auto requirement =
        service::parse_requirement(std::vector<std::string_view>(texts.begin(), texts.end()));
    if (!requirement)
        return fail(cf, requirement.error().detail + " in \"scim_require\" directive");
    requirement->where = where(cf);
    conf.requirements->add(std::move(*requirement));
    return NGX_CONF_OK;
}

char *set_require(ngx_conf_t *cf, ngx_command_t *, void *conf) {
    return guarded_slot(cf, [&] { return set_require_guarded(cf, conf_at(conf)); });
}

bool is_token(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return is_letter(c) || is_digit(c) ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

// Fields that nginx itself evaluates: they describe the message, not the user.
bool is_of_message(std::string_view form) {
    constexpr std::string_view forms[] = {"host",    "connection", "content-length",
                                          "upgrade", "keep-alive", "transfer-encoding",
                                          "te",      "trailer",    "expect"};
    return std::find(std::begin(forms), std::end(forms), form) != std::end(forms);
}

char *set_header_guarded(ngx_conf_t *cf, GateConf &conf) {
    auto header = std::make_shared<HeaderConf>();
    header->name = arg(cf, 1);
    header->form = header_form(header->name);
    header->lowcase = ascii_lower(header->name);
    if (!is_token(header->name))
        return fail(cf, "invalid name " + quoted(header->name) + " in \"scim_header\" directive");
    if (is_of_message(header->form))
        return fail(cf, "\"scim_header\" cannot set " + quoted(header->name) +
                            ", which nginx itself evaluates");
    for (const auto &other : conf.headers)
        if (other->form == header->form)
            return fail(cf, "duplicate name " + quoted(header->name) +
                                " in \"scim_header\" directive, " + quoted(other->name) +
                                " is the same header for applications");
    for (char c : header->lowcase) header->hash = ngx_hash(header->hash, u_char(c));
    header->text = arg(cf, 2);
    if (!compile(cf, header->text, header->value)) return static_cast<char *>(NGX_CONF_ERROR);
    gate_main_conf(cf)->headers.push_back(header);
    conf.headers.push_back(std::move(header));
    return NGX_CONF_OK;
}

char *set_header(ngx_conf_t *cf, ngx_command_t *, void *conf) {
    return guarded_slot(cf, [&] { return set_header_guarded(cf, conf_at(conf)); });
}

char *set_decide(ngx_conf_t *cf, ngx_command_t *, void *conf) {
    conf_at(conf).decides = where(cf);
    if (cf->args->nelts > 1) {
        if (arg(cf, 1) != "200" && arg(cf, 1) != "204")
            return fail(cf, "invalid status " + quoted(arg(cf, 1)) +
                                " in \"scim_decide\" directive, it must be 200 or 204");
        if (arg(cf, 1) == "200") conf_at(conf).allowed_status = NGX_HTTP_OK;
    }
    auto *clcf = static_cast<ngx_http_core_loc_conf_t *>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (clcf->handler != NULL)
        return const_cast<char *>("cannot be used in a location with another content handler");
    clcf->handler = decide_handler;
    return NGX_CONF_OK;
}

ngx_conf_enum_t on_error_names[] = {
    {ngx_string("deny"), 0}, {ngx_string("allow"), 1}, {ngx_null_string, 0}};

constexpr ngx_uint_t anywhere = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

// Inherits the headers of the outer level whose names the inner one does not set.
void merge_headers(const GateConf &outer, GateConf &conf) {
    for (const auto &header : outer.headers)
        if (std::none_of(conf.headers.begin(), conf.headers.end(),
                         [&](const auto &own) { return own->form == header->form; }))
            conf.headers.push_back(header);
}

std::string find_store(const MainConf &stores, SubjectConf &subject) {
    if (!subject.store_name.empty()) {
        subject.store = stores.find(subject.store_name);
        return subject.store != NULL ? "" : "unknown store " + quoted(subject.store_name);
    }
    if (stores.stores.size() == 1) subject.store = stores.stores[0].get();
    if (subject.store != NULL) return {};
    return stores.stores.empty() ? "\"scim_subject\" requires a \"scim_store\""
                                 : "\"scim_subject\" requires \"store=\", as there are several";
}

// The catalog that the configuration declares in a new store.
std::shared_ptr<const Catalog> catalog_of(const StoreConf &store) {
    auto rows = scim::declare(CatalogRows(), store.declaration);
    if (!rows || !*rows) return nullptr;
    auto catalog = Catalog::build(std::move(**rows));
    return catalog ? *catalog : nullptr;
}

using Catalogs = std::vector<std::shared_ptr<const Catalog>>;  // by StoreConf::index

std::string check_subjects(const MainConf &stores, const Catalogs &catalogs, GateMainConf &mcf) {
    for (auto &subject : mcf.subjects) {
        std::string problem = find_store(stores, *subject);
        if (problem.empty() &&
            !service::Gate::can_find_by(*catalogs[subject->store->index], subject->by))
            problem = "\"by=" + subject->by +
                      "\" of \"scim_subject\" names no attribute of users with an index";
        if (!problem.empty()) return problem + " in " + subject->where;
    }
    return {};
}

std::string check_gated(const Catalogs &catalogs, const GateMainConf &mcf) {
    for (const GateConf *conf : mcf.gated) {
        if (conf->subject == NULL)
            return "\"scim_require\" without a \"scim_subject\" at its level or above in " +
                   conf->where;
        auto checked = conf->requirements->check(*catalogs[conf->subject->store->index]);
        if (!checked)
            return checked.error().detail + " in \"scim_require\" directive in " + conf->where;
    }
    return {};
}

// A value is valid if the users of one store have the attribute.
std::string check_values(const Catalogs &catalogs, const GateMainConf &mcf) {
    for (const auto &value : mcf.values) {
        std::string problem;
        for (const auto &catalog : catalogs) {
            auto checked = value->attribute.check(*catalog);
            problem = checked ? std::string() : checked.error().detail;
            if (checked) break;
        }
        if (!problem.empty()) return problem + " in \"scim_set\" directive in " + value->where;
    }
    return {};
}

// True if a subject or a session is taken from the header.
bool is_evaluated(const GateMainConf &mcf, const std::string &form) {
    auto names = [&](const auto &conf) {
        return std::find(conf->headers.begin(), conf->headers.end(), form) != conf->headers.end();
    };
    return std::any_of(mcf.subjects.begin(), mcf.subjects.end(), names) ||
           std::any_of(mcf.sessions.begin(), mcf.sessions.end(), names);
}

// Finds the subjects that name a variable which the configuration defines.
void find_defined(const ngx_http_core_main_conf_t &cmcf, GateMainConf &mcf) {
    const auto *keys = static_cast<const ngx_hash_key_t *>(cmcf.variables_keys->keys.elts);
    for (ngx_uint_t i = 0; i < cmcf.variables_keys->keys.nelts; i++) {
        const auto *variable = static_cast<const ngx_http_variable_t *>(keys[i].value);
        if ((variable->flags & NGX_HTTP_VAR_CHANGEABLE) == 0) continue;
        for (auto &subject : mcf.subjects)
            for (const std::string &name : subject->variables)
                subject->may_be_of_certificate |= name == view(keys[i].key);
    }
}

// Finds the variables in use that are of client certificates, and those of the header fields that
// scim_header sets.
bool find_variables(ngx_conf_t *cf, GateMainConf &mcf) {
    auto *cmcf = static_cast<ngx_http_core_main_conf_t *>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    const auto *variables = static_cast<const ngx_http_variable_t *>(cmcf->variables.elts);
    for (ngx_uint_t i = 0; i < cmcf->variables.nelts; i++) {
        const std::string_view name = view(variables[i].name);
        if (is_of_certificate(name)) mcf.ssl_client.push_back(i);
        if (!begins_with(name, "http_")) continue;
        const std::string form = header_form(name.substr(5));
        if (is_evaluated(mcf, form)) continue;
        for (const auto &header : mcf.headers)
            if (header->form == form) header->variable = ngx_int_t(i);
    }
    find_defined(*cmcf, mcf);
    for (const auto &header : mcf.headers) {
        header->known = known_header(*cmcf, header->lowcase);
        header->gate_variable = find_gate_variable(mcf, header->text);
    }
    const bool has_certificates =
        !mcf.ssl_client.empty() ||
        std::any_of(mcf.subjects.begin(), mcf.subjects.end(),
                    [](const auto &subject) { return subject->is_of_certificate; });
    if (!has_certificates || mcf.subjects.empty()) return true;
    ngx_str_t verify = ngx_string("ssl_client_verify");
    mcf.ssl_client_verify = ngx_http_get_variable_index(cf, &verify);
    return mcf.ssl_client_verify != NGX_ERROR;
}

}  // namespace

GateConf &conf_at(void *conf) {
    return *static_cast<GateConf *>(static_cast<GateConfSlots *>(conf));
}

bool compile(ngx_conf_t *cf, std::string_view text, ngx_http_complex_value_t &value) {
    ngx_str_t copy = copy_to_pool(cf->pool, text);
    if (copy.data == NULL) return false;
    ngx_http_compile_complex_value_t ccv{};
    ccv.cf = cf;
    ccv.value = &copy;
    ccv.complex_value = &value;
    return ngx_http_compile_complex_value(&ccv) == NGX_OK;
}

GateMainConf *gate_main_conf(ngx_conf_t *cf) {
    return static_cast<GateMainConf *>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_scim_gate_module));
}

const GateMainConf &gate_main_conf(ngx_http_request_t *r) {
    return *static_cast<const GateMainConf *>(
        ngx_http_get_module_main_conf(r, ngx_http_scim_gate_module));
}

void *create_gate_main_conf(ngx_conf_t *cf) {
    return guarded(cf->log, static_cast<void *>(NULL),
                   [&]() -> void * { return pool_new<GateMainConf>(cf->pool); });
}

void *create_gate_conf(ngx_conf_t *cf) {
    return guarded(cf->log, static_cast<void *>(NULL), [&]() -> void * {
        auto *conf = pool_new<GateConf>(cf->pool);
        if (conf == NULL) return NULL;
        conf->on_error_allow = NGX_CONF_UNSET_UINT;
        conf->nested_groups = conf->dry_run = NGX_CONF_UNSET;
        conf->recheck = NGX_CONF_UNSET_MSEC;
        return static_cast<GateConfSlots *>(conf);
    });
}

char *merge_gate_conf(ngx_conf_t *cf, void *parent, void *child) {
    return guarded(cf->log, static_cast<char *>(NGX_CONF_ERROR), [&]() -> char * {
        const GateConf &outer = conf_at(parent);
        GateConf &conf = conf_at(child);
        ngx_conf_merge_uint_value(conf.on_error_allow, outer.on_error_allow, 0);
        ngx_conf_merge_value(conf.nested_groups, outer.nested_groups, 0);
        ngx_conf_merge_value(conf.dry_run, outer.dry_run, 0);
        ngx_conf_merge_msec_value(conf.recheck, outer.recheck, 10000);
        if (conf.subject == NULL) conf.subject = outer.subject;
        if (conf.session == NULL) conf.session = outer.session;
        if (!conf.has_lines) {
            conf.gated = outer.gated;
            conf.where = outer.where;
            conf.requirements = outer.requirements;
        }
        if (conf.gated) gate_main_conf(cf)->gated.push_back(&conf);
        if (conf.subject != NULL) check_satisfy(cf, conf);
        if (!conf.gated && !conf.decides.empty()) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"scim_decide\" without \"scim_require\" at its level or above in %s",
                          conf.decides.c_str());
            return static_cast<char *>(NGX_CONF_ERROR);
        }
        conf.required_groups = conf.requirements->group_names();
        merge_headers(outer, conf);
        return NGX_CONF_OK;
    });
}

ngx_int_t check_gate_conf(ngx_conf_t *cf) {
    return guarded(cf->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        const MainConf &stores = *main_conf(cf);
        GateMainConf &mcf = *gate_main_conf(cf);
        if (!find_variables(cf, mcf)) return NGX_ERROR;
        Catalogs catalogs;
        for (const auto &store : stores.stores) {
            catalogs.push_back(catalog_of(*store));
            if (catalogs.back() == nullptr) return NGX_ERROR;
        }
        std::string problem = check_subjects(stores, catalogs, mcf);
        if (problem.empty()) problem = check_gated(catalogs, mcf);
        if (problem.empty()) problem = check_values(catalogs, mcf);
        if (problem.empty()) return NGX_OK;
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s", problem.c_str());
        return NGX_ERROR;
    });
}

ngx_command_t gate_commands[] = {

    {ngx_string("scim_subject"), anywhere | NGX_CONF_2MORE, set_subject, NGX_HTTP_LOC_CONF_OFFSET,
     0, NULL},

    {ngx_string("scim_require"), anywhere | NGX_HTTP_LMT_CONF | NGX_CONF_1MORE, set_require,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},

    {ngx_string("scim_header"), anywhere | NGX_CONF_TAKE2, set_header, NGX_HTTP_LOC_CONF_OFFSET, 0,
     NULL},

    {ngx_string("scim_set"), NGX_HTTP_MAIN_CONF | NGX_CONF_2MORE, set_value,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},

    {ngx_string("scim_session"), anywhere | NGX_CONF_1MORE, set_session, NGX_HTTP_LOC_CONF_OFFSET,
     0, NULL},

    {ngx_string("scim_recheck"), anywhere | NGX_CONF_TAKE1, set_recheck, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(GateConfSlots, recheck), NULL},

    {ngx_string("scim_on_error"), anywhere | NGX_CONF_TAKE1, set_word, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(GateConfSlots, on_error_allow), &on_error_names},

    {ngx_string("scim_nested_groups"), anywhere | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(GateConfSlots, nested_groups), NULL},

    {ngx_string("scim_require_dry_run"), anywhere | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(GateConfSlots, dry_run), NULL},

    {ngx_string("scim_decide"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS | NGX_CONF_TAKE1, set_decide,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},

    ngx_null_command};

}  // namespace scim::nginx
