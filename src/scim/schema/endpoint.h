#pragma once
// The endpoints of RFC 7644 3.2. A resource type cannot use an endpoint that the protocol defines.

#include <cstdint>
#include <string_view>

namespace scim {

enum class Endpoint : uint8_t {
    root,
    resources,  // /Users
    resource,   // /Users/{id}
    search,     // /.search, /Users/.search
    service_provider_config,
    resource_types,
    resource_type,  // /ResourceTypes/User
    schemas,
    schema,  // /Schemas/urn:…
    me,
    bulk,
};

struct ProtocolEndpoint {
    std::string_view segment;
    Endpoint endpoint;
};

inline constexpr ProtocolEndpoint protocol_endpoints[] = {
    {"ServiceProviderConfig", Endpoint::service_provider_config},
    {"ResourceTypes", Endpoint::resource_types},
    {"Schemas", Endpoint::schemas},
    {"Me", Endpoint::me},
    {"Bulk", Endpoint::bulk},
    {".search", Endpoint::search},
};

// True for a version of the protocol in a path (RFC 7644 3.13): "v2", "v1", "v10", "v2.1".
bool is_version(std::string_view segment);

// True for a path segment, in any case, that a resource type cannot have as its endpoint: one of
// `protocol_endpoints`, or a version.
bool is_protocol_endpoint(std::string_view segment);

}  // namespace scim
