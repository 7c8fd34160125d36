#include "nginx/conf.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "nginx/directive.h"
#include "nginx/guard.h"
#include "nginx/handler.h"
#include "nginx/index_conf.h"
#include "nginx/status.h"
#include "scim/text/text.h"

namespace scim::nginx {

namespace {

// Returns an error message, or an empty string if the directory exists or can be created. Creates
// nothing, because nginx -t must not change the file system.
std::string check_directory(const std::string &path) {
    struct stat st;
    if (stat(path.c_str(), &st) == 0)
        return S_ISDIR(st.st_mode) ? std::string()
                                   : "invalid path \"" + path +
                                         "\" in \"scim_store\" directive, it is not a directory";
    std::string parent = path.substr(0, std::max<size_t>(path.rfind('/'), 1));
    const bool exists = stat(parent.c_str(), &st) == 0;
    if (exists && S_ISDIR(st.st_mode)) return {};
    return "invalid path \"" + path + "\" in \"scim_store\" directive, the parent directory \"" +
           parent + (exists ? "\" is not a directory" : "\" does not exist");
}

// The canonical form of a path: "..", "/." and symbolic links are resolved. Components that do not
// exist are only normalised lexically.
std::filesystem::path place_of(const std::string &path) {
    std::error_code ec;
    auto place = std::filesystem::weakly_canonical(path, ec);
    if (ec) place = std::filesystem::path(path).lexically_normal();
    return place.has_filename() ? place : place.parent_path();
}

// Returns an error message, or an empty string if a store may use this path.
std::string check_path(const MainConf &mcf, const std::string &path) {
    auto place = place_of(path);
    if (place == place.root_path())
        return "invalid path \"" + path +
               "\" in \"scim_store\" directive, it must not be the root directory";
    for (const auto &other : mcf.stores)
        if (place_of(other->path) == place)
            return "duplicate path \"" + path + "\" in \"scim_store\" directive, store \"" +
                   other->name + "\" uses it";
    return check_directory(path);
}

// Sets the store's size from a parameter such as "size=16g". Returns an error message, or an empty
// string if the parameter is valid.
std::string set_size(StoreConf &store, const std::string &text) {
    std::string value;
    if (!option(text, "size=", value))
        return "invalid parameter \"" + text +
               "\" in \"scim_store\" directive, it must be size=SIZE";
    ngx_str_t size = {value.size(), reinterpret_cast<u_char *>(&value[0])};
    store.size = ngx_parse_offset(&size);
    // A process can address 128 TiB.
    constexpr off_t least = off_t(1) << 20, limit = off_t(1) << 47;
    if (store.size != NGX_ERROR && store.size >= least && store.size < limit) return {};
    return "invalid size \"" + value +
           "\" in \"scim_store\" directive, it must be a size such as 512m or 16g, at least 1m and "
           "less than 131072g";
}

char *set_store_guarded(ngx_conf_t *cf) {
    MainConf *mcf = main_conf(cf);
    auto store = std::make_unique<StoreConf>();
    store->index = mcf->stores.size();
    store->name = arg(cf, 1);
    if (store->name.empty()) return fail(cf, "empty name in \"scim_store\" directive");
    if (mcf->find(store->name) != NULL)
        return fail(cf, "duplicate name \"" + store->name + "\" in \"scim_store\" directive");
    ngx_str_t path = static_cast<ngx_str_t *>(cf->args->elts)[2];
    if (path.len == 0)
        return fail(cf, "empty path of store \"" + store->name + "\" in \"scim_store\" directive");
    if (ngx_conf_full_name(cf->cycle, &path, 0) != NGX_OK)
        return static_cast<char *>(NGX_CONF_ERROR);
    store->path = view(path);
    while (store->path.size() > 1 && store->path.back() == '/') store->path.pop_back();
    std::string problem = check_path(*mcf, store->path);
    for (ngx_uint_t i = 3; i < cf->args->nelts && problem.empty(); i++)
        problem = set_size(*store, arg(cf, i));
    if (!problem.empty()) return fail(cf, problem);
    mcf->stores.push_back(std::move(store));
    return NGX_CONF_OK;
}

char *set_store(ngx_conf_t *cf, ngx_command_t *, void *) {
    return guarded_slot(cf, [&] { return set_store_guarded(cf); });
}

Result<std::string> read_file(const char *path) {
    constexpr off_t most = off_t(1) << 20;
    // O_NONBLOCK: opening a FIFO without it would block.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        std::string why = strerror(errno);
        if (fd >= 0) close(fd);
        return Error{Refusal::configuration_invalid, "it cannot be read: " + why};
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        close(fd);
        return Error{Refusal::configuration_invalid, "it is not a regular file"};
    }
    std::string bytes(size_t(std::min(st.st_size, most + 1)), '\0');
    ssize_t n = read(fd, &bytes[0], bytes.size());
    close(fd);
    if (n < 0)
        return Error{Refusal::configuration_invalid,
                     std::string("it cannot be read: ") + strerror(errno)};
    if (n > most) return Error{Refusal::configuration_invalid, "it is larger than 1 MiB"};
    bytes.resize(size_t(n));
    return bytes;
}

char *set_schema_guarded(ngx_conf_t *cf) {
    SchemaConf schema;
    schema.where = where(cf);
    ngx_str_t path = static_cast<ngx_str_t *>(cf->args->elts)[1];
    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK)
        return static_cast<char *>(NGX_CONF_ERROR);
    schema.file = view(path);
    if (cf->args->nelts > 2 && !option(arg(cf, 2), "store=", schema.store))
        return fail(cf, "invalid parameter \"" + arg(cf, 2) +
                            "\" in \"scim_schema\" directive, it must be store=NAME");
    auto bytes = read_file(schema.file.c_str());
    auto definition = bytes ? load_definition(*bytes) : Result<Definition>(bytes.error());
    if (!definition)
        return fail(cf, "invalid file \"" + schema.file +
                            "\" in \"scim_schema\" directive: " + definition.error().detail);
    schema.definition = std::move(*definition);
    main_conf(cf)->schemas.push_back(std::move(schema));
    return NGX_CONF_OK;
}

char *set_schema(ngx_conf_t *cf, ngx_command_t *, void *) {
    return guarded_slot(cf, [&] { return set_schema_guarded(cf); });
}

char *set_thread_pool(ngx_conf_t *cf, ngx_command_t *, void *) {
    MainConf *mcf = main_conf(cf);
    if (mcf->write_pool != NULL) return const_cast<char *>("is duplicate");
    auto *args = static_cast<ngx_str_t *>(cf->args->elts);
    // Not in init_main_conf(): nginx reports an unknown pool with the current line, so the pools
    // must be added while this directive is parsed.
    mcf->write_pool = ngx_thread_pool_add(cf, &args[1]);
    mcf->read_pool = cf->args->nelts > 2 ? ngx_thread_pool_add(cf, &args[2]) : mcf->write_pool;
    if (mcf->write_pool == NULL || mcf->read_pool == NULL)
        return static_cast<char *>(NGX_CONF_ERROR);
    return NGX_CONF_OK;
}

char *set_log_retention_guarded(ngx_conf_t *cf) {
    MainConf *mcf = main_conf(cf);
    if (mcf->retention_set) return const_cast<char *>("is duplicate");
    mcf->retention_set = true;
    auto *args = static_cast<ngx_str_t *>(cf->args->elts);
    constexpr ngx_int_t least_age = 60, most_age = ngx_int_t(100) * 365 * 24 * 3600;
    ngx_int_t age = ngx_parse_time(&args[1], 1);
    if (age == NGX_ERROR || age < least_age || age > most_age)
        return fail(cf, "invalid time \"" + arg(cf, 1) +
                            "\" in \"scim_log_retention\" directive, it must be a time such as "
                            "90d, between 1m and 100y");
    mcf->retention.age = int64_t(age) * 1000;
    if (cf->args->nelts == 2) return NGX_CONF_OK;
    constexpr off_t least_size = off_t(1) << 20;
    off_t size = ngx_parse_offset(&args[2]);
    if (size == NGX_ERROR || size < least_size)
        return fail(cf, "invalid size \"" + arg(cf, 2) +
                            "\" in \"scim_log_retention\" directive, it must be a size such as "
                            "512m or 4g, at least 1m");
    mcf->retention.size = uint64_t(size);
    return NGX_CONF_OK;
}

char *set_log_retention(ngx_conf_t *cf, ngx_command_t *, void *) {
    return guarded_slot(cf, [&] { return set_log_retention_guarded(cf); });
}

char *set_scim(ngx_conf_t *cf, ngx_command_t *, void *conf) {
    return guarded(cf->log, static_cast<char *>(NGX_CONF_ERROR), [&]() -> char * {
        auto *lcf = static_cast<LocConf *>(static_cast<LocConfSlots *>(conf));
        if (!lcf->store_name.empty()) return const_cast<char *>("is duplicate");
        lcf->store_name = arg(cf, 1);
        lcf->where = where(cf);
        auto *clcf = static_cast<ngx_http_core_loc_conf_t *>(
            ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
        clcf->handler = content_handler;
        lcf->core = clcf;
        lcf->server = static_cast<ngx_http_core_srv_conf_t *>(
            ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module));
        main_conf(cf)->locations.push_back(lcf);
        // An empty array prevents the inheritance of error_page from the server: its HTML would
        // replace the SCIM error that identity providers show to administrators. An error_page
        // in this location is still used.
        if (clcf->error_pages == NULL) {
            clcf->error_pages = ngx_array_create(cf->pool, 1, sizeof(ngx_http_err_page_t));
            if (clcf->error_pages == NULL) return static_cast<char *>(NGX_CONF_ERROR);
        }
        return NGX_CONF_OK;
    });
}

// True if the value of the directive can be a tenant name on some request. If it contains
// variables, only the text around them is checked.
bool can_be_tenant(const std::string &value) {
    if (value.find('$') == std::string::npos) return store::is_tenant_name(value);
    return std::all_of(value.begin(), value.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view(".-_${}").find(c) != std::string_view::npos;
    });
}

char *set_tenant(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
    return guarded(cf->log, static_cast<char *>(NGX_CONF_ERROR), [&]() -> char * {
        const std::string value = arg(cf, 1);
        if (value.empty()) return fail(cf, "empty name in \"scim_tenant\" directive");
        if (!can_be_tenant(value))
            return fail(cf, "invalid value " + scim::quoted(value) +
                                " in \"scim_tenant\" directive, it must consist of 1 to 255 "
                                "letters, digits, \".\", \"-\" and \"_\"");
        return ngx_http_set_complex_value_slot(cf, cmd, conf);
    });
}

// True if the text before the first variable can be the start of a URL with this scheme.
bool begins_with(std::string_view url, std::string_view scheme) {
    std::string_view fixed = url.substr(0, url.find('$'));
    if (fixed.size() < url.size() && fixed.size() <= scheme.size())
        return scheme.compare(0, fixed.size(), fixed) == 0;
    return fixed.size() > scheme.size() && fixed.compare(0, scheme.size(), scheme) == 0 &&
           fixed[scheme.size()] != '/';
}

// Checks the constant parts of the value. Values of variables are checked on each request.
char *set_base_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
    return guarded(cf->log, static_cast<char *>(NGX_CONF_ERROR), [&]() -> char * {
        std::string url = arg(cf, 1);
        if (!is_url_text(url))
            return fail(cf, "invalid value \"" + url +
                                "\" in \"scim_base_url\" directive, it contains a space, a quote "
                                "or another character that is not allowed in a URL");
        if ((!begins_with(url, "https://") && !begins_with(url, "http://")) || url.back() == '/' ||
            url.find_first_of("?#") != std::string::npos)
            return fail(cf, "invalid value \"" + url +
                                "\" in \"scim_base_url\" directive, it must be an absolute http or "
                                "https URL without a query, a fragment or a trailing slash");
        return ngx_http_set_complex_value_slot(cf, cmd, conf);
    });
}

struct Bounds {
    ngx_int_t low, high;
};

// Used instead of ngx_conf_set_num_slot(), whose error contains neither the value nor the bounds.
char *set_number(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
    auto *store = reinterpret_cast<ngx_uint_t *>(static_cast<char *>(conf) + cmd->offset);
    if (*store != NGX_CONF_UNSET_UINT) return const_cast<char *>("is duplicate");
    auto *args = static_cast<ngx_str_t *>(cf->args->elts);
    auto *bounds = static_cast<const Bounds *>(cmd->post);
    ngx_int_t value = ngx_atoi(args[1].data, args[1].len);
    if (value < bounds->low || value > bounds->high) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\" directive, it must be an integer "
                           "between %i and %i",
                           &args[1], &args[0], bounds->low, bounds->high);
        return static_cast<char *>(NGX_CONF_ERROR);
    }
    *store = ngx_uint_t(value);
    return NGX_CONF_OK;
}

char *set_cursor_timeout(ngx_conf_t *cf, ngx_command_t *, void *conf) {
    auto &timeout = static_cast<LocConfSlots *>(conf)->cursor_timeout;
    if (timeout != NGX_CONF_UNSET_UINT) return const_cast<char *>("is duplicate");
    auto *args = static_cast<ngx_str_t *>(cf->args->elts);
    constexpr ngx_int_t least = 1, most = ngx_int_t(365) * 24 * 3600;
    ngx_int_t value = ngx_parse_time(&args[1], 1);
    if (value == NGX_ERROR || value < least || value > most) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\" in \"%V\" directive, it must be between 1s and "
                           "365d",
                           &args[1], &args[0]);
        return static_cast<char *>(NGX_CONF_ERROR);
    }
    timeout = ngx_uint_t(value);
    return NGX_CONF_OK;
}

Bounds results_bounds = {1, 100000};
Bounds scan_bounds = {1, 1000000000};
Bounds operations_bounds = {1, 100000};
Bounds members_bounds = {1, 1000000};
Bounds json_depth_bounds = {4, 64};
Bounds filter_depth_bounds = {1, 256};
Bounds bulk_max_operations_bounds = {1, 10000};

ngx_conf_enum_t auth_names[] = {
    {ngx_string("off"), auth_off}, {ngx_string("token"), auth_token}, {ngx_null_string, 0}};
ngx_conf_enum_t scope_names[] = {{ngx_string("read"), store::scope_read},
                                 {ngx_string("write"), store::scope_read | store::scope_write},
                                 {ngx_null_string, 0}};
ngx_conf_enum_t switch_names[] = {
    {ngx_string("off"), 0}, {ngx_string("on"), 1}, {ngx_null_string, 0}};
ngx_conf_enum_t profile_names[] = {
    {ngx_string("default"), 0}, {ngx_string("rfc"), 1}, {ngx_null_string, 0}};

constexpr ngx_uint_t anywhere = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

}  // namespace

char *set_word(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
    return guarded(cf->log, static_cast<char *>(NGX_CONF_ERROR), [&]() -> char * {
        auto *store = reinterpret_cast<ngx_uint_t *>(static_cast<char *>(conf) + cmd->offset);
        if (*store != NGX_CONF_UNSET_UINT) return const_cast<char *>("is duplicate");
        std::string value = arg(cf, 1), allowed;
        for (auto *e = static_cast<ngx_conf_enum_t *>(cmd->post); e->name.len != 0; e++) {
            if (ascii_iequals(view(e->name), value)) {
                *store = e->value;
                return NGX_CONF_OK;
            }
            allowed += (allowed.empty() ? "\"" : " or \"") + std::string(view(e->name)) + "\"";
        }
        return fail(cf, "invalid value \"" + value + "\" in \"" + arg(cf, 0) +
                            "\" directive, it must be " + allowed);
    });
}

const StoreConf *MainConf::find(std::string_view name) const {
    for (const auto &store : stores)
        if (store->name == name) return store.get();
    return NULL;
}

MainConf *main_conf(ngx_conf_t *cf) {
    return static_cast<MainConf *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_scim_module));
}

const MainConf *main_conf(ngx_cycle_t *cycle) {
    return static_cast<const MainConf *>(
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_scim_module));
}

void *create_main_conf(ngx_conf_t *cf) {
    return guarded(cf->log, static_cast<void *>(NULL),
                   [&]() -> void * { return pool_new<MainConf>(cf->pool); });
}

char *init_main_conf(ngx_conf_t *cf, void *conf) {
    auto *mcf = static_cast<MainConf *>(conf);
    if (mcf->stores.empty() || mcf->write_pool != NULL) return NGX_CONF_OK;
    mcf->write_pool = mcf->read_pool = ngx_thread_pool_add(cf, NULL);
    return mcf->write_pool != NULL ? NGX_CONF_OK : static_cast<char *>(NGX_CONF_ERROR);
}

void *create_loc_conf(ngx_conf_t *cf) {
    return guarded(cf->log, static_cast<void *>(NULL), [&]() -> void * {
        auto *lcf = pool_new<LocConf>(cf->pool);
        if (lcf == NULL) return NULL;
        lcf->auth = lcf->scope = lcf->profile = NGX_CONF_UNSET_UINT;
        lcf->max_operations = lcf->max_members = NGX_CONF_UNSET_UINT;
        lcf->max_results = lcf->max_scan = lcf->max_json_depth = lcf->max_filter_depth =
            lcf->cursor_timeout = NGX_CONF_UNSET_UINT;
        lcf->bulk_max_operations = lcf->bulk_atomic = lcf->explain = NGX_CONF_UNSET_UINT;
        lcf->tenant = lcf->base_url = static_cast<ngx_http_complex_value_t *>(NGX_CONF_UNSET_PTR);
        lcf->temp_path = NULL;  // ngx_conf_set_path_slot() expects NULL for an unset path
        return static_cast<LocConfSlots *>(lcf);
    });
}

char *merge_loc_conf(ngx_conf_t *cf, void *parent, void *child) {
    auto *prev = static_cast<LocConfSlots *>(parent);
    auto *conf = static_cast<LocConfSlots *>(child);
    auto *clcf = static_cast<ngx_http_core_loc_conf_t *>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    const LocConf *outer = static_cast<LocConf *>(prev)->location;
    if (clcf->noname && clcf->handler == NULL && !outer->store_name.empty()) {
        static_cast<LocConf *>(conf)->location = outer;
        clcf->handler = content_handler;
    }
    ngx_conf_merge_uint_value(conf->auth, prev->auth, auth_token);
    // Stays unset without a directive: the default depends on scim_auth, see check_location().
    ngx_conf_merge_uint_value(conf->scope, prev->scope, NGX_CONF_UNSET_UINT);
    ngx_conf_merge_uint_value(conf->profile, prev->profile, 0);
    ngx_conf_merge_ptr_value(conf->tenant, prev->tenant, NULL);
    ngx_conf_merge_ptr_value(conf->base_url, prev->base_url, NULL);
    if (conf->temp_path == NULL) conf->temp_path = prev->temp_path;
    ngx_conf_merge_uint_value(conf->max_results, prev->max_results, 1000);
    ngx_conf_merge_uint_value(conf->max_scan, prev->max_scan, 1000000);
    ngx_conf_merge_uint_value(conf->max_operations, prev->max_operations, 1000);
    ngx_conf_merge_uint_value(conf->max_members, prev->max_members, 20000);
    ngx_conf_merge_uint_value(conf->cursor_timeout, prev->cursor_timeout, 24 * 60 * 60);
    ngx_conf_merge_uint_value(conf->max_json_depth, prev->max_json_depth, 16);
    ngx_conf_merge_uint_value(conf->max_filter_depth, prev->max_filter_depth, 32);
    ngx_conf_merge_uint_value(conf->bulk_max_operations, prev->bulk_max_operations, 1000);
    ngx_conf_merge_uint_value(conf->bulk_atomic, prev->bulk_atomic, 0);
    ngx_conf_merge_uint_value(conf->explain, prev->explain, 0);
    return NGX_CONF_OK;
}

ngx_command_t commands[] = {

    {ngx_string("scim_store"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE23, set_store,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},

    {ngx_string("scim_schema"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE12, set_schema,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},

    {ngx_string("scim_index"), NGX_HTTP_MAIN_CONF | NGX_CONF_2MORE, set_index,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},

    {ngx_string("scim_thread_pool"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE12, set_thread_pool,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},

    {ngx_string("scim_log_retention"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE12, set_log_retention,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},

    {ngx_string("scim_status_zone"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE2, set_status_zone,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},

    {ngx_string("scim_status"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, set_status,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},

    {ngx_string("scim"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, set_scim, NGX_HTTP_LOC_CONF_OFFSET, 0,
     NULL},

    {ngx_string("scim_auth"), anywhere | NGX_CONF_TAKE1, set_word, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConfSlots, auth), &auth_names},

    {ngx_string("scim_scope"), anywhere | NGX_CONF_TAKE1, set_word, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConfSlots, scope), &scope_names},

    {ngx_string("scim_profile"), anywhere | NGX_CONF_TAKE1, set_word, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConfSlots, profile), &profile_names},

    {ngx_string("scim_tenant"), anywhere | NGX_CONF_TAKE1, set_tenant, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConfSlots, tenant), NULL},

    {ngx_string("scim_base_url"), anywhere | NGX_CONF_TAKE1, set_base_url, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConfSlots, base_url), NULL},

    {ngx_string("scim_temp_path"), anywhere | NGX_CONF_TAKE1234, ngx_conf_set_path_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConfSlots, temp_path), NULL},

    {ngx_string("scim_max_results"), anywhere | NGX_CONF_TAKE1, set_number,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConfSlots, max_results), &results_bounds},

    {ngx_string("scim_max_operations"), anywhere | NGX_CONF_TAKE1, set_number,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConfSlots, max_operations), &operations_bounds},

    {ngx_string("scim_max_members"), anywhere | NGX_CONF_TAKE1, set_number,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConfSlots, max_members), &members_bounds},

    {ngx_string("scim_max_scan"), anywhere | NGX_CONF_TAKE1, set_number, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConfSlots, max_scan), &scan_bounds},

    {ngx_string("scim_cursor_timeout"), anywhere | NGX_CONF_TAKE1, set_cursor_timeout,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},

    {ngx_string("scim_max_json_depth"), anywhere | NGX_CONF_TAKE1, set_number,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConfSlots, max_json_depth), &json_depth_bounds},

    {ngx_string("scim_max_filter_depth"), anywhere | NGX_CONF_TAKE1, set_number,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConfSlots, max_filter_depth), &filter_depth_bounds},

    {ngx_string("scim_bulk_max_operations"), anywhere | NGX_CONF_TAKE1, set_number,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocConfSlots, bulk_max_operations),
     &bulk_max_operations_bounds},

    {ngx_string("scim_bulk_atomic"), anywhere | NGX_CONF_TAKE1, set_word, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConfSlots, bulk_atomic), &switch_names},

    {ngx_string("scim_explain"), anywhere | NGX_CONF_TAKE1, set_word, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(LocConfSlots, explain), &switch_names},

    ngx_null_command};

}  // namespace scim::nginx
