#include "nginx/worker.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "nginx/file_closer.h"
#include "nginx/guard.h"
#include "nginx/memory.h"
#include "nginx/status.h"
#include "store/store_files.h"

namespace scim::nginx {

namespace {

constexpr ngx_msec_t hold_time = 60000, tend_time = 60000, retry_time = 1000;

// The state of this worker process. A plain pointer, so that no destructor runs at exit() or
// dlclose().
struct Worker {
    Worker(ngx_thread_pool_t *pool, ngx_log_t *log) : closer(pool), trim(pool, log) {}
    FileCloser closer;  // outlives the requests in `slots`
    std::vector<std::unique_ptr<WorkerStore>> slots;
    ngx_event_t hold{}, check_store{};
    MemoryTrim trim;
};
Worker *worker;

// A dummy connection for the timers, because nginx logs the connection of a timer's event.
ngx_connection_t nobody;
ngx_event_t retry;

// Milliseconds since the oldest task under way was posted, and its store. {0, NULL} if no task is
// under way.
std::pair<ngx_msec_t, const WorkerStore *> oldest_task() {
    std::pair<ngx_msec_t, const WorkerStore *> oldest{0, NULL};
    for (const auto &store : worker->slots) {
        auto since = store->oldest_task();
        if (!since) continue;
        ngx_msec_t age = ngx_current_msec - *since;
        if (oldest.second == NULL || age > oldest.first) oldest = {age, store.get()};
    }
    return oldest;
}

bool busy() {
    for (const auto &store : worker->slots)
        if (!store->idle()) return true;
    return false;
}

// The gauge of this worker. ngx_process_slot is unique among the processes of a master.
void show_waiting() {
    if (counters() == NULL) return;
    int64_t waiting = 0;
    for (const auto &store : worker->slots) waiting += int64_t(store->waiting_writes());
    counters()->waiting[size_t(ngx_process_slot) % service::workers_most] = waiting;
}

void on_hold(ngx_event_t *ev) {
    auto [age, store] = oldest_task();
    if (age >= hold_time) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                      "scim: a task of store \"%s\" has been running for %M seconds; the worker "
                      "process keeps waiting for it",
                      store->path().c_str(), age / 1000);
        age = 0;
    }
    if (busy()) ngx_add_timer(ev, hold_time - age);
}

void on_tend(ngx_event_t *ev) {
    for (auto &store : worker->slots) guarded_void(ev->log, [&] { store->check_store(); });
    if (!ngx_exiting) ngx_add_timer(ev, tend_time);
}

void set_timer(ngx_event_t &ev, ngx_event_handler_pt handler, ngx_log_t *log, bool cancelable) {
    ev.data = &nobody;
    ev.handler = handler;
    ev.log = log;
    ev.cancelable = cancelable;
}

// Creates the worker's state and a WorkerStore for each store, unless they exist, and opens each
// new WorkerStore.
void start(ngx_cycle_t *cycle, const MainConf &mcf) {
    if (worker == NULL) {
        worker = new Worker(mcf.read_pool, cycle->log);
        set_timer(worker->hold, on_hold, cycle->log, false);
        set_timer(worker->check_store, on_tend, cycle->log, true);
        ngx_add_timer(&worker->check_store, tend_time);
    }
    auto &slots = worker->slots;
    while (slots.size() < mcf.stores.size()) {
        slots.push_back(std::make_unique<WorkerStore>(*mcf.stores[slots.size()], mcf, cycle));
        slots.back()->open();
    }
}

// Calls start(), and again in a second if it has thrown.
void start_or_retry(ngx_cycle_t *cycle) {
    bool started =
        guarded(cycle->log, false, [&] { return start(cycle, *main_conf(cycle)), true; });
    if (!started && !ngx_exiting) ngx_add_timer(&retry, retry_time);
}

// Creates the store's directory with mode 0700, owned by the workers' user, as nginx does for its
// own directories. Returns false if that fails; true if the directory exists.
bool make_directory(const StoreConf &store, const ngx_core_conf_t &core, ngx_log_t *log) {
    const char *path = store.path.c_str();
    if (mkdir(path, 0700) != 0) {
        if (errno == EEXIST) return true;
        ngx_log_error(NGX_LOG_EMERG, log, errno, "scim: cannot create store directory \"%s\"",
                      path);
        return false;
    }
    if (geteuid() != 0 || core.user == ngx_uid_t(NGX_CONF_UNSET_UINT)) return true;
    if (chown(path, core.user, core.group) == 0) return true;
    ngx_log_error(NGX_LOG_EMERG, log, errno,
                  "scim: cannot change the owner of store directory \"%s\" to the workers' user",
                  path);
    return false;
}

// Creates the state that the workers of this cycle share. A store that exists now is not created
// again by any of them.
bool make_shares(const MainConf &mcf, ngx_cycle_t *cycle) {
    auto *shares = pool_new<StoreShares>(cycle->pool, mcf.stores.size());
    for (const auto &store : mcf.stores) {
        store->share = shares != NULL ? shares->at(store->index) : NULL;
        if (store->share == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "scim: cannot allocate shared memory");
            return false;
        }
        store->share->is_there = store::is_there(store->path);
    }
    return true;
}

}  // namespace

WorkerStore *store_of(const StoreConf &conf) {
    return worker != NULL && conf.index < worker->slots.size() ? worker->slots[conf.index].get()
                                                               : NULL;
}

void update_hold() {
    show_waiting();
    ngx_event_t &hold = worker->hold;
    if (!busy()) {
        if (hold.timer_set) ngx_del_timer(&hold);
    } else if (!hold.timer_set) {
        ngx_add_timer(&hold, hold_time);
    }
}

FileCloser *file_closer() { return worker != NULL ? &worker->closer : NULL; }

void note_large_request() { worker->trim.later(); }

// Runs in the master before workers start, because the workers may lack the permission to create
// the directories. nginx -t creates nothing.
ngx_int_t init_module(ngx_cycle_t *cycle) {
    const MainConf *mcf = main_conf(cycle);
    if (mcf == NULL || ngx_test_config) return NGX_OK;
    auto *core =
        reinterpret_cast<ngx_core_conf_t *>(ngx_get_conf(cycle->conf_ctx, ngx_core_module));
    // An error stops a start. On reload an error would end the running master, so the workers
    // answer 503 instead.
    const bool is_start = ngx_is_init_cycle(cycle->old_cycle);
    for (const auto &store : mcf->stores)
        if (!make_directory(*store, *core, cycle->log) && is_start) return NGX_ERROR;
    if (!make_shares(*mcf, cycle) && is_start) return NGX_ERROR;
    return NGX_OK;
}

// Never returns an error: nginx does not respawn a worker whose init_process fails, and all sites
// would be down.
ngx_int_t init_process(ngx_cycle_t *cycle) {
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) return NGX_OK;
    const MainConf *mcf = main_conf(cycle);
    if (mcf == NULL || mcf->stores.empty()) return NGX_OK;
    allocate_exception_memory();
    json_object_seed(0);
    limit_arenas();
    nobody.fd = ngx_socket_t(-1);
    auto again = [](ngx_event_t *) { start_or_retry(const_cast<ngx_cycle_t *>(ngx_cycle)); };
    set_timer(retry, again, cycle->log, true);
    start_counting(cycle);
    start_or_retry(cycle);
    return NGX_OK;
}

// The exit_process of nginx's thread pool module runs first and drains the pools. It does not wait
// for a pool with a full queue, whose threads may still use a store.
void exit_process(ngx_cycle_t *) {
    if (worker == NULL) return;
    for (auto &store : worker->slots) store->wait_for_threads();
    worker->trim.wait();
    worker->closer.stop();
    delete worker;
    worker = NULL;
}

}  // namespace scim::nginx
