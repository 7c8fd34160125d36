#pragma once
// Actors: the originators of changes. A change or a refusal contains the number of its actor, so
// that it does not depend on the row of a token. Each tenant numbers its actors from 1; numbers are
// never reused. 0 means that there was no token (scim_auth off).

#include <cstdint>
#include <optional>

#include "store/keys.h"
#include "store/lmdb.h"

namespace scim::store {

struct ActorRow {
    uint32_t token = 0;  // number of the token in the tenant
};

// Adds an actor and returns its number.
uint32_t add_actor(WriteTxn &txn, TenantNumber tenant, const ActorRow &actor);
// Nothing if there is no such actor or its row cannot be read.
std::optional<ActorRow> find_actor_row(Txn &txn, TenantNumber tenant, uint32_t number);

}  // namespace scim::store
