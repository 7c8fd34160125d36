#include "nginx/worker.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "nginx/guard.h"

namespace scim::nginx {

namespace {

constexpr ngx_msec_t hold_time = 60000, tend_time = 60000;

// Of this worker. A plain pointer: no destructor runs at exit() or dlclose().
struct Worker {
    std::vector<std::unique_ptr<StoreSlot>> slots;
    ngx_event_t hold{}, tend{};
    // What nginx prints of a timer's connection at debug level.
    ngx_connection_t nobody{};
};
Worker *worker;

void on_hold(ngx_event_t *ev) {
    ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                  "scim: work on a store has taken a minute; waiting on");
    ngx_add_timer(ev, hold_time);
}

void on_tend(ngx_event_t *ev) {
    guarded_void(ev->log, [] {
        for (auto &slot : worker->slots) slot->tend();
    });
    if (!ngx_exiting) ngx_add_timer(ev, tend_time);
}

void set_timer(ngx_event_t &ev, ngx_event_handler_pt handler, ngx_log_t *log, bool cancelable) {
    ev.data = &worker->nobody;
    ev.handler = handler;
    ev.log = log;
    ev.cancelable = cancelable;
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

}  // namespace

StoreSlot *slot_of(const StoreConf &conf) {
    return worker != NULL && conf.index < worker->slots.size() ? worker->slots[conf.index].get()
                                                               : NULL;
}

void worker_busy() {
    if (!worker->hold.timer_set) ngx_add_timer(&worker->hold, hold_time);
}

void worker_idle() {
    for (auto &slot : worker->slots)
        if (!slot->idle()) return;
    if (worker->hold.timer_set) ngx_del_timer(&worker->hold);
}

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
    return NGX_OK;
}

// Never fails: a worker that cannot start is not respawned, and every site would be down.
ngx_int_t init_process(ngx_cycle_t *cycle) {
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) return NGX_OK;
    const MainConf *mcf = main_conf(cycle);
    if (mcf == NULL || mcf->stores.empty()) return NGX_OK;
    guarded_void(cycle->log, [&] {
        json_object_seed(0);
        worker = new Worker;
        worker->nobody.fd = ngx_socket_t(-1);
        set_timer(worker->hold, on_hold, cycle->log, false);
        set_timer(worker->tend, on_tend, cycle->log, true);
        ngx_add_timer(&worker->tend, tend_time);
        for (const auto &store : mcf->stores)
            worker->slots.push_back(std::make_unique<StoreSlot>(*store, *mcf, cycle));
        for (auto &slot : worker->slots) slot->open();
    });
    return NGX_OK;
}

// nginx's thread pools have been drained by now: the core module's exit comes first.
void exit_process(ngx_cycle_t *) {
    delete worker;
    worker = NULL;
}

PoolTask::PoolTask() {
    task_.ctx = this;
    task_.handler = [](void *data, ngx_log_t *log) {
        guarded_void(log, static_cast<PoolTask *>(data)->run_);
    };
    task_.event.data = this;
    task_.event.handler = [](ngx_event_t *ev) {
        // `done` may post again or destroy the task's owner.
        auto done = std::move(static_cast<PoolTask *>(ev->data)->done_);
        guarded_void(ev->log, done);
    };
}

bool PoolTask::post(ngx_thread_pool_t *pool, std::function<void()> run,
                    std::function<void()> done) {
    run_ = std::move(run);
    done_ = std::move(done);
    task_.event.log = ngx_cycle->log;
    return ngx_thread_task_post(pool, &task_) == NGX_OK;
}

bool WriteQueue::push(std::unique_ptr<PendingRequest> &request) {
    size_t size = request->bytes.size() + request->body.size();
    if (waiting_.size() >= queue_requests || (bytes_ != 0 && bytes_ + size > queue_bytes))
        return false;
    bytes_ += size;
    waiting_.push_back(std::move(request));
    return true;
}

std::vector<std::unique_ptr<PendingRequest>> WriteQueue::take_batch() {
    std::vector<std::unique_ptr<PendingRequest>> batch;
    size_t taken = 0;
    while (!waiting_.empty() && batch.size() < batch_requests) {
        size_t size = waiting_.front()->bytes.size() + waiting_.front()->body.size();
        if (!batch.empty() && taken + size > batch_bytes) break;
        taken += size;
        bytes_ -= size;
        batch.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
    }
    return batch;
}

}  // namespace scim::nginx
