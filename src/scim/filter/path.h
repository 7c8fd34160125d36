#pragma once
// The path of a PATCH operation (RFC 7644 3.5.2).
//
//     path := name [ "[" filter "]" [ "." part ] ]
//     name := attribute | attribute "." part | URN ":" attribute [ "." part ] | URN of an extension
//
// For an attribute with simple elements, `value`, in brackets or after a dot, is the element itself
// (RFC 7643 2.4). Names match in any case. Deviations (Dialect): an extension's attribute without
// the URN (unprefixed-extension), brackets behind an attribute that is not multi-valued
// (filter-on-singular).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/filter/filter.h"
#include "scim/resource/dialect.h"
#include "scim/schema/catalog.h"
#include "scim/text/result.h"

namespace scim {

struct PathLimits {
    size_t length = 1024;  // bytes
    FilterLimits filter;
};

struct Path {
    const Attr *attr = nullptr;  // a top-level attribute; nullptr for a whole extension
    const Attr *part = nullptr;  // of `attr`, if one is named
    int extension = -1;          // the bit of the extension, if the path is its URN
    // The filter in brackets, for Filter::matches_element(). The members of a group are rows and
    // not elements: they have `member_ids`, the ids of `value eq "…" or value eq "…"`, which is the
    // only filter that they can have.
    std::optional<Filter> filter;
    std::optional<std::vector<std::string>> member_ids;

    bool has_brackets() const { return filter || member_ids; }
};

// 400 invalidPath for a malformed path, 400 invalidFilter for a malformed filter in it, both with
// the position (1-based, in characters). If `type` does not have the attribute, nullopt and a
// report (Dialect::unknown_attribute()), or 400 invalidPath under scim_profile rfc.
Result<std::optional<Path>> parse_path(const TypeView &type, std::string_view text,
                                       const PathLimits &limits, Dialect &dialect);

}  // namespace scim
