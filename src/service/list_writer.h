#pragma once
// Writes a ListResponse (RFC 7644 3.4.2) with one page of resources. The text around the resources
// comes from scim/request/list.h.

#include <optional>
#include <string_view>
#include <vector>

#include "service/query.h"
#include "service/render.h"
#include "service/spilling_body.h"

namespace scim::service {

class ListWriter {
  public:
    // The arguments must outlive the writer.
    ListWriter(Snapshot &snapshot, const Request &request, store::Directory &directory,
               SpillingBody &body);

    // To be called for each type of the query, in order. `type`, `projection` and `base_url` must
    // outlive the writer.
    void add_type(const TypeView &type, const Projection &projection, std::string_view base_url);

    // True if the resources of the first type are shown with members or groups.
    bool shows_references() const;
    // False if these resources have more references than the event loop renders.
    bool is_short(const std::vector<Hit> &hits) const;

    // Each of these writes the whole response, and may be called once. If a resource is damaged or
    // missing, the transaction of the snapshot fails.

    // Up to `count` resources of the first type, after the first `skip` of them. Returns their
    // number.
    uint64_t write_range(uint64_t total, uint64_t skip, uint64_t count);
    // A page whose first resource has the index `start`.
    void write_hits(Search &search, const Hits &hits, uint64_t start);
    // A page by cursor. `next` is the cursor of the next page, or empty.
    void write_hits(Search &search, const Hits &hits, std::string_view next);

  private:
    void write_page(Search &search, const Hits &hits);
    void add(size_t type, const Id &id, const std::optional<store::RecordView> &record);
    void end();

    Snapshot &snapshot_;
    store::Directory &directory_;
    SpillingBody &body_;
    GroupCache *nested_;
    std::vector<Rendering> renderings_;
    uint64_t left_ = 0;  // resources that are still to come
};

}  // namespace scim::service
