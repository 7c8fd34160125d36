#pragma once
// The writes of one worker for one store that wait for the writer, in order.

#include <memory>

#include "nginx/pending_request.h"

namespace scim::nginx {

class WriteQueue {
  public:
    static constexpr size_t batch_requests = 128, batch_bytes = 4u << 20;
    static constexpr size_t queue_requests = 4096, queue_bytes = 64u << 20;

    // Takes the request, or leaves it to the caller if one of the queue's bounds is reached.
    bool push(std::unique_ptr<PendingRequest> &request);
    // The next batch; a request larger than a batch goes alone.
    PendingList take_batch();
    // Those at its head that have waited since `time` or longer.
    PendingList take_older(ngx_msec_t time);
    bool empty() const { return waiting_.empty(); }

  private:
    PendingList waiting_;
    size_t bytes_ = 0;
};

}  // namespace scim::nginx
