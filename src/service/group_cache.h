#pragma once
// A cache of groups: their names and member epochs (store/members.h), and the groups that they are
// in. It is emptied when a snapshot has a newer commit. Most users are in the same few groups, so
// each group is read once for all.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "scim/schema/catalog.h"
#include "store/directory.h"

namespace scim::service {

struct CachedGroup {
    const TypeView *type = nullptr;  // nullptr: no such group
    uint32_t epoch = 0;              // member epoch of its record
    std::string display;             // JSON
    // The groups that it is in; nothing if that has not been asked.
    std::optional<std::vector<Id>> groups;
};

// Not thread-safe.
class GroupCache {
  public:
    // The group with this id in the directory's snapshot. Valid until the next call.
    const CachedGroup &at(const Catalog &catalog, store::Directory &directory, const Id &id);

    // The groups that a resource is in directly, in the order of their ids; the first `limit` of
    // them. Not cached.
    std::vector<Id> groups_of(const Catalog &catalog, store::Directory &directory, const Id &member,
                              size_t limit);
    // The same for a group, cached. The limit is above nested_groups_max. Valid until the next call.
    const std::vector<Id> &groups_of_group(const Catalog &catalog, store::Directory &directory,
                                           const Id &group);

  private:
    CachedGroup &entry(const Catalog &catalog, store::Directory &directory, const Id &id);

    static constexpr size_t groups_max = 1024;
    uint64_t txn_ = 0;
    std::map<std::pair<store::TenantNumber, Id>, CachedGroup> groups_;
};

}  // namespace scim::service
