#pragma once
// What a change of the catalog hides: attributes that stored resources have and that are declared no
// more, or with another definition.

#include <string>

#include "scim/catalog.h"
#include "store/lmdb.h"

namespace scim::service {

// A sentence that names the attributes of `before` that `after` does not show, and of how many
// resources each has a value; empty if there are none. Reads at most `hidden_scan_max` resources and
// says "at least" if there are more. For a thread that may block.
std::string hidden_attributes(store::Txn &txn, const Catalog &before, const Catalog &after);
constexpr uint64_t hidden_scan_max = 200000;

}  // namespace scim::service
