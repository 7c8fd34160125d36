#pragma once
// The indexes of attributes that became unique when resources had values already: they are built in
// the background, and values that two resources have are reported.

#include <string>
#include <vector>

#include "service/store.h"
#include "store/tenants.h"

namespace scim::service {

// One step of building the first index of `catalog` that is being built. If it becomes complete, the
// catalog of the store is changed: the index is ready or in conflict. Returns the number of the
// index if it is in conflict, 0 otherwise. REQUIRES: catalog.building() is not nullptr.
uint16_t build_next_index(store::WriteTxn &txn, const Catalog &catalog);

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
