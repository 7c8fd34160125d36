#include "nginx/startup.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <string>

#include "nginx/conf.h"
#include "nginx/guard.h"
#include "version.h"

namespace scim::nginx {

namespace {

// The module file at the start of nginx. On reload dlopen() returns the library that is loaded
// under this name and does not read the file again.
struct ModuleFile {
    std::string path;
    struct stat st {};
};

ModuleFile module_file() {
    ModuleFile file;
    Dl_info info;
    if (dladdr(&ngx_http_scim_module, &info) == 0 || info.dli_fname == NULL) return file;
    if (stat(info.dli_fname, &file.st) == 0) file.path = info.dli_fname;
    return file;
}

bool is_same(const struct stat &a, const struct stat &b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
           a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

void check_module(const ModuleFile &started, ngx_log_t *log) {
    struct stat now;
    if (started.path.empty() || (stat(started.path.c_str(), &now) == 0 && is_same(started.st, now)))
        return;
    ngx_log_error(
        NGX_LOG_ERR, log, 0,
        "scim: \"%s\" has changed since nginx started; a reload does not load it and version %s "
        "keeps running: restart nginx or do a binary upgrade (service nginx upgrade)",
        started.path.c_str(), version);
}

void check_sizes(const MainConf &before, const MainConf &now, ngx_log_t *log) {
    for (const auto &store : now.stores)
        for (const auto &old : before.stores)
            if (old->path == store->path && store->size < old->size)
                ngx_log_error(NGX_LOG_WARN, log, 0,
                              "scim: the size of store \"%s\" has been reduced from %O to %O "
                              "bytes: creates are refused when 95%% of it is in use",
                              store->name.c_str(), old->size, store->size);
}

}  // namespace

void report_startup(ngx_cycle_t *cycle) {
    static const auto *started = new ModuleFile(module_file());
    const MainConf *mcf = main_conf(cycle);
    if (mcf == NULL || ngx_test_config) return;
    if (ngx_is_init_cycle(cycle->old_cycle)) {
        ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0, "scim: nginx-scim %s", version);
        return;
    }
    check_module(*started, cycle->log);
    if (const MainConf *before = main_conf(cycle->old_cycle))
        check_sizes(*before, *mcf, cycle->log);
}

}  // namespace scim::nginx
