#include "nginx/write_queue.h"

namespace scim::nginx {

namespace {

size_t size_of(const PendingRequest &request) { return request.bytes.size() + request.body.size(); }

store::TenantNumber tenant_of(const PendingRequest &request) { return request.job.actor->tenant; }

bool is_large(const PendingRequest &request) {
    return request.body.size() > WriteQueue::small_body;
}

}  // namespace

// count_in() and count_out() account for requests in waiting_.
void WriteQueue::count_in(const PendingRequest &request) noexcept {
    requests_++;
    bytes_ += size_of(request);
    if (is_large(request)) prepared_bytes_ += size_of(request);
}

void WriteQueue::count_out(const PendingRequest &request) noexcept {
    requests_--;
    bytes_ -= size_of(request);
    if (is_large(request)) prepared_bytes_ -= size_of(request);
}

bool WriteQueue::push(std::unique_ptr<PendingRequest> &request) {
    size_t size = size_of(*request);
    if (requests_ >= queue_requests || (bytes_ != 0 && bytes_ + size > queue_bytes)) return false;
    requests_++;
    bytes_ += size;
    (is_large(*request) ? large_ : waiting_).push(std::move(request));
    return true;
}

PendingList WriteQueue::take_batch() {
    PendingList batch;
    size_t taken = 0;
    while (!waiting_.empty() && batch.size() < batch_requests) {
        size_t size = size_of(*waiting_.first());
        if (!batch.empty() && taken + size > batch_bytes) break;
        taken += size;
        count_out(*waiting_.first());
        batch.push(waiting_.pop());
    }
    return batch;
}

PendingList WriteQueue::take_older(ngx_msec_t time) noexcept {
    auto is_older = [time](const PendingList &list) {
        return !list.empty() && ngx_msec_int_t(list.first()->since - time) <= 0;
    };
    PendingList older;
    while (is_older(waiting_)) {
        count_out(*waiting_.first());
        older.push(waiting_.pop());
    }
    while (is_older(large_)) older.push(pop_large());
    return older;
}

void WriteQueue::put_back(PendingList &&requests) noexcept {
    for (auto *one = requests.first(); one != NULL; one = PendingList::after(*one)) count_in(*one);
    requests.append(std::move(waiting_));
    waiting_.append(std::move(requests));
}

PendingList WriteQueue::take_all() noexcept {
    for (auto *one = waiting_.first(); one != NULL; one = PendingList::after(*one)) count_out(*one);
    PendingList all;
    all.append(std::move(waiting_));
    while (!large_.empty()) all.push(pop_large());
    return all;
}

std::unique_ptr<PendingRequest> WriteQueue::pop_large() noexcept {
    requests_--;
    bytes_ -= size_of(*large_.first());
    return large_.pop();
}

// Selects the tenant with the next higher number than turn_, or else the one with the lowest.
std::unique_ptr<PendingRequest> WriteQueue::take_large() noexcept {
    if (prepared_bytes_ >= batch_bytes) return nullptr;
    const PendingRequest *next = NULL;
    auto distance = [this](const PendingRequest &one) {
        return store::TenantNumber(tenant_of(one) - turn_ - 1);  // wraps around
    };
    for (auto *one = large_.first(); one != NULL; one = PendingList::after(*one))
        if (next == NULL || distance(*one) < distance(*next)) next = one;
    if (next == NULL) return nullptr;
    turn_ = tenant_of(*next);
    return large_.take(*next);
}

void WriteQueue::put_prepared(std::unique_ptr<PendingRequest> request) noexcept {
    if (is_large(*request)) prepared_bytes_ += size_of(*request);
    waiting_.push(std::move(request));
}

}  // namespace scim::nginx
