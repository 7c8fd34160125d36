#pragma once
// The range of index rows that may satisfy a term of a filter.

#include <optional>
#include <string>
#include <vector>

#include "scim/filter/filter.h"
#include "store/trigrams.h"

namespace scim::service {

struct IndexRange {
    std::string from, to;    // see Directory::each_row()
    bool exact = false;      // false: the record must be checked, too
    bool one_value = false;  // the rows are in the order of their ids
};

// Nothing if the index cannot answer the term. REQUIRES: the attribute of the term has an index
// that is ready.
std::optional<IndexRange> index_range(const FilterNode &term);

// The trigrams that a value has if `value op literal` holds, at most term_trigrams_most; none if the
// term has no string, or a literal that is too short: less than three bytes, or two at the beginning
// or end of a value. Of a longer literal, the first trigrams are enough, because candidates are
// tested.
constexpr size_t term_trigrams_most = 32;
std::vector<store::Trigram> term_trigrams(const FilterNode &term);

}  // namespace scim::service
