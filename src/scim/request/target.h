#pragma once
// The request target: the path below the base URL, and the query parameters (RFC 7644 3.4.2, 3.9).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "scim/resource/dialect.h"
#include "scim/schema/catalog.h"
#include "scim/schema/endpoint.h"
#include "scim/text/id.h"
#include "scim/text/result.h"

namespace scim {

struct Target {
    Endpoint endpoint = Endpoint::root;
    const TypeView *type = nullptr;  // of resources, resource and /Users/.search
    // The id in the path of a `resource`; nullopt if `name` is not an id that this server makes.
    std::optional<Id> id;
    // The last segment of a resource, resource_type or schema; points into the path.
    std::string_view name;
    bool is_me = false;  // a `resource` that the client has addressed as /Me
};

// `path` is percent-decoded and begins after the base URL: "/Users/…" or "". Doubled and trailing
// slashes are ignored, because clients such as Keycloak send them. 404 if the path is not an
// endpoint, with a hint for a likely mistake (a missing slash, another case, /v2 twice); 400
// invalidVers for a version other than v2 in front of an endpoint (RFC 7644 3.13).
Result<Target> parse_target(const Catalog &catalog, std::string_view path);

struct Query {
    std::optional<std::string> filter, attributes, excluded_attributes, sort_by, sort_order;
    std::optional<int64_t> start_index, count;  // as sent; page_of() (list.h) applies the bounds
    // Absent: paging by startIndex. Empty: the first page by cursor. Else the cursor of a later page.
    std::optional<std::string> cursor;
};

// Parses the query string of the request target, with %-escapes and "+" for a blank; unescaped
// double quotes are allowed. Names of parameters match in any case; unknown parameters are ignored;
// of a parameter that occurs twice, the first counts. Integers beyond 64 bits are clamped. "count="
// and "startIndex=" mean absent, which is a deviation (empty-parameter). Errors:
//   400 invalidFilter  `filter` is empty
//   400 invalidValue   startIndex or count is not an integer
//   400 invalidValue   an invalid %-escape, U+0000, or invalid UTF-8 (invalidFilter in `filter`)
Result<Query> parse_query(std::string_view args, Dialect &dialect);

}  // namespace scim
