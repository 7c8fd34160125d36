#pragma once
// What the operator of a server wants to know of it, as metrics (docs/status.md).

#include <string_view>
#include <vector>

#include "service/counters.h"
#include "service/metrics.h"
#include "service/store.h"

namespace scim::service {

// A store of the server. Both pointers are nullptr while it cannot be served.
struct StoreView {
    std::string_view name;
    const store::Env *env = nullptr;
    Snapshot *snapshot = nullptr;
};

// Of at most this many tenants of a store, the resources, tokens and last writes are read, so that
// the event loop is not occupied for long, and of at most this many tokens of a tenant.
constexpr size_t tenants_shown = 64, tokens_shown = 128;

// `counters` may be nullptr: then only what the stores say. `now`: milliseconds since 1970.
void write_status(MetricsWriter &out, const Counters *counters,
                  const std::vector<StoreView> &stores, int64_t now);

}  // namespace scim::service
