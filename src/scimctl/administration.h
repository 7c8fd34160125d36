#pragma once
// Functions for the commands that change who is let in.

#include <memory>
#include <string>

#include "scimctl/context.h"
#include "store/access.h"

namespace scim::scimctl {

// The active tenant of this name, and the catalog of the transaction.
struct Place {
    std::shared_ptr<const Catalog> catalog;
    store::Tenant tenant;
};
Result<Place> place_of(store::WriteTxn &txn, const std::string &tenant);

// The end of the tenant's pause in milliseconds; 0 if its gate is not paused now.
int64_t active_pause(store::Txn &txn, store::TenantNumber tenant);

}  // namespace scim::scimctl
