#pragma once
// Stored records as JSON resources: what is computed when a resource is sent (schemas, id, meta) is
// computed here.

#include <string>
#include <string_view>

#include "scim/catalog.h"
#include "scim/projection.h"
#include "service/outlet.h"
#include "service/request.h"
#include "store/directory.h"
#include "store/record.h"

namespace scim::service {

// What resources are shown with: the catalog and the directory of one snapshot.
struct Rendering {
    const Catalog &catalog;
    const TypeView &type;
    std::string_view base_url;
    const Projection &projection;
    store::Directory &directory;
    Outlet &outlet;
};

// A group's members and a user's groups are rendered one by one; the event loop renders so many.
constexpr size_t loop_references = 500;
// How many of them are shown, counted up to one more than that.
size_t shown_references(const TypeView &type, const Projection &projection,
                        store::Directory &directory, const Id &id);

// The name of a resource as a reference to it shows it, JSON: its displayName, or its userName;
// empty if it has neither.
store::Bytes display_of(const TypeView &type, const store::RecordView &record);

// The extensions that a resource's `schemas` lists; nothing if its record is damaged.
std::optional<uint32_t> listed_extensions(const Catalog &catalog, const TypeView &type,
                                          const store::RecordView &record);

// The position of the last change of what the resource shows: of its record, or of its groups.
uint64_t version_of(const Catalog &catalog, const TypeView &type, store::Directory &directory,
                    const Id &id, const store::RecordView &record);

// Appends the resource to the outlet's text; the outlet knows if that had to end. The stored body is
// copied if it may be shown as it is; otherwise the shown leaves are written anew, in canonical
// order, and nothing that is no longer declared. `version` is version_of(). False if the record is
// damaged.
bool render_resource(const Rendering &rendering, const Id &id, const store::RecordView &record,
                     uint64_t version);

// W/"17": the version of RFC 7644 3.14, weak because a projection has the same.
std::string etag_of(uint64_t version);
// Appends the URL of a resource.
void append_location(std::string &out, const TypeView &type, std::string_view base_url,
                     const Id &id);

}  // namespace scim::service
