#pragma once
// Users of the population in the form in which the store writes them, made before the measurement.

#include <memory>
#include <string>

#include "scim/schema/catalog.h"
#include "store/directory.h"

namespace bench {

constexpr int64_t first_time = 1700000000000;  // milliseconds; user n is created n ms later

// The catalog of a new store with only the built-in schemas.
std::shared_ptr<const scim::Catalog> new_catalog();

// The edit that creates user `number` as change `position` of its tenant.
scim::store::ResourceEdit create_user(const scim::Catalog &catalog, uint64_t number,
                                      uint64_t position);

// Prints "bench: WHAT" on stderr and exits with status 1.
[[noreturn]] void die(const std::string &what);

}  // namespace bench
