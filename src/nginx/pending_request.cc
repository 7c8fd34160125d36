#include "nginx/pending_request.h"

namespace scim::nginx {

RequestHook::~RequestHook() {
    ngx_http_request_t *r = release();
    if (r != NULL) r->main->count--;
}

void RequestHook::on_destroyed(void *hook) {
    auto *self = static_cast<RequestHook *>(hook);
    self->r_ = NULL;
    self->gone_ = true;
}

bool RequestHook::hold(ngx_http_request_t *r, bool watch_client) {
    ngx_http_cleanup_t *cleanup = ngx_http_cleanup_add(r, 0);
    if (cleanup == NULL) return false;
    cleanup->handler = on_destroyed;
    cleanup->data = this;
    cleanup_ = cleanup;
    r_ = r;
    r->main->count++;
    r->write_event_handler = ngx_http_request_empty_handler;
    // ngx_http_test_reading() finalizes the request, which is not allowed for a subrequest: its
    // post_subrequest handler decides. While a body is being discarded, nginx's own handler detects
    // a closed connection.
    if (watch_client && r == r->main && !r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
        watching_ = true;
    }
    return true;
}

ngx_http_request_t *RequestHook::release() {
    if (r_ == NULL) return NULL;
    cleanup_->handler = NULL;
    if (watching_) r_->read_event_handler = ngx_http_block_reading;
    return std::exchange(r_, nullptr);
}

void PendingRequest::refuse(Refusal refusal, const char *why, uint16_t retry_after) noexcept {
    try {
        outcome = Error{refusal, why, retry_after};
    } catch (const std::exception &) {
        // Keeps the initial error. "out of memory" fits into a std::string without an allocation.
        if (outcome) outcome = Error{Refusal::out_of_memory, "out of memory", retry_after};
    }
}

void PendingList::push(std::unique_ptr<PendingRequest> request) noexcept {
    PendingRequest *added = request.get();
    (last_ != NULL ? last_->next_ : first_) = std::move(request);
    last_ = added;
    size_++;
}

std::unique_ptr<PendingRequest> PendingList::pop() noexcept {
    auto request = std::move(first_);
    first_ = std::move(request->next_);
    if (first_ == nullptr) last_ = NULL;
    size_--;
    return request;
}

std::unique_ptr<PendingRequest> PendingList::take(const PendingRequest &request) noexcept {
    PendingRequest *before = NULL;
    for (auto *one = first(); one != &request; one = after(*one)) before = one;
    if (before == NULL) return pop();
    auto taken = std::move(before->next_);
    before->next_ = std::move(taken->next_);
    if (last_ == taken.get()) last_ = before;
    size_--;
    return taken;
}

void PendingList::append(PendingList &&other) noexcept {
    if (other.empty()) return;
    (last_ != NULL ? last_->next_ : first_) = std::move(other.first_);
    last_ = std::exchange(other.last_, nullptr);
    size_ += std::exchange(other.size_, 0);
}

}  // namespace scim::nginx
