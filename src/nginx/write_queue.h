#pragma once
// The writes of one worker for one store: those that wait for the writer, in order, and those with a
// large body, which are prepared before.

#include <memory>

#include "nginx/pending_request.h"

namespace scim::nginx {

class WriteQueue {
  public:
    static constexpr size_t batch_requests = 128, batch_bytes = 4u << 20;
    // Of all that is here or is being prepared.
    static constexpr size_t queue_requests = 4096, queue_bytes = 64u << 20;
    // Longer bodies are large.
    static constexpr size_t small_body = 16u << 10;

    // Takes the request, or leaves it to the caller if one of the queue's bounds is reached.
    bool push(std::unique_ptr<PendingRequest> &request);

    // The next batch; a request larger than a batch goes alone.
    PendingList take_batch();
    // Those that have waited since `time` or longer, prepared or not. It looks at the heads of the two
    // lists: of requests that were postponed or prepared, a younger one may be in front.
    PendingList take_older(ngx_msec_t time) noexcept;
    // Requests of the last batch that are postponed are the first again.
    void put_back(PendingList &&requests) noexcept;
    bool empty() const { return waiting_.empty(); }

    // All but what is being prepared.
    PendingList take_all() noexcept;

    // The next large write to be prepared: tenants take turns. NULL if there is none, or if a batch of
    // them waits for the writer already, because that takes memory. It counts as if it was here until
    // it comes back.
    std::unique_ptr<PendingRequest> take_large() noexcept;
    void put_prepared(std::unique_ptr<PendingRequest> request) noexcept;
    bool has_large() const { return !large_.empty(); }

  private:
    void count_in(const PendingRequest &request) noexcept;
    void count_out(const PendingRequest &request) noexcept;
    std::unique_ptr<PendingRequest> pop_large() noexcept;

    PendingList waiting_, large_;
    size_t requests_ = 0, bytes_ = 0;
    size_t prepared_bytes_ = 0;     // of large writes that wait for the writer
    store::TenantNumber turn_ = 0;  // of the last large write that was taken
};

}  // namespace scim::nginx
