#pragma once
// What a PATCH operation is addressed to (RFC 7644 3.5.2, S-114, S-115).
//
//     path := name [ "[" filter "]" [ "." part ] ]
//     name := attribute | attribute "." part | URN ":" attribute [ "." part ] | URN of an extension
//
// `value` behind an attribute of simple elements, in brackets or after a point, is the element itself
// (RFC 7643 2.4). Names match in any case. Also read, and reported by Dialect: an extension's attribute without its
// URN (unprefixed-extension), brackets behind an attribute that is not multi-valued
// (filter-on-singular).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/catalog.h"
#include "scim/dialect.h"
#include "scim/filter.h"
#include "scim/result.h"

namespace scim {

struct PathLimits {
    size_t length = 1024;  // bytes
    FilterLimits filter;
};

struct Path {
    const Attr *attr = nullptr;  // a top-level attribute; nullptr for a whole extension
    const Attr *part = nullptr;  // of `attr`, if one is named
    int extension = -1;          // its bit, if the path is its URN
    // The brackets: an element filter (Filter::matches_element()). Members of a group are rows, not
    // elements: theirs are the ids of `value eq "…" or value eq "…"`, and no other filter is read.
    std::optional<Filter> filter;
    std::optional<std::vector<std::string>> member_ids;

    bool has_brackets() const { return filter || member_ids; }
};

// 400 invalidPath for a malformed path, invalidFilter for a malformed filter in it, both with the
// position (1-based, in characters). A path to an attribute that `type` lacks is
// Dialect::unknown_attribute(): nothing, or 400 invalidPath.
Result<std::optional<Path>> parse_path(const TypeView &type, std::string_view text,
                                       const PathLimits &limits, Dialect &dialect);

}  // namespace scim
