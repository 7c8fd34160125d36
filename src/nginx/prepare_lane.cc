#include "nginx/prepare_lane.h"

#include "nginx/worker.h"

namespace scim::nginx {

bool PrepareLane::start(std::unique_ptr<PendingRequest> &request, service::Store &store,
                        StoreSlot &slot, ngx_thread_pool_t *pool) {
    store_ = &store;
    slot_ = &slot;
    request_ = std::move(request);
    if (task_.post(pool, step<&PrepareLane::run>, step<&PrepareLane::done>)) return true;
    request = std::move(request_);
    return false;
}

// On the thread. What fails here is tried again, and answered, by the writer.
void PrepareLane::run() {
    if (session_ == nullptr) session_ = std::make_unique<service::Session>(*store_);
    if (!request_->load()) return;
    service::Snapshot snapshot(*session_);
    service::prepare_job(request_->job, snapshot);
}

void PrepareLane::done() { slot_->prepare_done(std::move(request_)); }

}  // namespace scim::nginx
