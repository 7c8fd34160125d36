#include "nginx/worker.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "nginx/guard.h"
#include "nginx/memory.h"
#include "store/store_files.h"

namespace scim::nginx {

namespace {

constexpr ngx_msec_t hold_time = 60000, tend_time = 60000, retry_time = 1000;

// Of this worker. A plain pointer: no destructor runs at exit() or dlclose().
struct Worker {
    Worker(ngx_thread_pool_t *pool, ngx_log_t *log) : trim(pool, log) {}
    std::vector<std::unique_ptr<StoreSlot>> slots;
    ngx_event_t hold{}, tend{};
    MemoryTrim trim;
};
Worker *worker;

// What nginx prints of a timer's connection at debug level.
ngx_connection_t nobody;
ngx_event_t retry;

// Milliseconds since the oldest task under way was posted, and its slot, NULL if there is none.
std::pair<ngx_msec_t, const StoreSlot *> oldest_task() {
    std::pair<ngx_msec_t, const StoreSlot *> oldest{0, NULL};
    for (const auto &slot : worker->slots) {
        auto since = slot->oldest_task();
        if (!since) continue;
        ngx_msec_t age = ngx_current_msec - *since;
        if (oldest.second == NULL || age > oldest.first) oldest = {age, slot.get()};
    }
    return oldest;
}

bool busy() {
    for (const auto &slot : worker->slots)
        if (!slot->idle()) return true;
    return false;
}

void on_hold(ngx_event_t *ev) {
    auto [age, slot] = oldest_task();
    if (age >= hold_time) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                      "scim: work on store \"%s\" has been under way for %M seconds; waiting on",
                      slot->path().c_str(), age / 1000);
        age = 0;
    }
    if (busy()) ngx_add_timer(ev, hold_time - age);
}

void on_tend(ngx_event_t *ev) {
    for (auto &slot : worker->slots) guarded_void(ev->log, [&] { slot->tend(); });
    if (!ngx_exiting) ngx_add_timer(ev, tend_time);
}

void set_timer(ngx_event_t &ev, ngx_event_handler_pt handler, ngx_log_t *log, bool cancelable) {
    ev.data = &nobody;
    ev.handler = handler;
    ev.log = log;
    ev.cancelable = cancelable;
}

// Makes what is not there yet, and opens each store.
void start(ngx_cycle_t *cycle, const MainConf &mcf) {
    if (worker == NULL) {
        worker = new Worker(mcf.read_pool, cycle->log);
        set_timer(worker->hold, on_hold, cycle->log, false);
        set_timer(worker->tend, on_tend, cycle->log, true);
        ngx_add_timer(&worker->tend, tend_time);
    }
    auto &slots = worker->slots;
    while (slots.size() < mcf.stores.size()) {
        slots.push_back(std::make_unique<StoreSlot>(*mcf.stores[slots.size()], mcf, cycle));
        slots.back()->open();
    }
}

// Without memory: again in a second.
void start_or_retry(ngx_cycle_t *cycle) {
    bool started =
        guarded(cycle->log, false, [&] { return start(cycle, *main_conf(cycle)), true; });
    if (!started && !ngx_exiting) ngx_add_timer(&retry, retry_time);
}

// 0700 and the worker's, as nginx does for its own directories.
bool make_directory(const StoreConf &store, const ngx_core_conf_t &core, ngx_log_t *log) {
    const char *path = store.path.c_str();
    if (mkdir(path, 0700) != 0) {
        if (errno == EEXIST) return true;
        ngx_log_error(NGX_LOG_EMERG, log, errno, "scim_store: cannot create directory \"%s\"",
                      path);
        return false;
    }
    if (geteuid() != 0 || core.user == ngx_uid_t(NGX_CONF_UNSET_UINT)) return true;
    if (chown(path, core.user, core.group) == 0) return true;
    ngx_log_error(NGX_LOG_EMERG, log, errno,
                  "scim_store: cannot give directory \"%s\" to the workers' user", path);
    return false;
}

// What the workers of this cycle share. A store that is there now is not made anew by any of them.
bool make_shares(const MainConf &mcf, ngx_cycle_t *cycle) {
    auto *shares = pool_new<StoreShares>(cycle->pool, mcf.stores.size());
    for (const auto &store : mcf.stores) {
        store->share = shares != NULL ? shares->at(store->index) : NULL;
        if (store->share == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "scim_store: cannot allocate shared memory");
            return false;
        }
        store->share->is_there = store::is_there(store->path);
    }
    return true;
}

}  // namespace

StoreSlot *slot_of(const StoreConf &conf) {
    return worker != NULL && conf.index < worker->slots.size() ? worker->slots[conf.index].get()
                                                               : NULL;
}

void update_hold() {
    ngx_event_t &hold = worker->hold;
    if (!busy()) {
        if (hold.timer_set) ngx_del_timer(&hold);
    } else if (!hold.timer_set) {
        ngx_add_timer(&hold, hold_time);
    }
}

void note_large_request() { worker->trim.later(); }

// In the master, before workers start: only it may make the directory.
// Never while configuration is only tested.
ngx_int_t init_module(ngx_cycle_t *cycle) {
    const MainConf *mcf = main_conf(cycle);
    if (mcf == NULL || ngx_test_config) return NGX_OK;
    auto *core =
        reinterpret_cast<ngx_core_conf_t *>(ngx_get_conf(cycle->conf_ctx, ngx_core_module));
    // An error here stops a start, as it should, but a reload's would end the running master: there
    // the workers' 503 is the lesser evil.
    const bool is_start = ngx_is_init_cycle(cycle->old_cycle);
    for (const auto &store : mcf->stores)
        if (!make_directory(*store, *core, cycle->log) && is_start) return NGX_ERROR;
    if (!make_shares(*mcf, cycle) && is_start) return NGX_ERROR;
    return NGX_OK;
}

// Never fails: a worker that cannot start is not respawned, and every site would be down.
ngx_int_t init_process(ngx_cycle_t *cycle) {
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) return NGX_OK;
    const MainConf *mcf = main_conf(cycle);
    if (mcf == NULL || mcf->stores.empty()) return NGX_OK;
    prepare_thread();
    json_object_seed(0);
    limit_arenas();
    nobody.fd = ngx_socket_t(-1);
    auto again = [](ngx_event_t *) { start_or_retry(const_cast<ngx_cycle_t *>(ngx_cycle)); };
    set_timer(retry, again, cycle->log, true);
    start_or_retry(cycle);
    return NGX_OK;
}

// nginx has drained its thread pools by now, the core module's exit comes first; but it gives up on
// a pool with a full queue, and threads of that may still use a store.
void exit_process(ngx_cycle_t *) {
    if (worker == NULL) return;
    for (auto &slot : worker->slots) slot->wait_for_threads();
    worker->trim.wait();
    delete worker;
    worker = NULL;
}

}  // namespace scim::nginx
