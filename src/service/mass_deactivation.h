#pragma once
// The warning that many users of a tenant lost their access at once, for example because the scope
// of an identity provider was changed by mistake.

#include <cstdint>
#include <string>

#include "scim/schema/catalog.h"
#include "store/directory.h"

namespace scim::service {

// Warns if at least so many users, and more than one of `one_of` of the tenant's users, lost their
// access within an hour.
constexpr uint64_t mass_deactivation_min = 10, mass_deactivation_one_of = 10;

// Counts a user of the tenant `name` that a write of this transaction has deactivated or deleted at
// `time` (milliseconds). Returns the warning for the log if it is due; empty otherwise, and within
// an hour of the tenant's last warning. The warning must not be logged unless the transaction
// commits.
std::string note_lockout(store::WriteTxn &txn, const Catalog &catalog, store::TenantNumber tenant,
                         std::string_view name, bool deleted, int64_t time);

}  // namespace scim::service
