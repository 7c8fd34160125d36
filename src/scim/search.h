#pragma once
// The body of POST …/.search: a query that a URL cannot or should not hold (RFC 7644 3.4.3).

#include "scim/json.h"
#include "scim/target.h"

namespace scim {

inline constexpr std::string_view search_request_urn =
    "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

// SearchRequest as the query it stands for. Members match in any case, null is absent, unknown ones
// are ignored. 400 invalidSyntax without the URN among `schemas` (S-105); 400 invalidValue for a
// member of another type, invalidFilter for such a `filter` or an empty one.
//
// Also read, and reported by Dialect: integers as strings (string-number), "" as an integer
// (empty-parameter), and names as the text that a URL has (single-value).
Result<Query> read_search(const json_t *body, Dialect &dialect);

}  // namespace scim
