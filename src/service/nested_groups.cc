#include "service/nested_groups.h"

#include <algorithm>
#include <set>

#include "store/members.h"

namespace scim::service {

namespace {

bool is_group(const Catalog &catalog, TypeNumber number) {
    const auto &types = catalog.group_types();
    return std::any_of(types.begin(), types.end(),
                       [&](const TypeView *type) { return type->number == number; });
}

// Calls `each(id)` for the living members of a group that are groups, until it returns false.
template <class Each>
void each_inner_group(const Catalog &catalog, store::Directory &directory, const Id &group,
                      Each &&each) {
    for (const TypeView *type : catalog.group_types())
        if (auto record = directory.record(type->number, group)) {
            store::Members(directory).each_member(group, record->header().member_epoch, nullptr,
                                                  [&](const Id &id, TypeNumber number) {
                                                      return !is_group(catalog, number) || each(id);
                                                  });
            return;
        }
}

}  // namespace

IndirectGroups indirect_groups(const Catalog &catalog, store::Directory &directory,
                               GroupCache &cache, const Id &member) {
    IndirectGroups out;
    std::vector<Id> level = cache.groups_of(catalog, directory, member, nested_groups_max + 1);
    std::set<Id> seen(level.begin(), level.end());
    if (seen.size() > nested_groups_max) return {{}, true};
    for (size_t depth = 1; !level.empty(); depth++) {
        std::vector<Id> next;
        for (const Id &inner : level)
            for (const Id &id : cache.groups_of_group(catalog, directory, inner)) {
                if (!seen.insert(id).second) continue;
                if (seen.size() > nested_groups_max || depth == nested_depth_max) return {{}, true};
                next.push_back(id);
            }
        std::sort(next.begin(), next.end());
        out.ids.insert(out.ids.end(), next.begin(), next.end());
        level = std::move(next);
    }
    return out;
}

std::optional<std::vector<Id>> groups_within(const Catalog &catalog, store::Directory &directory,
                                             const Id &group) {
    std::vector<Id> found{group}, level{group};
    std::set<Id> seen{group};
    for (size_t depth = 1; depth < nested_depth_max && !level.empty(); depth++) {
        std::vector<Id> next;
        for (const Id &outer : level)
            each_inner_group(catalog, directory, outer, [&](const Id &id) {
                if (seen.insert(id).second) next.push_back(id);
                return seen.size() <= nested_groups_max;
            });
        if (seen.size() > nested_groups_max) return std::nullopt;
        found.insert(found.end(), next.begin(), next.end());
        level = std::move(next);
    }
    return found;
}

}  // namespace scim::service
