#pragma once
// Attributes that a change of the catalog hides: stored resources have values of them, but they are
// no longer declared, or are declared with another definition.

#include <string>

#include "scim/schema/catalog.h"
#include "store/lmdb.h"

namespace scim::service {

// Returns a sentence that names each attribute of `before` that `after` hides, with the number of
// resources that have a value of it; empty if there are none. Reads at most `hidden_scan_max`
// resources, and says "at least" if there are more. May block.
std::string hidden_attributes(store::Txn &txn, const Catalog &before, const Catalog &after);
constexpr uint64_t hidden_scan_max = 200000;

}  // namespace scim::service
