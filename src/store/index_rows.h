#pragma once
// The number of rows of each index in each tenant: a row of `meta`, which every change of the index
// keeps. There is none for an index without rows.

#include "store/keys.h"
#include "store/lmdb.h"

namespace scim::store {

constexpr uint8_t index_rows_kind = 8;  // of a key in `meta`

Key index_rows_key(TenantNumber tenant, TypeNumber type, AttrNumber attr);
uint64_t index_rows(Txn &txn, TenantNumber tenant, TypeNumber type, AttrNumber attr);
void add_index_rows(WriteTxn &txn, TenantNumber tenant, TypeNumber type, AttrNumber attr,
                    int64_t delta);

}  // namespace scim::store
