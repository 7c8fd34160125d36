#pragma once
// Finds a file of a store that a user cannot read and write, and the command that corrects it.

#include <sys/types.h>

#include <string>

namespace scim::store {

// A sentence that names the file and the command; empty if the user may read and write the store in
// `directory`, or if there is none yet. Checks owner, group and mode of the directory, data.mdb and
// lock.mdb. `gid` is the user's primary group; supplementary groups come from the group database.
// Parent directories and ACLs are not checked.
std::string permission_problem(const std::string &directory, uid_t uid, gid_t gid);

}  // namespace scim::store
