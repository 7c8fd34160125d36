#pragma once
// What another SCIM server says about itself, for a copy of its resources (scimctl import --from):
// how it pages lists, and its resource types.

#include <string>
#include <string_view>
#include <vector>

#include "scim/text/json.h"

namespace scim::service {

constexpr size_t remote_body_most = size_t(64) << 20;  // bytes of an answer

// A JSON object in an answer of the server.
Result<Json> parse_remote(std::string_view body);

// How lists are paged.
struct RemotePaging {
    bool by_cursor = false;      // RFC 9865; otherwise by startIndex
    uint64_t most = UINT64_MAX;  // resources on a page by cursor
};
// Reads a ServiceProviderConfig. A server that has none is paged by startIndex.
Result<RemotePaging> read_paging(std::string_view body);

struct RemoteType {
    std::string endpoint;        // "/Users"
    bool has_members = false;    // groups
    bool may_be_absent = false;  // the server has not named the type
};
// Reads /ResourceTypes of the server at this base URL: users, then other types in the order of the
// server, then groups. An endpoint at another base URL is an error: the token would be sent there.
Result<std::vector<RemoteType>> read_types(std::string_view body, std::string_view base_url);
// The types of a server that has no /ResourceTypes: users, and groups if there are any.
std::vector<RemoteType> usual_types();

}  // namespace scim::service
