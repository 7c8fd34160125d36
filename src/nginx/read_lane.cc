#include "nginx/read_lane.h"

#include "nginx/worker.h"
#include "service/read.h"

namespace scim::nginx {

bool ReadLane::start(std::unique_ptr<PendingRequest> &request, service::Store &store,
                     StoreSlot &slot, ngx_thread_pool_t *pool) {
    store_ = &store;
    slot_ = &slot;
    request_ = std::move(request);
    if (task_.post(pool, step<&ReadLane::run>, step<&ReadLane::done>)) return true;
    request = std::move(request_);
    return false;
}

// On the thread. A request whose read throws keeps the outcome that it came with.
void ReadLane::run() {
    PendingRequest &pending = *request_;
    service::Job &job = pending.job;
    if (session_ == nullptr) session_ = std::make_unique<service::Session>(*store_);
    if (pending.client.gone() || (!pending.is_write && !pending.load())) return;
    service::Snapshot snapshot(*session_);
    if (pending.is_write) {
        service::finish_answer(job, snapshot);
        pending.outcome = Done{};
        return;
    }
    auto reading =
        service::read(snapshot, *job.actor, job.request, job.response, service::Patience::thread);
    pending.outcome = reading ? Outcome(Done{}) : Outcome(reading.error());
}

void ReadLane::done() { slot_->read_done(std::move(request_)); }

}  // namespace scim::nginx
