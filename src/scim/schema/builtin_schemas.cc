#include <initializer_list>
#include <stdexcept>

#include "scim/schema/builtin_definitions.h"
#include "scim/schema/schema.h"

namespace scim {

namespace {

Definition load_builtin(const char *json) {
    Result<Definition> definition = load_definition(json);
    if (!definition) throw std::logic_error("built-in definition: " + definition.error().detail);
    return std::move(*definition);
}

std::vector<Schema> load_schemas(std::initializer_list<const char *> all) {
    std::vector<Schema> schemas;
    for (const char *json : all) schemas.push_back(load_builtin(json).schema);
    return schemas;
}

}  // namespace

const std::vector<Schema> &builtin_schemas() {
    static const std::vector<Schema> all = load_schemas({
        user_schema_json,
        enterprise_user_schema_json,
        group_schema_json,
        service_provider_config_schema_json,
        resource_type_schema_json,
        schema_schema_json,
    });
    return all;
}

const std::vector<ResourceType> &builtin_resource_types() {
    static const std::vector<ResourceType> all = {
        load_builtin(user_resource_type_json).resource_type,
        load_builtin(group_resource_type_json).resource_type,
    };
    return all;
}

}  // namespace scim
