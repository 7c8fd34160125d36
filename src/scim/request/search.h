#pragma once
// The body of POST …/.search (RFC 7644 3.4.3): a query that is not sent in the URL.

#include "scim/request/target.h"
#include "scim/text/json.h"

namespace scim {

inline constexpr std::string_view search_request_urn =
    "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

// The query of a SearchRequest. Names of members match in any case; null means absent; unknown
// members are ignored. 400 invalidSyntax if `schemas` does not contain the URN; 400 invalidValue if
// a member has the wrong type, 400 invalidFilter if `filter` has, or is empty.
//
// Deviations (Dialect): integers as strings (string-number), "" as an integer, which means absent
// (empty-parameter), and attribute names as one string, comma-separated as in a URL (single-value).
Result<Query> read_search(const json_t *body, Dialect &dialect);

}  // namespace scim
