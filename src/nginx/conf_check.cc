// What can be judged only when the whole configuration has been read and merged.

#include <algorithm>

#include "nginx/conf.h"
#include "nginx/guard.h"

namespace scim::nginx {

namespace {

std::string location_error(const LocConf &lcf, const std::string &sentence) {
    return sentence + " in " + lcf.where;
}

// Empty if it is known what is stripped from a request's URI, now or then.
std::string set_base_path(LocConf &lcf) {
    const auto *clcf = lcf.core;
#if (NGX_PCRE)
    if (clcf->regex != NULL && lcf.base_url == NULL)
        return "\"scim\" in a location with a regular expression needs \"scim_base_url\": its path "
               "says what is stripped";
#endif
    if (lcf.base_url == NULL) {
        lcf.base_path = view(clcf->name);
        while (!lcf.base_path.empty() && lcf.base_path.back() == '/') lcf.base_path.pop_back();
        lcf.base_path_fixed = true;
        return {};
    }
    if (lcf.base_url->lengths != NULL) return {};  // variables: looked at on each request
    std::string_view url = view(lcf.base_url->value);
    lcf.base_path = url.substr(std::min(url.find('/', url.find("://") + 3), url.size()));
    lcf.base_path_fixed = true;
    return {};
}

std::string check_location(const MainConf &mcf, LocConf &lcf) {
    lcf.store = mcf.find(lcf.store_name);
    if (lcf.store == NULL) return "\"scim\": there is no \"scim_store " + lcf.store_name + "\"";
    if (lcf.core->noname || lcf.core->named)
        return "\"scim\" works in a location with a path only, not in \"if\" or in a named "
               "location";
    if (lcf.auth == auth_off && lcf.tenant == NULL)
        return "\"scim_auth off\" needs \"scim_tenant\": without a token nothing else says whose "
               "directory this is";
    std::string problem = set_base_path(lcf);
    if (!problem.empty()) return problem;
    // Without a token only reading is offered, unless the operator says otherwise.
    if (lcf.scope == NGX_CONF_UNSET_UINT)
        lcf.scope =
            lcf.auth == auth_off ? store::scope_read : store::scope_read | store::scope_write;
    if (lcf.temp_path == NULL) lcf.temp_path = lcf.core->client_body_temp_path;
    lcf.settings.max_results = lcf.max_results;
    lcf.settings.max_scan = lcf.max_scan;
    lcf.settings.max_operations = lcf.max_operations;
    lcf.settings.max_members = lcf.max_members;
    lcf.settings.json.depth = lcf.max_json_depth;
    lcf.settings.filter.depth = lcf.max_filter_depth;
    lcf.settings.strict = lcf.profile == 1;
    lcf.settings.bearer_token = lcf.auth == auth_token;
    return {};
}

// The configuration's own time is its generation: of two masters of a binary upgrade, and of a
// reload and the workers it replaces, the one configured later decides what is declared.
uint64_t generation() { return uint64_t(now()); }

// Which of the files brings this error: the last of the first ones that have it already.
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
                return "\"scim_schema\": there is no \"scim_store " + schema.store + "\" in " +
                       schema.where;
            if (!schema.store.empty() && schema.store != store->name) continue;
            definitions.push_back(schema.definition);
            schemas.push_back(&schema);
        }
        auto declaration = make_declaration(generation(), definitions);
        if (!declaration)
            return "\"scim_schema\" for store \"" + store->name +
                   "\": " + blame(schemas, declaration.error().detail);
        // Declaring into an empty catalog finds what no catalog could hold.
        auto rows = scim::declare(CatalogRows(), *declaration);
        if (!rows)
            return "\"scim_schema\" for store \"" + store->name + "\": " + rows.error().detail;
        store->declaration = std::move(*declaration);
    }
    if (mcf.stores.empty() && !mcf.schemas.empty())
        return "\"scim_schema\" needs a \"scim_store\" in " + mcf.schemas[0].where;
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
        if (problem.empty()) return NGX_OK;
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s", problem.c_str());
        return NGX_ERROR;
    });
}

}  // namespace scim::nginx
