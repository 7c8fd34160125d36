#pragma once
// The discovery endpoints ServiceProviderConfig, ResourceTypes and Schemas (RFC 7644 4, RFC 7643 5
// to 7). What they publish is what the server enforces.

#include <string>
#include <string_view>

#include "scim/schema/catalog.h"
#include "scim/text/result.h"

namespace scim {

// Settings that differ between locations.
struct Features {
    uint64_t max_results = 1000;
    bool bearer_token = true;  // publish this authentication scheme; false for scim_auth off
    int64_t cursor_timeout = 24 * 60 * 60;  // seconds
    uint64_t bulk_max_operations = 1000;
    uint64_t bulk_max_payload = 1 << 20;  // bytes
};

void write_service_provider_config(std::string &out, const Features &features,
                                   std::string_view base_url);

// A ListResponse of all resource types or schemas, in the order of their numbers.
void write_resource_types(std::string &out, const Catalog &catalog, std::string_view base_url);
void write_schemas(std::string &out, const Catalog &catalog, std::string_view base_url);

// One resource type or schema; 404 for an unknown name. The name of a resource type is
// case-sensitive, the URN of a schema is not.
Outcome write_resource_type(std::string &out, const Catalog &catalog, std::string_view name,
                            std::string_view base_url);
Outcome write_schema(std::string &out, const Catalog &catalog, std::string_view urn,
                     std::string_view base_url);

}  // namespace scim
