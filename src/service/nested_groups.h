#pragma once
// Groups in groups. A user is indirectly in the groups that contain a group of the user.
//
// The work is bounded: a resource that is in more than nested_groups_max groups, direct ones
// included, or in a group that is more than nested_depth_max steps away, is in no group indirectly.
// Each group is looked at once, so cycles end. The budget of the directory is charged for each look.

#include <optional>
#include <vector>

#include "scim/schema/catalog.h"
#include "service/group_cache.h"
#include "service/request.h"
#include "service/store.h"
#include "store/directory.h"

namespace scim::service {

constexpr size_t nested_groups_max = 1000, nested_depth_max = 10;

// The cache for indirect_groups() if the request's location asks for them (scim_nested_groups on),
// else nullptr.
inline GroupCache *nested_groups(const Snapshot &snapshot, const Request &request) {
    return request.settings->nested_groups ? &snapshot.groups : nullptr;
}

struct IndirectGroups {
    // The nearest first, those of one distance in the order of their ids. Direct groups are not
    // among them.
    std::vector<Id> ids;
    bool is_beyond_limit = false;  // then `ids` is empty
};
// The groups that `member` is in indirectly, by the directory's snapshot. If its budget is stopped,
// some are missing.
IndirectGroups indirect_groups(const Catalog &catalog, store::Directory &directory,
                               GroupCache &cache, const Id &member);

// `group`, and the groups in it up to the depth of nested_depth_max: whoever is in `group`, directly
// or indirectly, is a direct member of one of them. Nothing if they are more than nested_groups_max.
std::optional<std::vector<Id>> groups_within(const Catalog &catalog, store::Directory &directory,
                                             const Id &group);

}  // namespace scim::service
