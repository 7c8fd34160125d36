#pragma once
// The built-in definitions as JSON, in the form an operator's files have. They say only what
// differs from RFC 7643 2.2's defaults; builtin_schemas() loads them.

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
