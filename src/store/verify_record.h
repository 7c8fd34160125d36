#pragma once
// Checks the consistency of one record and its consistency with the catalog: part of verify.h.

#include <string>
#include <vector>

#include "scim/schema/catalog.h"
#include "store/record.h"

namespace scim::store {

// A sentence about a contradiction between header, leaf table, body and catalog; empty if there is
// none. `type` is nullptr if the resource type is not declared any more. `leaves` are the record's.
std::string check_record(const Catalog &catalog, const TypeView *type, const RecordView &record,
                         const std::vector<Leaf> &leaves);

}  // namespace scim::store
