#pragma once
// Renders stored records as JSON resources, with the attributes that are not stored: schemas, id,
// meta, groups, members and the computed sub-attributes of manager.

#include <string>
#include <string_view>

#include "scim/resource/projection.h"
#include "scim/schema/catalog.h"
#include "service/group_cache.h"
#include "service/request.h"
#include "service/spilling_body.h"
#include "store/directory.h"
#include "store/record.h"

namespace scim::service {

// The context for rendering the resources of one type, from one snapshot.
struct Rendering {
    const Catalog &catalog;
    const TypeView &type;
    std::string_view base_url;
    const Projection &projection;
    store::Directory &directory;
    SpillingBody &body;
    GroupCache *nested;  // not nullptr: `groups` of a user shows indirect groups, too
};

// The maximum number of references (members of a group, groups of a user) in a resource that the
// event loop renders.
constexpr size_t loop_references = 500;
// The number of references that the resource would show, counted up to loop_references + 1.
size_t shown_references(const TypeView &type, const Projection &projection,
                        store::Directory &directory, const Id &id);

// The `display` of a reference to the resource, as JSON: its displayName, or its userName; empty if
// it has neither.
store::Bytes display_of(const TypeView &type, const store::RecordView &record);

// The extensions that the `schemas` of the resource lists, as bits of TypeView::extension_bits;
// nullopt if the record is damaged.
std::optional<uint32_t> listed_extensions(const Catalog &catalog, const TypeView &type,
                                          const store::RecordView &record);

// The position of the last change of the resource: of its record, or of its `groups`.
uint64_t version_of(const Catalog &catalog, const TypeView &type, store::Directory &directory,
                    const Id &id, const store::RecordView &record);

// Appends the resource to `rendering.body`, which reports if the budget ended the rendering. The
// stored body is copied if it may be shown unchanged; otherwise the leaves that the projection
// shows and that are still declared are written in canonical order. `version` is version_of().
// Returns false if the record is damaged.
bool render_resource(const Rendering &rendering, const Id &id, const store::RecordView &record,
                     uint64_t version);

// The ETag of RFC 7644 3.14, such as W/"17". It is weak, because all projections of a resource have
// the same.
std::string etag_of(uint64_t version);
// Appends the URL of the resource.
void append_location(std::string &out, const TypeView &type, std::string_view base_url,
                     const Id &id);

}  // namespace scim::service
