#pragma once
// A cache of the names and member epochs (store/members.h) of groups. It is emptied when a snapshot
// has a newer commit. Most users are in the same few groups, so each group is read once for all.

#include <map>
#include <string>
#include <utility>

#include "scim/schema/catalog.h"
#include "store/directory.h"

namespace scim::service {

struct CachedGroup {
    const TypeView *type = nullptr;  // nullptr: no such group
    uint32_t epoch = 0;              // member epoch of its record
    std::string display;             // JSON
};

// Not thread-safe.
class GroupCache {
  public:
    // The group with this id in the directory's snapshot. Valid until the next call.
    const CachedGroup &at(const Catalog &catalog, store::Directory &directory, const Id &id);

  private:
    static constexpr size_t groups_max = 1024;
    uint64_t txn_ = 0;
    std::map<std::pair<store::TenantNumber, Id>, CachedGroup> groups_;
};

}  // namespace scim::service
