#include "service/group_cache.h"

#include "service/render.h"

namespace scim::service {

namespace {

CachedGroup read_group(const Catalog &catalog, store::Directory &directory, const Id &id) {
    for (const TypeView *type : catalog.group_types())
        if (auto record = directory.record(type->number, id))
            return {type, record->header().member_epoch, std::string(display_of(*type, *record))};
    return {};
}

}  // namespace

const CachedGroup &GroupCache::at(const Catalog &catalog, store::Directory &directory,
                                  const Id &id) {
    if (directory.txn().id() != txn_ || groups_.size() > groups_max) groups_.clear();
    txn_ = directory.txn().id();
    auto [place, is_new] = groups_.try_emplace({directory.tenant(), id});
    if (!is_new) return place->second;
    place->second = read_group(catalog, directory, id);
    // What a read that failed has found is not remembered.
    if (!directory.txn().good() || !directory.may_walk()) txn_ = 0;
    return place->second;
}

}  // namespace scim::service
