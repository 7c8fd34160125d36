#include "service/new_id.h"

#include <algorithm>

#include "service/token.h"

namespace scim::service {

uint64_t TickSource::next(int64_t milliseconds) {
    const uint64_t first = uint64_t(milliseconds) * ticks_a_millisecond;
    uint64_t last = last_, next;
    do {
        next = std::max(first, last + 1);
    } while (!last_.compare_exchange_weak(last, next));
    return next;
}

Id make_new_id(int64_t now) {
    static TickSource ticks;
    return make_id_of_tick(ticks.next(now), random_number());
}

}  // namespace scim::service
