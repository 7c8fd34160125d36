#pragma once
// The three endpoints by which a client learns what a server is:
// ServiceProviderConfig, ResourceTypes and Schemas (RFC 7644 4, RFC 7643 5 to 7).
// They say what is enforced, nothing else (S-43).

#include <string>
#include <string_view>

#include "scim/catalog.h"
#include "scim/result.h"

namespace scim {

// What differs between locations.
struct Features {
    uint64_t max_results = 1000;
    bool bearer_token = true;  // an authentication scheme to publish; false: scim_auth off
};

void write_service_provider_config(std::string &out, const Features &features,
                                   std::string_view base_url);

// A ListResponse of all, in the order of declaration.
void write_resource_types(std::string &out, const Catalog &catalog, std::string_view base_url);
void write_schemas(std::string &out, const Catalog &catalog, std::string_view base_url);

// One of them; 404 for an unknown name. A ResourceType's name matches as it is written, a Schema's
// URN in any case (S-168).
Outcome write_resource_type(std::string &out, const Catalog &catalog, std::string_view name,
                            std::string_view base_url);
Outcome write_schema(std::string &out, const Catalog &catalog, std::string_view urn,
                     std::string_view base_url);

}  // namespace scim
