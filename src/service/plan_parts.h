#pragma once
// What plan() asks for piece by piece: uniqueness, and who joins and leaves a group.

#include <vector>

#include "service/command.h"

namespace scim::service {

// 409 uniqueness naming the resource that has one of the unique values among `values` already, and
// whether it is inactive. `leaves` are what `values` were made of.
Outcome check_unique(const Command &command, const std::vector<Leaf> &leaves,
                     const store::IndexValues &values, store::Directory &directory);

// What `edits` mean for a group's rows. `epoch` is the group's member epoch; the one of its new
// record is in the result. Who is a member already does not join, who is none does not leave.
// 400 invalidValue naming who does not exist. Takes time for what the request names, and never for
// how many members there are.
Result<store::MemberChange> plan_members(const Command &command, store::Directory &directory,
                                         uint32_t epoch, const MemberEdits &edits);

// Everybody leaves: row by row if they are few, by a new epoch otherwise.
store::MemberChange empty_group(store::Directory &directory, const Id &group, uint32_t epoch);

inline bool is_empty(const store::MemberChange &change) {
    return change.joined.empty() && change.left.empty() && change.dead_epoch == 0;
}

}  // namespace scim::service
