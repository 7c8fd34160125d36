#pragma once
// One long read at a time on a thread of the read pool, with a session of its own.

#include <memory>

#include "nginx/pending_request.h"
#include "nginx/pool_task.h"
#include "service/store.h"

namespace scim::nginx {

class StoreSlot;

class ReadLane {
  public:
    ReadLane() : task_(this) {}

    bool busy() const { return request_ != nullptr; }
    // Reads for the request, then calls slot.read_done(). False if the pool's queue is full: the
    // request is left to the caller. REQUIRES: !busy(); `store` lives until then.
    bool start(std::unique_ptr<PendingRequest> &request, service::Store &store, StoreSlot &slot,
               ngx_thread_pool_t *pool);
    const PoolTask &task() const { return task_; }
    // Nobody waits for the answer: the thread ends the read soon.
    void cancel() {
        if (busy()) request_->client.give_up();
    }
    // REQUIRES: !busy().
    void close_session() { session_.reset(); }

  private:
    void run();
    void done();

    PoolTask task_;
    std::unique_ptr<service::Session> session_;  // made by the first read
    std::unique_ptr<PendingRequest> request_;
    service::Store *store_ = NULL;
    StoreSlot *slot_ = NULL;
};

}  // namespace scim::nginx
