#pragma once
// The built-in definitions as JSON, in the form of an operator's schema files. They contain only
// what differs from the defaults of RFC 7643 2.2. builtin_schemas() loads them.

namespace scim {

extern const char *const user_schema_json;
extern const char *const enterprise_user_schema_json;
extern const char *const user_resource_type_json;

extern const char *const group_schema_json;
extern const char *const group_resource_type_json;

extern const char *const service_provider_config_schema_json;
extern const char *const resource_type_schema_json;
extern const char *const schema_schema_json;

}  // namespace scim
