// The checks that need the whole configuration, read and merged.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "nginx/conf.h"
#include "nginx/gate_conf.h"
#include "nginx/guard.h"
#include "nginx/index_conf.h"
#include "scim/request/target.h"
#include "scim/schema/endpoint.h"
#include "store/permissions.h"

namespace scim::nginx {

namespace {

std::string location_error(const LocConf &lcf, const std::string &message) {
    return message + " in " + lcf.where;
}

bool is_loopback(const struct sockaddr *address) {
    switch (address->sa_family) {
        case AF_INET:
            return ntohl(reinterpret_cast<const struct sockaddr_in *>(address)->sin_addr.s_addr) >>
                       24 ==
                   127;
#if (NGX_HAVE_INET6)
        case AF_INET6:
            return IN6_IS_ADDR_LOOPBACK(
                &reinterpret_cast<const struct sockaddr_in6 *>(address)->sin6_addr);
#endif
        default: return true;  // AF_UNIX
    }
}

std::string_view without_slash(std::string_view path) {
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    return path;
}

// True if `path` equals `base` or is below it.
bool is_below(std::string_view path, std::string_view base) {
    return path.substr(0, base.size()) == base &&
           (path.size() == base.size() || path[base.size()] == '/');
}

// True if `rest`, a path relative to the base path, can start an endpoint such as "/Users".
bool begins_with_endpoint(const StoreConf &store, std::string_view rest) {
    rest = rest.substr(0, rest.find('/', 1));
    const bool is_version = rest.size() > 2 && rest[1] == 'v' && rest[2] >= '0' && rest[2] <= '9';
    if (rest.size() > 1 && !is_version && is_protocol_endpoint(rest.substr(1))) return true;
    const auto &types = store.declaration.types;
    return std::any_of(types.begin(), types.end(),
                       [&](const auto &type) { return type.endpoint == rest; });
}

// Returns an error message if no request of the location can have an endpoint below the base URL's
// path, so that all of them would get 404. Otherwise returns an empty string.
std::string check_base_path(const LocConf &lcf, std::string_view base) {
#if (NGX_PCRE)
    if (lcf.core->regex != NULL) return {};
#endif
    const std::string_view name = without_slash(view(lcf.core->name));
    if (is_below(base, name)) return {};
    if (is_below(name, base) && begins_with_endpoint(*lcf.store, name.substr(base.size())))
        return {};
    return "invalid path \"" + std::string(base) +
           "\" in \"scim_base_url\" directive, it must be \"" + std::string(name) +
           "\" for location \"" + std::string(view(lcf.core->name)) + "\"";
}

// Returns an error message if the location is an exact match of the base path, so that no endpoint
// is in it. Otherwise returns an empty string.
std::string check_exact_match(const LocConf &lcf) {
    if (!lcf.core->exact_match) return {};
    const std::string_view name = without_slash(view(lcf.core->name));
    if (lcf.base_path_fixed && lcf.base_path != name) return {};
    return "\"location = " + std::string(name) + "\" does not match URIs below it, such as " +
           std::string(name) + "/Users; use \"location " + std::string(name) + "\"";
}

// The first listening address of the server that other hosts can reach; empty if there is none.
std::string public_address(ngx_conf_t *cf, const ngx_http_core_srv_conf_t *server) {
    auto *cmcf = static_cast<ngx_http_core_main_conf_t *>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    auto *ports = static_cast<ngx_http_conf_port_t *>(cmcf->ports->elts);
    for (ngx_uint_t p = 0; p < cmcf->ports->nelts; p++) {
        auto *addrs = static_cast<ngx_http_conf_addr_t *>(ports[p].addrs.elts);
        for (ngx_uint_t a = 0; a < ports[p].addrs.nelts; a++) {
            auto **servers = static_cast<ngx_http_core_srv_conf_t **>(addrs[a].servers.elts);
            ngx_http_core_srv_conf_t **end = servers + addrs[a].servers.nelts;
            if (std::find(servers, end, server) == end || is_loopback(addrs[a].opt.sockaddr))
                continue;
            return std::string(view(addrs[a].opt.addr_text));
        }
    }
    return {};
}

void warn_of_open_location(ngx_conf_t *cf, const LocConf &lcf) {
    if (lcf.auth != auth_off || !lcf.write_allowed()) return;
    const std::string address = public_address(cf, lcf.server);
    if (address.empty()) return;
    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"scim_auth off\" with \"scim_scope write\" in %s, on the address %s: any "
                  "client that can connect can change and delete all users; listen on 127.0.0.1 "
                  "only",
                  lcf.where.c_str(), address.c_str());
}

// Warns of what prevents the workers from opening the store. It is not an error, because nginx
// starts without the store.
void warn_of_store(ngx_conf_t *cf, const StoreConf &store) {
    auto *core =
        reinterpret_cast<ngx_core_conf_t *>(ngx_get_conf(cf->cycle->conf_ctx, ngx_core_module));
    const bool is_root = geteuid() == 0;
    const bool known = !is_root || core->user != ngx_uid_t(NGX_CONF_UNSET_UINT);
    const std::string problem =
        known ? store::permission_problem(store.path, is_root ? uid_t(core->user) : geteuid(),
                                          is_root ? gid_t(core->group) : getegid())
              : std::string();
    if (!problem.empty())
        ngx_log_error(NGX_LOG_WARN, cf->log, 0, "\"scim_store %s\": %s", store.name.c_str(),
                      problem.c_str());
    struct stat st;
    if (stat((store.path + "/data.mdb").c_str(), &st) == 0 && st.st_size > store.size)
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"scim_store %s\": \"size\" is %O bytes, less than the %O bytes of its "
                      "data.mdb: creates are refused until \"size\" is raised",
                      store.name.c_str(), store.size, st.st_size);
}

// Sets base_path if it does not depend on the request. Returns an error message, or an empty
// string if the path to remove from request URIs is known now or will be known on each request.
std::string set_base_path(LocConf &lcf) {
    const auto *clcf = lcf.core;
#if (NGX_PCRE)
    if (clcf->regex != NULL && lcf.base_url == NULL)
        return "\"scim\" in a location given by regular expression requires \"scim_base_url\", "
               "whose path is removed from request URIs";
#endif
    if (lcf.base_url == NULL) {
        lcf.base_path = view(clcf->name);
        while (!lcf.base_path.empty() && lcf.base_path.back() == '/') lcf.base_path.pop_back();
        lcf.base_path_fixed = true;
        return {};
    }
    std::string_view url = view(lcf.base_url->value);
    const size_t scheme = url.find("://");
    if (scheme == std::string_view::npos) return {};  // a variable contains the scheme
    std::string_view path = url.substr(std::min(url.find('/', scheme + 3), url.size()));
    if (lcf.base_url->lengths != NULL) {  // it contains variables, so each request has its own
        const bool fixed = path.find('$') == std::string_view::npos && !path.empty();
        return fixed ? check_base_path(lcf, path) : std::string();
    }
    lcf.base_path = path;
    lcf.base_path_fixed = true;
    return check_base_path(lcf, path);
}

std::string check_location(const MainConf &mcf, LocConf &lcf) {
    lcf.store = mcf.find(lcf.store_name);
    if (lcf.store == NULL) return "unknown store \"" + lcf.store_name + "\"";
    if (lcf.core->noname || lcf.core->named)
        return "\"scim\" cannot be used inside \"if\" or a named location";
    if (lcf.auth == auth_off && lcf.tenant == NULL)
        return "\"scim_auth off\" requires \"scim_tenant\", because no token determines the tenant";
    std::string problem = set_base_path(lcf);
    if (problem.empty()) problem = check_exact_match(lcf);
    if (!problem.empty()) return problem;
    // Default of scim_scope: "read" without authentication, "write" with it.
    if (lcf.scope == NGX_CONF_UNSET_UINT)
        lcf.scope =
            lcf.auth == auth_off ? store::scope_read : store::scope_read | store::scope_write;
    if (lcf.temp_path == NULL) lcf.temp_path = lcf.core->client_body_temp_path;
    lcf.settings.max_results = lcf.max_results;
    lcf.settings.max_scan = lcf.max_scan;
    lcf.settings.max_operations = lcf.max_operations;
    lcf.settings.max_members = lcf.max_members;
    lcf.settings.cursor_timeout = int64_t(lcf.cursor_timeout);
    lcf.settings.bulk_max_operations = lcf.bulk_max_operations;
    lcf.settings.bulk_atomic = lcf.bulk_atomic != 0;
    lcf.settings.explains = lcf.explain != 0;
    const auto body_most = size_t(lcf.core->client_max_body_size);
    if (body_most != 0)
        lcf.settings.bulk_max_payload = std::min(body_most, service::bulk_payload_most);
    lcf.settings.json.depth = lcf.max_json_depth;
    lcf.settings.filter.depth = lcf.max_filter_depth;
    lcf.settings.strict = lcf.profile == 1;
    lcf.settings.bearer_token = lcf.auth == auth_token;
    lcf.settings.nested_groups = gate_conf(*lcf.core).nested_groups;
    return {};
}

// The generation of the declaration is the time when the configuration was loaded, in milliseconds
// since 1970. When the two masters of a binary upgrade, or the workers before and after a reload,
// declare different schemas, the later configuration wins (service/store.h).
uint64_t generation() { return uint64_t(now()); }

// Adds to the error message the file that causes it: the last one of the shortest sequence of files
// with the same error.
std::string blame(const std::vector<const SchemaConf *> &schemas, const std::string &detail) {
    std::vector<Definition> definitions;
    for (const SchemaConf *schema : schemas) {
        definitions.push_back(schema->definition);
        auto declaration = make_declaration(generation(), definitions);
        if (!declaration && declaration.error().detail == detail)
            return "\"" + schema->file + "\": " + detail + " in " + schema->where;
    }
    return detail;
}

std::string declare_stores(MainConf &mcf) {
    for (auto &store : mcf.stores) {
        std::vector<Definition> definitions;
        std::vector<const SchemaConf *> schemas;
        for (const SchemaConf &schema : mcf.schemas) {
            if (!schema.store.empty() && mcf.find(schema.store) == NULL)
                return "unknown store \"" + schema.store + "\" in " + schema.where;
            if (!schema.store.empty() && schema.store != store->name) continue;
            definitions.push_back(schema.definition);
            schemas.push_back(&schema);
        }
        auto declaration = make_declaration(generation(), definitions);
        if (!declaration)
            return "\"scim_schema\" for store \"" + store->name +
                   "\": " + blame(schemas, declaration.error().detail);
        // Declaring into an empty catalog finds the definitions that no catalog accepts.
        auto rows = scim::declare(CatalogRows(), *declaration);
        if (!rows)
            return "\"scim_schema\" for store \"" + store->name + "\": " + rows.error().detail;
        store->declaration = std::move(*declaration);
        auto catalog = Catalog::build(std::move(**rows));
        if (!catalog)
            return "\"scim_schema\" for store \"" + store->name + "\": " + catalog.error().detail;
        std::string problem = declare_indexes(mcf, *store, **catalog);
        if (!problem.empty()) return problem;
    }
    if (mcf.stores.empty() && !mcf.schemas.empty())
        return "no \"scim_store\" is defined for \"scim_schema\" in " + mcf.schemas[0].where;
    if (mcf.stores.empty() && !mcf.indexes.empty())
        return "no \"scim_store\" is defined for \"scim_index\" in " + mcf.indexes[0].where;
    return {};
}

}  // namespace

ngx_int_t check_conf(ngx_conf_t *cf) {
    return guarded(cf->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        MainConf *mcf = main_conf(cf);
        std::string problem = declare_stores(*mcf);
        for (LocConf *lcf : mcf->locations) {
            if (!problem.empty()) break;
            problem = check_location(*mcf, *lcf);
            if (!problem.empty()) problem = location_error(*lcf, problem);
        }
        if (problem.empty()) {
            for (const auto &store : mcf->stores) warn_of_store(cf, *store);
            for (const LocConf *lcf : mcf->locations) warn_of_open_location(cf, *lcf);
            return NGX_OK;
        }
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s", problem.c_str());
        return NGX_ERROR;
    });
}

}  // namespace scim::nginx
