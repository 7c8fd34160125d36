#include "service/spilling_body.h"

namespace scim::service {

bool SpillingBody::pass_on() {
    failed_ = failed_ || !sink_->write(response_.body);
    if (failed_) return false;
    response_.in_sink += response_.body.size();
    response_.body.clear();
    return true;
}

Outcome SpillingBody::finish() {
    if (budget_.stopped()) return budget_.error();
    if (response_.in_sink > 0 || is_full()) pass_on();
    if (!failed_) return Done{};
    return Error{Refusal::response_not_kept,
                 "the response exceeds 1 MiB and its temporary file cannot be written", 60};
}

}  // namespace scim::service
