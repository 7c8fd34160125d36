#include "nginx/request_thread.h"

#include "nginx/worker_store.h"
#include "service/read.h"

namespace scim::nginx {

bool RequestThread::start(std::unique_ptr<PendingRequest> &request, service::Store &store,
                          ngx_thread_pool_t *pool) {
    store_ = &store;
    request_ = std::move(request);
    if (task_.post(pool, step<&RequestThread::run>, step<&RequestThread::done>)) return true;
    request = std::move(request_);
    return false;
}

void RequestThread::run() {
    if (session_ == nullptr) session_ = std::make_unique<service::Session>(*store_);
    run_(*request_, *session_);
}

void RequestThread::done() { (owner_.*done_)(std::move(request_)); }

void read_on_thread(PendingRequest &request, service::Session &session) {
    service::Job &job = request.job;
    if (request.client.gone() || (!request.is_write && !request.load())) return;
    service::Snapshot snapshot(session);
    if (request.is_write) {
        service::finish_answer(job, snapshot);
        request.outcome = Done{};
        return;
    }
    auto result =
        service::read(snapshot, *job.actor, job.request, job.response, service::RunOn::thread);
    request.body.drop();
    request.outcome = result ? Outcome(Done{}) : Outcome(result.error());
}

void prepare_on_thread(PendingRequest &request, service::Session &session) {
    if (!request.load()) return;
    service::Snapshot snapshot(session);
    service::prepare_ahead(request.job, snapshot);
}

}  // namespace scim::nginx
