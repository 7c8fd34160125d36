#pragma once
// The indexes that a configuration has changed: they are built and dropped in the background. Of an
// attribute that became unique, values that two resources have are reported.

#include <functional>
#include <string>
#include <vector>

#include "service/store.h"
#include "store/tenants.h"

namespace scim::service {

// One step of building or dropping an index. If that is complete, the catalog of the store is changed:
// the index is ready or in conflict, or does not exist any more, or is to be built anew. Returns the
// number of the index if it is in conflict, 0 otherwise. REQUIRES: `index` is one of
// catalog.unfinished().
uint16_t advance_index(store::WriteTxn &txn, const Catalog &catalog, const IndexDef &index);

// As in scim_index: "User title", "User title type=substring".
std::string index_name(const Catalog &catalog, const IndexDef &index);

// Begins to drop the indexes for which `is_wanted(index)` is true, and to build them again: from now
// on no query uses them, and no write keeps their rows. Returns their number. An index that is being
// dropped already is not counted.
size_t rebuild_indexes(store::WriteTxn &txn, const Catalog &catalog,
                       const std::function<bool(const IndexDef &)> &is_wanted);
// The same for the indexes with these names, or, without names, for all that scim_index has added.
// Returns the names of the indexes. 404 for a name that no index has; 400 for an index that exists
// without scim_index: while it was built again, values would not be unique, and the gate would find no
// user.
Result<std::vector<std::string>> rebuild_indexes(store::WriteTxn &txn, const Catalog &catalog,
                                                 const std::vector<std::string> &names);

struct IndexStatus {
    std::string type, attribute;  // the name of the type and the path of the attribute
    std::string name;             // index_name()
    const IndexDef *index = nullptr;
    // Building: resources that have been indexed, of all tenants, and those of the type. Dropping:
    // rows that have been deleted; `total` is 0.
    uint64_t done = 0, total = 0;
};
// All indexes, in the order of types and attributes. `catalog` must outlive the result.
std::vector<IndexStatus> index_states(store::Txn &txn, const Catalog &catalog);

// A value that several resources have, although its attribute should be unique.
struct Duplicate {
    const TypeView *type = nullptr;
    const Attr *attr = nullptr;
    std::string value;  // quoted as JSON, as the first of the resources has it
    std::vector<Id> ids;
};

// The unique attributes that are not enforced, because values are stored twice (conflict) or
// because their index is being built.
struct Unenforced {
    const TypeView *type = nullptr;
    const Attr *attr = nullptr;
    const IndexDef *index = nullptr;
};
std::vector<Unenforced> unenforced_attributes(const Catalog &catalog);

// The values of the attribute that several resources of the tenant have. At most `rows` index rows
// are read and `limit` values are returned.
std::vector<Duplicate> find_duplicates(store::Txn &txn, store::TenantNumber tenant,
                                       const Unenforced &unenforced, size_t rows, size_t limit);

// The log message for the index `number` that is in conflict.
std::string conflict_report(store::Txn &txn, const Catalog &catalog, uint16_t number);

}  // namespace scim::service
