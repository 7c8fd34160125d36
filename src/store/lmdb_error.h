#pragma once
// What lmdb.cc and lmdb_env.cc share.

#include "store/lmdb.h"

namespace scim::store {

// The Errc of an error code of LMDB or of a system call.
Errc from_mdb(int rc);

}  // namespace scim::store
