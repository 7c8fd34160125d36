#pragma once
// Which file of a store a user cannot use, and the command that mends it.

#include <sys/types.h>

#include <string>

namespace scim::store {

// Empty if the user may read and write the store in `directory`, or if there is none yet. Looks at
// owners, groups and modes of the directory, data.mdb and lock.mdb; `gid` is the user's group, to
// which those of the group database are added. Another reason (a parent directory, an ACL) is not
// seen.
std::string permission_problem(const std::string &directory, uid_t uid, gid_t gid);

}  // namespace scim::store
