#pragma once
// /Me, an alias of the user that the client is (RFC 7644 3.11).

#include "service/request.h"
#include "service/store.h"

namespace scim::service {

// 401 if the actor's token is bound to a user who was deleted, is not active or is blocked (scimctl
// user block). A user whose type has no attribute `active` counts as active.
Outcome check_subject(const Actor &actor, const Catalog &catalog, store::Txn &txn);

// Makes /Me the target of a request for the resource of the actor's subject, as /Users/{id} is.
// Other targets, and /Me of an actor without a subject, are not changed: check_method() refuses
// the latter with 501. 401 if the subject was deleted after the request was authenticated. `target`
// then refers to `actor`.
Outcome resolve_me(Target &target, const Actor &actor, const Catalog &catalog, store::Txn &txn);

// Sets the location of a response to a request for /Me. Does nothing for other targets.
void note_location(Response &response, const Target &target, std::string_view base_url);
// The same for a request that is refused before it is prepared.
void note_location(Response &response, const Request &request, const Actor &actor,
                   Snapshot &snapshot);

}  // namespace scim::service
