#pragma once
// What keeps the memory of an answer bounded, however long it becomes: between two of its elements
// the text that is there goes to the request's sink. An answer that fits into memory stays there; of
// one that does not, nothing is left there in the end.

#include "service/read_budget.h"
#include "service/request.h"

namespace scim::service {

// Takes the bytes of one answer in their order.
class BodySink {
  public:
    virtual ~BodySink() = default;
    // False if it cannot: then there is no such answer.
    virtual bool write(std::string_view bytes) = 0;
};

class SpillingBody {
  public:
    static constexpr size_t memory = size_t(1) << 20;  // bytes of text

    // All must outlive the SpillingBody. Without a sink the whole text stays in memory.
    SpillingBody(const Request &request, Response &response, ReadBudget &budget)
        : sink_(request.sink), response_(response), budget_(budget) {}

    std::string &text() { return response_.body; }

    // To be asked for each element of the text, whose record has `bytes`: false if the text must
    // end, and finish() will say why. REQUIRES: what is appended next does not look back.
    bool go_on(size_t bytes) { return budget_.go_on(bytes) && (!is_full() || pass_on()); }

    // After the last byte: 503 if the text had to end before.
    Outcome finish();

  private:
    bool is_full() const { return sink_ != nullptr && response_.body.size() > memory; }
    bool pass_on();

    BodySink *sink_;
    Response &response_;
    ReadBudget &budget_;
    bool failed_ = false;
};

}  // namespace scim::service
