#pragma once
// Runs one request at a time on a pool thread, with its own store session: a long read, the
// response of a committed write, or the preparation of a large body. The event loop owns the
// request again when the thread has finished.

#include <memory>

#include "nginx/ngx.h"
#include "nginx/pending_request.h"
#include "nginx/pool_task.h"
#include "service/store.h"

namespace scim::nginx {

class WorkerStore;

class RequestThread {
  public:
    // Called on the pool thread. If it throws, the outcome of the request does not change.
    using Run = void (*)(PendingRequest &request, service::Session &session);
    // Called on the event loop afterwards.
    using Done = void (WorkerStore::*)(std::unique_ptr<PendingRequest> request);

    // `owner` must outlive all runs.
    RequestThread(WorkerStore &owner, Run run, Done done)
        : task_(this), owner_(owner), run_(run), done_(done) {}

    bool busy() const { return request_ != nullptr; }
    // Takes the request and starts a run. Returns false, and does not take the request, if the
    // pool's queue is full. REQUIRES: !busy(); `store` outlives the run.
    bool start(std::unique_ptr<PendingRequest> &request, service::Store &store,
               ngx_thread_pool_t *pool);
    const PoolTask &task() const { return task_; }
    // Cancels the current request: a read ends at its next check of the flag.
    void cancel() {
        if (busy()) request_->client.give_up();
    }
    // REQUIRES: !busy().
    void close_session() { session_.reset(); }

  private:
    void run();
    void done();

    PoolTask task_;
    WorkerStore &owner_;
    const Run run_;
    const Done done_;
    service::Store *store_ = NULL;
    std::unique_ptr<service::Session> session_;  // created by the first run
    std::unique_ptr<PendingRequest> request_;
};

// Makes the response of a long read or of a committed write.
void read_on_thread(PendingRequest &request, service::Session &session);
// Prepares a write. If that fails, the writer tries again and makes the response.
void prepare_on_thread(PendingRequest &request, service::Session &session);

}  // namespace scim::nginx
