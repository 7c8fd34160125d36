#include "store/read_budget.h"

#include "store/lmdb.h"

namespace scim::store {

bool ReadBudget::look() {
    if (run_on_ == RunOn::event_loop) return !(stopped_ = bytes_ > bytes_a_look);
    bytes_ = 0;
    cancelled_ = end_.cancelled != nullptr && *end_.cancelled;
    superseded_ = txn_ != nullptr && txn_->must_end();
    stopped_ = cancelled_ || superseded_ ||
               (end_.deadline && std::chrono::steady_clock::now() >= *end_.deadline);
    return !stopped_;
}

Error ReadBudget::error() const {
    if (cancelled_) return Error{Refusal::client_gone, "the client is gone", 1};
    if (superseded_)
        return Error{Refusal::read_interrupted,
                     "the directory's map was enlarged while it was read; send the request again",
                     1};
    return Error{Refusal::read_too_slow,
                 "the search took too long and was ended after " + std::to_string(resources_) +
                     " resources; ask for less by a condition with eq on an indexed attribute",
                 30};
}

}  // namespace scim::store
