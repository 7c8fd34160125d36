#pragma once
// `$ref`, the URI of a resource (RFC 7643 2.3.7, 2.4): the id in it, and which are computed.

#include <optional>
#include <string_view>

#include "scim/schema/catalog.h"
#include "scim/text/json.h"

namespace scim {

// The last segment of `uri` if the segments before it end with `endpoint` ("/Users"): ID in
// "https://host/scim/v2/Users/ID", "../Users/ID" and "Users/ID". Its form is not checked. A query,
// a fragment and a trailing slash are ignored. nullopt for any other text, and if the id is
// percent-encoded.
std::optional<std::string_view> id_in_uri(std::string_view uri, std::string_view endpoint);

// The `value` of a reference such as manager, taken from `uri`, the `$ref` that was sent instead of
// it (the server stores `value` and computes `$ref`). Null if `part` is not such a `$ref`, or the
// URI contains no id.
Json referenced_value(const TypeView &type, const Attr &part, const json_t *uri);

// The stored `$ref` beside the part `value` of a complex attribute, of which `value` is the id of a
// resource; nullptr if there is none. The server computes it from `value` when it sends the
// resource.
const Attr *stored_ref(const Attr &value);

// True if this `$ref` may also be a URI that is not of this server, which is sent as it was
// received: "external" or "uri" is among its referenceTypes.
bool refers_elsewhere(const Attr &ref);

}  // namespace scim
