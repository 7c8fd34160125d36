#pragma once
// Users of the population as the store would write them, made before anything is measured.

#include <memory>
#include <string>

#include "scim/catalog.h"
#include "store/directory.h"

namespace bench {

constexpr int64_t first_time = 1700000000000;  // milliseconds; user n was created n ms later

// The catalog of a new store without schemas of its own.
std::shared_ptr<const scim::Catalog> new_catalog();

// What creating user `number` writes as change `position` of its tenant.
scim::store::ResourceEdit create_user(const scim::Catalog &catalog, uint64_t number,
                                      uint64_t position);

// Says what failed on stderr and ends the program.
[[noreturn]] void die(const std::string &what);

}  // namespace bench
