#pragma once
// Copies a store into a new environment, all rows in the order of their keys, so that pages are
// full: inserts in the middle leave pages half empty, which LMDB's own copy (mdb_copy -c) keeps.

#include <functional>

#include "store/lmdb.h"

namespace scim::store {

// Copies the rows of one snapshot; `progress` is called with their number now and then. `to` has
// empty databases, which no other process uses. Returns the number of rows; the code of the first
// error in `error`.
uint64_t copy_rows(Txn &from, Env &to, const std::function<void(uint64_t)> &progress, Errc &error);

}  // namespace scim::store
