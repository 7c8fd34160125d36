#pragma once
// The range of index rows that a term of a filter is about.

#include <optional>
#include <string>

#include "scim/filter/filter.h"

namespace scim::service {

struct IndexRange {
    std::string from, to;    // see Directory::each_row()
    bool exact = false;      // false: the record decides
    bool one_value = false;  // the rows are in the order of their ids
};

// Nothing if the rows say nothing about the term. REQUIRES: a term on an attribute with an index
// that is ready.
std::optional<IndexRange> index_range(const FilterNode &term);

}  // namespace scim::service
