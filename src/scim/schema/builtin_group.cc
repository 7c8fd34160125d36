// Group (RFC 7643 4.2). Differences from RFC 7643 8.7.1: displayName is required (RFC 7643 erratum
// 5368), and unique on the server because identity providers match groups by it; members.value is
// caseExact, as it is an id; members.display is defined and, like members.$ref, computed.

#include "scim/schema/builtin_definitions.h"

namespace scim {

const char *const group_schema_json = R"json({
"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
"id": "urn:ietf:params:scim:schemas:core:2.0:Group",
"name": "Group",
"description": "Group",
"attributes": [
    {"name": "displayName", "required": true, "uniqueness": "server",
     "description": "The name of the group. No two groups have the same, whatever its case."},
    {"name": "members", "type": "complex", "multiValued": true,
     "description": "The members of the group.",
     "subAttributes": [
        {"name": "value", "caseExact": true, "mutability": "immutable",
         "description": "The id of the member, a User or a Group."},
        {"name": "$ref", "type": "reference", "referenceTypes": ["User", "Group"],
         "mutability": "immutable",
         "description": "The URL of the member."},
        {"name": "display", "mutability": "readOnly",
         "description": "The name of the member."},
        {"name": "type", "canonicalValues": ["User", "Group"], "mutability": "immutable",
         "description": "What the member is."}]}
]})json";

const char *const group_resource_type_json = R"json({
"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
"id": "Group",
"name": "Group",
"description": "Group",
"endpoint": "/Groups",
"schema": "urn:ietf:params:scim:schemas:core:2.0:Group"
})json";

}  // namespace scim
