#pragma once
// What declare() does to the indexes.

#include <algorithm>
#include <vector>

#include "scim/schema/catalog.h"

namespace scim {

template <class Rows>
uint16_t largest_number(const Rows &rows) {
    uint16_t last = 0;
    for (const auto &row : rows) last = std::max<uint16_t>(last, row.number);
    return last;
}

template <class Rows>
uint16_t next_number(const Rows &rows) {
    return uint16_t(largest_number(rows) + 1);
}

// The indexes after a declaration. `before`: the rows before it; `after`: the catalog after it, with
// the indexes before it. `retries`: an index in conflict is built again. Fails if attribute_of() an
// index of `wanted` fails.
Result<std::vector<IndexDef>> declare_indexes(const CatalogRows &before, const Catalog &after,
                                              const std::vector<WantedIndex> &wanted, bool retries);

}  // namespace scim
