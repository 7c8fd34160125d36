#pragma once
// The write requests of one worker for one store: those that wait for the writer, in order, and
// those with a large body, which a thread prepares first. Bulk requests and other requests take
// turns, so that a bulk request, which may need many batches, delays no other request by more than
// one of them.

#include <memory>

#include "nginx/pending_request.h"

namespace scim::nginx {

class WriteQueue {
  public:
    // Bounds of one batch.
    static constexpr size_t batch_requests = 128, batch_bytes = 4u << 20;
    // Bounds of the queue, including requests that are being prepared.
    static constexpr size_t queue_requests = 4096, queue_bytes = 64u << 20;
    // A body of more bytes is large.
    static constexpr size_t small_body = 16u << 10;

    // Takes the request and returns true. Returns false, and does not take it, if a bound of the
    // queue is reached.
    bool push(std::unique_ptr<PendingRequest> &request);

    // Removes the next batch. A request larger than batch_bytes is a batch of its own. A batch
    // consists of known bulk requests, those of a tenant in order and tenants in turn, or of others.
    PendingList take_batch();
    // Removes the requests that were submitted at `time` or before. Stops at the first younger
    // request of each list: a postponed or prepared request may hide older ones.
    PendingList take_older(ngx_msec_t time) noexcept;
    // Puts the requests of the last batch that are left back to the front of the queue.
    void put_back(PendingList &&requests) noexcept;
    // The number of requests that wait, including those that are being prepared.
    size_t size() const { return requests_; }
    bool empty() const { return waiting_.empty() && bulks_.empty(); }

    // Removes all requests except the one that is being prepared.
    PendingList take_all() noexcept;

    // Removes the next large request for preparation; tenants take turns. NULL if there is none, or
    // if prepared requests of batch_bytes wait for the writer, to bound their memory. The request
    // counts towards the bounds of the queue until put_prepared().
    std::unique_ptr<PendingRequest> take_large() noexcept;
    void put_prepared(std::unique_ptr<PendingRequest> request) noexcept;
    bool has_large() const { return !large_.empty(); }

  private:
    void count_in(const PendingRequest &request) noexcept;
    void count_out(const PendingRequest &request) noexcept;
    std::unique_ptr<PendingRequest> pop_large() noexcept;

    std::unique_ptr<PendingRequest> pop_bulk() noexcept;

    PendingList waiting_, bulks_, large_;
    size_t requests_ = 0, bytes_ = 0;
    size_t prepared_bytes_ = 0;  // bytes of large requests that wait for the writer
    // The tenants of the last request that take_large() returned, and of the last bulk request.
    store::TenantNumber turn_ = 0, bulk_turn_ = 0;
    bool bulks_were_last_ = false;  // in the last batch
};

}  // namespace scim::nginx
