#pragma once
// One record checked against itself and the catalog: part of verify.h.

#include <string>
#include <vector>

#include "scim/catalog.h"
#include "store/record.h"

namespace scim::store {

// Empty, or a sentence about how header, leaf table and body contradict each other. `type` is
// nullptr for a resource type that is not declared now. `leaves` are the record's.
std::string check_record(const Catalog &catalog, const TypeView *type, const RecordView &record,
                         const std::vector<Leaf> &leaves);

}  // namespace scim::store
