// The schemas of the discovery resources (RFC 7643 5 to 7). Differences from RFC 7643 8.7.2, with
// the errata of RFC 7643: `etag`, and `type` and `primary` of authenticationSchemes are defined
// (erratum 8011); schemaExtensions is multi-valued (7522) and not required; the name and endpoint
// of a resource type are unique and the endpoint is caseExact (8475); `binary` is a type (5606,
// 8435); a sub-attribute is never complex (8415) and its referenceTypes are multi-valued (5607).

#include "scim/schema/builtin_definitions.h"

namespace scim {

// `pagination` is defined by RFC 9865 4.
const char *const service_provider_config_schema_json = R"json({
"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
"id": "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig",
"name": "Service Provider Configuration",
"description": "What this service provider supports",
"attributes": [
    {"name": "documentationUri", "type": "reference", "referenceTypes": ["external"], "mutability": "readOnly",
     "description": "The URL of the service provider's documentation."},
    {"name": "patch", "type": "complex", "required": true, "mutability": "readOnly",
     "description": "The PATCH method.",
     "subAttributes": [
        {"name": "supported", "type": "boolean", "required": true, "mutability": "readOnly",
         "description": "Whether it is supported."}]},
    {"name": "bulk", "type": "complex", "required": true, "mutability": "readOnly",
     "description": "Bulk requests.",
     "subAttributes": [
        {"name": "supported", "type": "boolean", "required": true, "mutability": "readOnly",
         "description": "Whether they are supported."},
        {"name": "maxOperations", "type": "integer", "required": true, "mutability": "readOnly",
         "description": "The largest number of operations in one request."},
        {"name": "maxPayloadSize", "type": "integer", "required": true, "mutability": "readOnly",
         "description": "The largest size of one request in bytes."}]},
    {"name": "filter", "type": "complex", "required": true, "mutability": "readOnly",
     "description": "The filter parameter of queries.",
     "subAttributes": [
        {"name": "supported", "type": "boolean", "required": true, "mutability": "readOnly",
         "description": "Whether it is supported."},
        {"name": "maxResults", "type": "integer", "required": true, "mutability": "readOnly",
         "description": "The largest number of resources in one response."}]},
    {"name": "changePassword", "type": "complex", "required": true, "mutability": "readOnly",
     "description": "Changing a user's password.",
     "subAttributes": [
        {"name": "supported", "type": "boolean", "required": true, "mutability": "readOnly",
         "description": "Whether it is supported."}]},
    {"name": "sort", "type": "complex", "required": true, "mutability": "readOnly",
     "description": "The sortBy parameter of queries.",
     "subAttributes": [
        {"name": "supported", "type": "boolean", "required": true, "mutability": "readOnly",
         "description": "Whether it is supported."}]},
    {"name": "etag", "type": "complex", "required": true, "mutability": "readOnly",
     "description": "Entity tags and conditional requests.",
     "subAttributes": [
        {"name": "supported", "type": "boolean", "required": true, "mutability": "readOnly",
         "description": "Whether they are supported."}]},
    {"name": "authenticationSchemes", "type": "complex", "multiValued": true, "required": true,
     "mutability": "readOnly",
     "description": "The ways in which a client can authenticate itself.",
     "subAttributes": [
        {"name": "type", "required": true, "mutability": "readOnly",
         "canonicalValues": ["oauth", "oauth2", "oauthbearertoken", "httpbasic", "httpdigest"],
         "description": "The authentication scheme."},
        {"name": "name", "required": true, "mutability": "readOnly",
         "description": "The common name of the scheme, such as 'HTTP Basic'."},
        {"name": "description", "required": true, "mutability": "readOnly",
         "description": "A description of the scheme."},
        {"name": "specUri", "type": "reference", "referenceTypes": ["external"], "mutability": "readOnly",
         "description": "The URL of the scheme's specification."},
        {"name": "documentationUri", "type": "reference", "referenceTypes": ["external"], "mutability": "readOnly",
         "description": "The URL of documentation on how to use the scheme."},
        {"name": "primary", "type": "boolean", "mutability": "readOnly",
         "description": "Whether this is the preferred scheme. At most one is."}]},
    {"name": "pagination", "type": "complex", "mutability": "readOnly",
     "description": "Paging through the results of queries.",
     "subAttributes": [
        {"name": "cursor", "type": "boolean", "required": true, "mutability": "readOnly",
         "description": "Whether paging by cursor is supported."},
        {"name": "index", "type": "boolean", "required": true, "mutability": "readOnly",
         "description": "Whether paging by startIndex is supported."},
        {"name": "defaultPaginationMethod", "mutability": "readOnly", "canonicalValues": ["cursor", "index"],
         "description": "How results are paged if the client does not say."},
        {"name": "defaultPageSize", "type": "integer", "mutability": "readOnly",
         "description": "The number of resources in a page if the client does not say."},
        {"name": "maxPageSize", "type": "integer", "mutability": "readOnly",
         "description": "The largest number of resources in a page."},
        {"name": "cursorTimeout", "type": "integer", "mutability": "readOnly",
         "description": "The number of seconds for which a cursor is valid at least."}]}
]})json";

const char *const resource_type_schema_json = R"json({
"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
"id": "urn:ietf:params:scim:schemas:core:2.0:ResourceType",
"name": "ResourceType",
"description": "A kind of resource and the schemas it is made of",
"attributes": [
    {"name": "id", "mutability": "readOnly",
     "description": "The id of the resource type, the same as its name."},
    {"name": "name", "required": true, "mutability": "readOnly", "uniqueness": "server",
     "description": "The name of the resource type, which is also in meta.resourceType of its resources."},
    {"name": "description", "mutability": "readOnly",
     "description": "A description of the resource type."},
    {"name": "endpoint", "type": "reference", "referenceTypes": ["uri"], "required": true,
     "mutability": "readOnly", "uniqueness": "server",
     "description": "The endpoint of the resources relative to the base URL, such as '/Users'."},
    {"name": "schema", "type": "reference", "referenceTypes": ["uri"], "required": true, "mutability": "readOnly",
     "description": "The URI of the base schema, which is the id of a Schema resource."},
    {"name": "schemaExtensions", "type": "complex", "multiValued": true, "mutability": "readOnly",
     "description": "The extensions of the resource type.",
     "subAttributes": [
        {"name": "schema", "type": "reference", "referenceTypes": ["uri"], "required": true,
         "mutability": "readOnly",
         "description": "The URI of an extension, which is the id of a Schema resource."},
        {"name": "required", "type": "boolean", "required": true, "mutability": "readOnly",
         "description": "Whether every resource has to have this extension."}]}
]})json";

// The only schema in which a sub-attribute has sub-attributes.
const char *const schema_schema_json = R"json({
"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
"id": "urn:ietf:params:scim:schemas:core:2.0:Schema",
"name": "Schema",
"description": "The attributes of a kind of resource or of an extension",
"attributes": [
    {"name": "id", "required": true, "mutability": "readOnly", "returned": "always",
     "description": "The URI of the schema."},
    {"name": "name", "required": true, "mutability": "readOnly",
     "description": "The name of the schema for people."},
    {"name": "description", "mutability": "readOnly",
     "description": "A description of the schema."},
    {"name": "attributes", "type": "complex", "multiValued": true, "required": true, "mutability": "readOnly",
     "description": "The attributes and what characterises them.",
     "subAttributes": [
        {"name": "name", "required": true, "caseExact": true, "mutability": "readOnly",
         "description": "The name of the attribute."},
        {"name": "type", "required": true, "mutability": "readOnly",
         "canonicalValues": ["string", "complex", "boolean", "decimal", "integer", "dateTime", "binary", "reference"],
         "description": "The data type of the attribute."},
        {"name": "multiValued", "type": "boolean", "required": true, "mutability": "readOnly",
         "description": "Whether the attribute is an array of values."},
        {"name": "description", "caseExact": true, "mutability": "readOnly",
         "description": "A description of the attribute."},
        {"name": "required", "type": "boolean", "mutability": "readOnly",
         "description": "Whether every resource has to have a value."},
        {"name": "canonicalValues", "multiValued": true, "caseExact": true, "mutability": "readOnly",
         "description": "Suggested values, such as 'work' and 'home'."},
        {"name": "caseExact", "type": "boolean", "mutability": "readOnly",
         "description": "Whether the case of a value matters when it is compared."},
        {"name": "mutability", "caseExact": true, "mutability": "readOnly",
         "canonicalValues": ["readOnly", "readWrite", "immutable", "writeOnly"],
         "description": "Whether and when the value can be changed."},
        {"name": "returned", "caseExact": true, "mutability": "readOnly",
         "canonicalValues": ["always", "never", "default", "request"],
         "description": "When the attribute is returned."},
        {"name": "uniqueness", "caseExact": true, "mutability": "readOnly",
         "canonicalValues": ["none", "server", "global"],
         "description": "Among which resources a value has to be unique."},
        {"name": "referenceTypes", "multiValued": true, "caseExact": true, "mutability": "readOnly",
         "description": "What a reference may lead to: the names of resource types, 'external' or 'uri'."},
        {"name": "subAttributes", "type": "complex", "multiValued": true, "mutability": "readOnly",
         "description": "The parts of a complex attribute.",
         "subAttributes": [
            {"name": "name", "required": true, "caseExact": true, "mutability": "readOnly",
             "description": "The name of the sub-attribute."},
            {"name": "type", "required": true, "mutability": "readOnly",
             "canonicalValues": ["string", "boolean", "decimal", "integer", "dateTime", "binary", "reference"],
             "description": "The data type of the sub-attribute, never complex."},
            {"name": "multiValued", "type": "boolean", "required": true, "mutability": "readOnly",
             "description": "Whether the sub-attribute is an array of values."},
            {"name": "description", "caseExact": true, "mutability": "readOnly",
             "description": "A description of the sub-attribute."},
            {"name": "required", "type": "boolean", "mutability": "readOnly",
             "description": "Whether every value of the attribute has to have the sub-attribute."},
            {"name": "canonicalValues", "multiValued": true, "caseExact": true, "mutability": "readOnly",
             "description": "Suggested values, such as 'work' and 'home'."},
            {"name": "caseExact", "type": "boolean", "mutability": "readOnly",
             "description": "Whether the case of a value matters when it is compared."},
            {"name": "mutability", "caseExact": true, "mutability": "readOnly",
             "canonicalValues": ["readOnly", "readWrite", "immutable", "writeOnly"],
             "description": "Whether and when the value can be changed."},
            {"name": "returned", "caseExact": true, "mutability": "readOnly",
             "canonicalValues": ["always", "never", "default", "request"],
             "description": "When the sub-attribute is returned."},
            {"name": "uniqueness", "caseExact": true, "mutability": "readOnly",
             "canonicalValues": ["none", "server", "global"],
             "description": "Among which resources a value has to be unique."},
            {"name": "referenceTypes", "multiValued": true, "caseExact": true, "mutability": "readOnly",
             "description": "What a reference may lead to: the names of resource types, 'external' or 'uri'."}]}]}
]})json";

}  // namespace scim
