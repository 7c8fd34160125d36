#pragma once
// Bounds the memory of a response body of any length: when the text in memory exceeds 1 MiB at the
// beginning of an element, it is moved to the sink of the request. A body that fits into memory
// stays there; a longer one is in the sink completely after finish().

#include "service/request.h"
#include "store/read_budget.h"

namespace scim::service {

// Receives the bytes of one response body, in order.
class BodySink {
  public:
    virtual ~BodySink() = default;
    // False on an error: the response is then 503.
    virtual bool write(std::string_view bytes) = 0;
};

class SpillingBody {
  public:
    static constexpr size_t memory = size_t(1) << 20;  // bytes

    // All must outlive the SpillingBody. Without a sink the whole text stays in memory.
    SpillingBody(const Request &request, Response &response, ReadBudget &budget)
        : sink_(request.sink), response_(response), budget_(budget) {}

    std::string &text() { return response_.body; }

    // Called before each element, whose record has `bytes`: next_resource() if the budget has not
    // counted its resource yet, else go_on(). False if the body must end: the budget has ended, or
    // the sink has failed; finish() returns the error. REQUIRES: what is appended next does not
    // depend on text(), which may be empty now.
    bool next_resource(size_t bytes) { return budget_.next_resource(bytes) && has_space(); }
    bool go_on(size_t bytes) { return budget_.go_on(bytes) && has_space(); }

    // Called after the last byte. 503 if the body had to end early.
    Outcome finish();

  private:
    bool is_full() const { return sink_ != nullptr && response_.body.size() > memory; }
    bool has_space() { return !is_full() || pass_on(); }
    bool pass_on();

    BodySink *sink_;
    Response &response_;
    ReadBudget &budget_;
    bool failed_ = false;
};

}  // namespace scim::service
