#include "service/mass_deactivation.h"

#include "scim/text/result.h"
#include "store/lockouts.h"

namespace scim::service {

namespace {

constexpr int64_t warning_interval = 3600 * 1000;  // milliseconds

uint64_t users_of(store::Txn &txn, const Catalog &catalog, store::TenantNumber tenant) {
    store::Directory directory(txn, tenant);
    uint64_t users = 0;
    for (const auto &type : catalog.types())
        if (store::has_users(*type)) users += directory.count(type->number);
    return users;
}

}  // namespace

std::string note_lockout(store::WriteTxn &txn, const Catalog &catalog, store::TenantNumber tenant,
                         std::string_view name, bool deleted, int64_t time) {
    store::Lockouts lockouts = store::lockouts_of(txn, tenant);
    lockouts.add(time, deleted);
    const store::Lockouts::Count sum = lockouts.sum();
    const uint64_t lost = uint64_t(sum.deactivated) + sum.deleted;
    const uint64_t users = users_of(txn, catalog, tenant) + sum.deleted;
    const bool is_due = lost >= mass_deactivation_min && lost * mass_deactivation_one_of > users &&
                        (lockouts.warned == 0 || time - lockouts.warned >= warning_interval);
    if (is_due) lockouts.warned = time;
    store::put_lockouts(txn, tenant, lockouts);
    if (!is_due) return {};
    return std::to_string(lost) + " of " + std::to_string(users) + " users of tenant " +
           quoted(name) +
           " were deactivated or deleted within an hour; if that is not intended, stop the "
           "provisioning and check the assignments and the scope in the identity provider; "
           "\"scimctl log --tenant " +
           std::string(name) + "\" lists the changes";
}

}  // namespace scim::service
