#pragma once
// The range of index rows that may satisfy a term of a filter.

#include <optional>
#include <string>

#include "scim/filter/filter.h"

namespace scim::service {

struct IndexRange {
    std::string from, to;    // see Directory::each_row()
    bool exact = false;      // false: the record must be checked, too
    bool one_value = false;  // the rows are in the order of their ids
};

// Nothing if the index cannot answer the term. REQUIRES: the attribute of the term has an index
// that is ready.
std::optional<IndexRange> index_range(const FilterNode &term);

}  // namespace scim::service
