#pragma once
// The module's configuration. It is written while nginx parses its configuration files and is
// const afterwards.

#include <memory>
#include <string>
#include <vector>

#include "nginx/ngx.h"
#include "nginx/store_share.h"
#include "service/request.h"
#include "service/store.h"

extern ngx_module_t ngx_http_scim_module;

namespace scim::nginx {

// scim_store NAME PATH [size=SIZE];
struct StoreConf {
    size_t index = 0;  // in MainConf::stores and in a worker's list of WorkerStores
    std::string name, path;
    off_t size = off_t(1) << 30;  // of the LMDB map, in bytes
    Declaration declaration;
    StoreShare *share = NULL;  // shared with the other workers; NULL if not allocated
};

// scim_schema FILE [store=NAME];
struct SchemaConf {
    Definition definition;
    std::string file, store;  // an empty `store` means all stores
    std::string where;        // "conf/nginx.conf:12"
};

// scim_index TYPE ATTRIBUTE … [type=substring] [store=NAME];
struct IndexConf {
    std::string type, store;  // an empty `store` means all stores
    IndexKind kind = IndexKind::value;
    std::vector<std::string> attributes;
    std::string where;  // "conf/nginx.conf:12"
};

struct LocConf;

struct MainConf {
    std::vector<std::unique_ptr<StoreConf>> stores;
    std::vector<SchemaConf> schemas;
    std::vector<IndexConf> indexes;
    std::vector<LocConf *> locations;  // locations with the directive `scim`
    ngx_thread_pool_t *write_pool = NULL, *read_pool = NULL;
    bool retention_set = false;
    store::Retention retention;          // of every store
    ngx_shm_zone_t *status_zone = NULL;  // NULL: requests are not counted

    const StoreConf *find(std::string_view name) const;
};

enum Auth : ngx_uint_t { auth_off = 0, auth_token = 1 };

// The members that the directive table sets. Standard layout, as offsetof requires.
struct LocConfSlots {
    ngx_uint_t auth;
    ngx_uint_t scope;  // store::Scope bits
    ngx_uint_t profile;
    ngx_http_complex_value_t *tenant;
    ngx_http_complex_value_t *base_url;
    ngx_path_t *temp_path;
    ngx_uint_t max_results, max_scan, max_operations, max_members, max_json_depth, max_filter_depth;
    ngx_uint_t cursor_timeout;  // seconds
    ngx_uint_t bulk_max_operations, bulk_atomic, explain;
};

struct LocConf : LocConfSlots {
    std::string store_name;  // argument of `scim`; empty if the location has no `scim`
    const StoreConf *store = NULL;
    std::string where;  // "conf/nginx.conf:12" of `scim`
    // The path removed from the front of request URIs, without a trailing slash. Valid only if
    // base_path_fixed is true.
    std::string base_path;
    bool base_path_fixed = false;  // false: the path is taken from base_url on each request
    ngx_http_core_loc_conf_t *core = NULL;
    ngx_http_core_srv_conf_t *server = NULL;  // the server that contains the location
    service::Settings settings;
    // The configuration of the enclosing location. It differs from `this` in an `if` or
    // `limit_except` block, for which nginx creates a separate location configuration.
    const LocConf *location = this;

    bool enabled() const { return store != NULL; }
    bool write_allowed() const { return (scope & store::scope_write) != 0; }
};

inline const LocConf &loc_conf(ngx_http_request_t *r) {
    return *static_cast<const LocConf *>(
                static_cast<LocConfSlots *>(ngx_http_get_module_loc_conf(r, ngx_http_scim_module)))
                ->location;
}

MainConf *main_conf(ngx_conf_t *cf);
const MainConf *main_conf(ngx_cycle_t *cycle);  // NULL if there is no http block

void *create_main_conf(ngx_conf_t *cf);
char *init_main_conf(ngx_conf_t *cf, void *conf);
void *create_loc_conf(ngx_conf_t *cf);
char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
// Checks references and contradictions between directives after the whole configuration has been
// read and merged. Logs the error and returns NGX_ERROR if a check fails.
ngx_int_t check_conf(ngx_conf_t *cf);

extern ngx_command_t commands[];

}  // namespace scim::nginx
