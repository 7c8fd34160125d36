#pragma once
// How a filter is answered: from the index row that narrows it most, with the rest verified on the
// records.

#include <vector>

#include "scim/filter.h"
#include "store/directory.h"

namespace scim::service {

// The ids of the resources that match, in ascending order. The filter, or one of its conjuncts,
// must be `eq` on an attribute whose index is ready; otherwise 400 invalidFilter that names the
// indexed attributes. 400 tooMany for more than 10,000 index rows.
Result<std::vector<Id>> find_matches(const Filter &filter, const Catalog &catalog,
                                     const TypeView &type, std::string_view base_url,
                                     store::Directory &directory);

}  // namespace scim::service
