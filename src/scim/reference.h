#pragma once
// The URI of a resource in a `$ref` (RFC 7643 2.3.7), read for the id in it.

#include <optional>
#include <string_view>

#include "scim/catalog.h"
#include "scim/json.h"

namespace scim {

// The last segment of `uri` if the one before it is the endpoint ("/Users"): the id, of whatever
// form, that "https://host/scim/v2/Users/ID", "../Users/ID" and "Users/ID" have. A query, a fragment
// and a slash at the end are left out. Nothing for any other text, and for an escaped id.
std::optional<std::string_view> id_in_uri(std::string_view uri, std::string_view endpoint);

// The `value` of a reference such as manager, out of `uri`, the `$ref` that is sent in its place:
// `$ref` is made from it. Nothing if `part` is no such `$ref`, or no id is in the URI.
Json referenced_value(const TypeView &type, const Attr &part, const json_t *uri);

}  // namespace scim
