#include "nginx/write_queue.h"

namespace scim::nginx {

namespace {

size_t size_of(const PendingRequest &request) { return request.bytes.size() + request.body.size(); }

store::TenantNumber tenant_of(const PendingRequest &request) { return request.job.actor->tenant; }

bool is_large(const PendingRequest &request) {
    return request.body.size() > WriteQueue::small_body;
}

// A request is known to be a bulk request when it is prepared.
bool is_bulk(const PendingRequest &request) { return request.job.bulk != nullptr; }

// The request of the tenant with the next higher number than `turn`, or else of the one with the
// lowest; the oldest of its requests. NULL if the list is empty.
const PendingRequest *next_in_turn(const PendingList &list, store::TenantNumber turn) {
    const PendingRequest *next = NULL;
    auto distance = [turn](const PendingRequest &one) {
        return store::TenantNumber(tenant_of(one) - turn - 1);  // wraps around
    };
    for (auto *one = list.first(); one != NULL; one = PendingList::after(*one))
        if (next == NULL || distance(*one) < distance(*next)) next = one;
    return next;
}

}  // namespace

// count_in() and count_out() account for requests in waiting_ and bulks_.
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
    bulks_were_last_ = !bulks_.empty() && (waiting_.empty() || !bulks_were_last_);
    if (bulks_were_last_) {
        batch.push(pop_bulk());
        return batch;
    }
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
    while (is_older(bulks_)) {
        count_out(*bulks_.first());
        older.push(bulks_.pop());
    }
    while (is_older(large_)) older.push(pop_large());
    return older;
}

void WriteQueue::put_back(PendingList &&requests) noexcept {
    PendingList bulks, others;
    while (!requests.empty()) {
        auto one = requests.pop();
        count_in(*one);
        (is_bulk(*one) ? bulks : others).push(std::move(one));
    }
    others.append(std::move(waiting_));
    waiting_.append(std::move(others));
    bulks.append(std::move(bulks_));
    bulks_.append(std::move(bulks));
}

PendingList WriteQueue::take_all() noexcept {
    waiting_.append(std::move(bulks_));
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

std::unique_ptr<PendingRequest> WriteQueue::pop_bulk() noexcept {
    const PendingRequest &next = *next_in_turn(bulks_, bulk_turn_);
    bulk_turn_ = tenant_of(next);
    count_out(next);
    return bulks_.take(next);
}

std::unique_ptr<PendingRequest> WriteQueue::take_large() noexcept {
    if (prepared_bytes_ >= batch_bytes) return nullptr;
    const PendingRequest *next = next_in_turn(large_, turn_);
    if (next == NULL) return nullptr;
    turn_ = tenant_of(*next);
    return large_.take(*next);
}

void WriteQueue::put_prepared(std::unique_ptr<PendingRequest> request) noexcept {
    if (is_large(*request)) prepared_bytes_ += size_of(*request);
    (is_bulk(*request) ? bulks_ : waiting_).push(std::move(request));
}

}  // namespace scim::nginx
