#pragma once
// Requests that only read: one resource, queries, discovery.

#include "service/read_budget.h"
#include "service/request.h"
#include "service/store.h"

namespace scim::service {

enum class ReadResult : uint8_t {
    answered,
    deferred,  // it would hold the event loop: it belongs on a thread, nothing has been answered
};

// Answers a GET, or a POST to .search, from one snapshot. The answer owns its bytes: the snapshot
// may end right after. Of a refusal only the facts and `allow` are set: refuse() makes the answer,
// and needs the request's id, which is not free to make. `request.id` is not looked at.
Result<ReadResult> read(Snapshot &snapshot, const Actor &actor, const Request &request,
                        Response &response, RunOn run_on = RunOn::thread);

}  // namespace scim::service
