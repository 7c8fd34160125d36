#pragma once
// Requests that only read (RFC 7644 3.4 and 4): one resource, queries, discovery.

#include "service/request.h"
#include "service/store.h"

namespace scim::service {

enum class ReadResult : uint8_t {
    answered,
    deferred,  // it would block the event loop: repeat it on a thread; there is no response
};

// Answers a GET, or a POST to .search, from one snapshot. The response does not refer to the
// snapshot, which may end afterwards. On an error only the log fields and `allow` of the response
// are valid; the caller calls refuse(). `request.id` is not used, because generating it costs time
// and only refuse() needs it. RunOn::thread never returns `deferred`.
Result<ReadResult> read(Snapshot &snapshot, const Actor &actor, const Request &request,
                        Response &response, RunOn run_on = RunOn::thread);

}  // namespace scim::service
