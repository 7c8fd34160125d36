#pragma once
// Prepares one large write at a time on a thread, with a session of its own, before the writer gets
// it: neither the writer nor small writes wait for the reading of a large body.

#include <memory>

#include "nginx/pending_request.h"
#include "nginx/pool_task.h"
#include "service/store.h"

namespace scim::nginx {

class StoreSlot;

class PrepareLane {
  public:
    PrepareLane() : task_(this) {}

    bool busy() const { return request_ != nullptr; }
    // Prepares the request, then calls slot.prepare_done(). False if the pool's queue is full: the
    // request is left to the caller. REQUIRES: !busy(); `store` lives until then.
    bool start(std::unique_ptr<PendingRequest> &request, service::Store &store, StoreSlot &slot,
               ngx_thread_pool_t *pool);
    const PoolTask &task() const { return task_; }
    // REQUIRES: !busy().
    void close_session() { session_.reset(); }

  private:
    void run();
    void done();

    PoolTask task_;
    std::unique_ptr<service::Session> session_;  // made by the first request
    std::unique_ptr<PendingRequest> request_;
    service::Store *store_ = NULL;
    StoreSlot *slot_ = NULL;
};

}  // namespace scim::nginx
