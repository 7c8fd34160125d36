#pragma once
// /Me, an alias of the user that the client is (RFC 7644 3.11).

#include "service/request.h"

namespace scim::service {

// Makes /Me the target of a request for the resource of the actor's subject, as /Users/{id} is.
// Other targets, and /Me of an actor without a subject, are not changed: check_method() refuses
// the latter with 501. 404 if the subject does not exist any more. `target` then refers to `actor`.
Outcome resolve_me(Target &target, const Actor &actor, const Catalog &catalog, store::Txn &txn);

// Sets the location of a response to a request for /Me. Does nothing for other targets.
void note_location(Response &response, const Target &target, std::string_view base_url);

}  // namespace scim::service
