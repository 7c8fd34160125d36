#include "service/group_cache.h"

#include "service/nested_groups.h"
#include "service/render.h"
#include "store/members.h"

namespace scim::service {

namespace {

CachedGroup read_group(const Catalog &catalog, store::Directory &directory, const Id &id) {
    for (const TypeView *type : catalog.group_types())
        if (auto record = directory.record(type->number, id))
            return {type, record->header().member_epoch, std::string(display_of(*type, *record)),
                    std::nullopt};
    return {};
}

}  // namespace

CachedGroup &GroupCache::entry(const Catalog &catalog, store::Directory &directory, const Id &id) {
    if (directory.txn().id() != txn_ || groups_.size() > groups_max) groups_.clear();
    txn_ = directory.txn().id();
    auto [place, is_new] = groups_.try_emplace({directory.tenant(), id});
    if (!is_new) return place->second;
    place->second = read_group(catalog, directory, id);
    // What a read that failed has found is not remembered.
    if (!directory.txn().good() || !directory.may_walk()) txn_ = 0;
    return place->second;
}

const CachedGroup &GroupCache::at(const Catalog &catalog, store::Directory &directory,
                                  const Id &id) {
    return entry(catalog, directory, id);
}

std::vector<Id> GroupCache::groups_of(const Catalog &catalog, store::Directory &directory,
                                      const Id &member, size_t limit) {
    std::vector<Id> groups;
    if (!directory.may_walk()) return groups;  // charged even if there are no rows
    store::Members(directory).each_membership(member, nullptr, [&](const Id &id, uint32_t epoch) {
        const CachedGroup &group = at(catalog, directory, id);
        if (group.type != nullptr && group.epoch == epoch) groups.push_back(id);
        return groups.size() < limit;
    });
    return groups;
}

const std::vector<Id> &GroupCache::groups_of_group(const Catalog &catalog,
                                                   store::Directory &directory, const Id &group) {
    if (auto &known = entry(catalog, directory, group).groups; known && directory.may_walk())
        return *known;
    // This adds other groups to the cache, or empties it.
    std::vector<Id> groups = groups_of(catalog, directory, group, nested_groups_max + 1);
    auto &place = entry(catalog, directory, group).groups;
    place = std::move(groups);
    // What a read that failed has found is not remembered.
    if (!directory.txn().good() || !directory.may_walk()) txn_ = 0;
    return *place;
}

}  // namespace scim::service
