#include "nginx/pool_task.h"

#include "nginx/guard.h"

namespace scim::nginx {

PoolTask::PoolTask(void *owner) : owner_(owner) {
    task_.ctx = this;
    task_.handler = [](void *data, ngx_log_t *log) {
        auto *self = static_cast<PoolTask *>(data);
        allocate_exception_memory();
        guarded_void(log, [&] { self->run_(self->owner_); });
        self->running_ = false;
    };
    task_.event.data = this;
    task_.event.handler = [](ngx_event_t *ev) {
        auto *self = static_cast<PoolTask *>(ev->data);
        self->under_way_ = false;
        // Last, because `done_` may post the task again or destroy the owner.
        guarded_void(ev->log, [&] { self->done_(self->owner_); });
    };
}

bool PoolTask::post(ngx_thread_pool_t *pool, Step run, Step done) {
    run_ = run;
    done_ = done;
    task_.event.log = ngx_cycle->log;
    running_ = true;
    under_way_ = ngx_thread_task_post(pool, &task_) == NGX_OK;
    since_ = ngx_current_msec;
    if (!under_way_) running_ = false;
    return under_way_;
}

// Polls, because at the end of a process no event notifies the event loop of finished tasks.
void PoolTask::wait() const {
    while (running_) ngx_msleep(1);
}

}  // namespace scim::nginx
