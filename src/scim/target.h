#pragma once
// What a request is addressed to: the path below the base URL,
// and the query parameters of RFC 7644 table 5.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "scim/catalog.h"
#include "scim/dialect.h"
#include "scim/id.h"
#include "scim/result.h"

namespace scim {

enum class Endpoint : uint8_t {
    root,
    resources,  // /Users
    resource,   // /Users/{id}
    search,     // /.search, /Users/.search
    service_provider_config,
    resource_types,
    resource_type,  // /ResourceTypes/User
    schemas,
    schema,  // /Schemas/urn:…
    me,
    bulk,
};

struct Target {
    Endpoint endpoint = Endpoint::root;
    const TypeView *type = nullptr;  // of resources, resource and /Users/.search
    std::optional<Id> id;            // of `resource`; nothing if the text cannot be an id of ours
    // The last segment of resource, resource_type and schema; points into the path.
    std::string_view name;
};

// `path` is percent-decoded and begins after the base URL: "/Users/…" or "".
// Slashes may be doubled or trail (K01). 404 for what is no endpoint,
// with a hint where the path is a near miss (a missing slash, another case, /v2 twice);
// 400 invalidVers for a version other than v2 in front of an endpoint (S-44).
Result<Target> parse_target(const Catalog &catalog, std::string_view path);

struct Query {
    std::optional<std::string> filter, attributes, excluded_attributes, sort_by, sort_order;
    std::optional<int64_t> start_index, count;  // as sent; see list.h for what they mean
};

// True for what no resource type can have as its endpoint: "Schemas", "Me", "v2", … in any case.
bool is_protocol_endpoint(std::string_view segment);

// The query string as it stands in the request target: %-escapes and '+' for blank (S-50),
// raw quotes allowed. Names of parameters match in any case; unknown ones are ignored (S-51);
// of one given twice the first counts. An empty value of `filter` is 400 invalidFilter;
// startIndex and count that are no integers are 400 invalidValue (S-95), but "count=" is none, which
// is reported by Dialect (empty-parameter).
// Integers beyond 64 bits are clamped. A broken %-escape, U+0000 or bytes that
// are not UTF-8 are 400 invalidValue (invalidFilter inside `filter`).
Result<Query> parse_query(std::string_view args, Dialect &dialect);

}  // namespace scim
