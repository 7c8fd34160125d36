#pragma once
// Stored records as JSON resources: what is computed when a resource is sent (schemas, id, meta) is
// computed here.

#include <string>
#include <string_view>

#include "scim/catalog.h"
#include "scim/projection.h"
#include "service/request.h"
#include "store/record.h"

namespace scim::service {

// A record with what belongs around it.
struct Rendering {
    const Catalog &catalog;
    const TypeView &type;
    std::string_view base_url;
    const Projection &projection;
};

// Appends the resource. The stored body is copied if it may be shown as it is; otherwise the shown
// leaves are written anew, in canonical order, and nothing that is no longer declared. False if the
// record is damaged.
bool render_resource(std::string &out, const Rendering &rendering, const Id &id,
                     const store::RecordView &record);

// W/"17": the version of RFC 7644 3.14, weak because a projection has the same.
std::string etag_of(const store::RecordView &record);
std::string location_of(const TypeView &type, std::string_view base_url, const Id &id);

// RFC 9110 13.1: true if `header` is "*" or lists `etag`, compared weakly (S-152). Tags without
// quotes are taken as they stand: clients copy them by hand.
bool etag_listed(std::string_view header, std::string_view etag);

}  // namespace scim::service
