#pragma once
// What make_declaration() checks in schemas of an operator. Published schemas must say what the
// server enforces, so what it cannot enforce is refused. The detail of an error quotes the URN and
// the attribute.

#include <vector>

#include "scim/schema/catalog.h"

namespace scim {

// "uniqueness" is enforced for stored values, separately for each resource type and tenant, and for
// each value of a multi-valued attribute. Refused are "global", an attribute whose values are
// computed, and one that is never returned, because a refusal would reveal its values.
Outcome check_uniqueness(const Schema &schema);

// "referenceTypes" name resource types, or are "external" or "uri" (RFC 7643 7).
Outcome check_references(const Schema &schema, const std::vector<ResourceType> &types);

// The URN of a schema is not the path of an attribute of another schema of the resource type, such
// as "urn:a:b:tel" beside the attribute "tel" of "urn:a:b": the path would have two meanings.
// REQUIRES: the schemas of `type` are in `schemas`.
Outcome check_urns(const ResourceType &type, const std::vector<Schema> &schemas);

// At most max_types resource types, and max_unique unique attributes of each.
Outcome check_limits(const Declaration &declaration);

// Adds each resource type whose schema has `groups` to the member types of the groups that it
// refers to, if their schema is one of the first `builtin` schemas. A schema of an operator says
// itself what its members are.
void admit_members(Declaration &declaration, size_t builtin);

}  // namespace scim
