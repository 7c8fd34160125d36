#pragma once
// Parts of plan(): uniqueness, and the members that are added to and removed from a group.

#include <vector>

#include "service/command.h"

namespace scim::service {

// 409 uniqueness if another resource has one of the unique values in `values`. The error names that
// resource and whether it is inactive. `values` were made from `leaves`. Comparing the values of
// that resource is added to `work`; if `work.too_much()` afterwards, the result must not be used.
Outcome check_unique(const Command &command, const std::vector<Leaf> &leaves,
                     const store::IndexValues &values, store::Directory &directory, Work &work);

// The change of the group's rows that `edits` require. `epoch` is the stored member epoch of the
// group; the result has the new one. To add a member that is present, or to remove one that is not,
// changes nothing. 400 invalidValue names members that do not exist. The cost depends on the number
// of members in the request, not on the number of members of the group.
Result<store::MemberChange> plan_members(const Command &command, store::Directory &directory,
                                         uint32_t epoch, const MemberEdits &edits);

// Removes all members: row by row up to store::members_deleted_at_once rows, otherwise by a new
// member epoch.
store::MemberChange empty_group(store::Directory &directory, const Id &group, uint32_t epoch);

// Adds the rows of `access` that the edit changes (store/access.h). A deleted user leaves its state,
// with the time of the deletion as not_before, as tombstones under its userName, externalId and id,
// and a changed one under the userName or externalId that it does not have any more; a user that gets
// such a value inherits the state. The time of a deactivation becomes the user's
// not_before. REQUIRES: the rest of the plan is complete.
void plan_access(const Command &command, store::Directory &directory, Plan &plan);

// The rows of `access` for a user that an export lists as deleted: `value` is an index value of the
// kind, or the bytes of an id. A single user who has the value now gets the state at once, otherwise
// there is a tombstone. Only `access` and `heirs` of the result are set; both are empty if the store has the
// state already.
store::ResourceEdit plan_deleted_user(const Catalog &catalog, store::Directory &directory,
                                      store::AccessKind kind, const std::string &value,
                                      const store::AccessState &state);

inline bool is_empty(const store::MemberChange &change) {
    return change.joined.empty() && change.left.empty() && change.dead_epoch == 0;
}

}  // namespace scim::service
