#pragma once
// Requests that only read: one resource, lists, discovery.

#include "service/request.h"
#include "service/store.h"

namespace scim::service {

// Answers a GET from one snapshot. The answer owns its bytes: the snapshot may end right after. Of
// a refusal only the facts and `allow` are set: refuse() makes the answer, and needs the request's
// id, which is not free to make. `request.id` is not looked at.
Outcome read(Snapshot &snapshot, const Actor &actor, const Request &request, Response &response);

// True if answering will take longer than the event loop may be held: then read() belongs on a
// thread. Cheap, and errs on the side of false for what is refused anyway.
bool is_long_read(const Request &request);

}  // namespace scim::service
