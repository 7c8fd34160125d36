#include "nginx/write_queue.h"

namespace scim::nginx {

namespace {

size_t size_of(const PendingRequest &request) { return request.bytes.size() + request.body.size(); }

}  // namespace

bool WriteQueue::push(std::unique_ptr<PendingRequest> &request) {
    size_t size = size_of(*request);
    if (waiting_.size() >= queue_requests || (bytes_ != 0 && bytes_ + size > queue_bytes))
        return false;
    bytes_ += size;
    waiting_.push(std::move(request));
    return true;
}

PendingList WriteQueue::take_batch() {
    PendingList batch;
    size_t taken = 0;
    while (!waiting_.empty() && batch.size() < batch_requests) {
        size_t size = size_of(*waiting_.first());
        if (!batch.empty() && taken + size > batch_bytes) break;
        taken += size;
        bytes_ -= size;
        batch.push(waiting_.pop());
    }
    return batch;
}

PendingList WriteQueue::take_older(ngx_msec_t time) {
    PendingList older;
    while (!waiting_.empty() && ngx_msec_int_t(waiting_.first()->since - time) <= 0) {
        bytes_ -= size_of(*waiting_.first());
        older.push(waiting_.pop());
    }
    return older;
}

}  // namespace scim::nginx
