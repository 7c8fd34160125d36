#include "service/list_writer.h"

#include <algorithm>

#include "service/nested_groups.h"

namespace scim::service {

ListWriter::ListWriter(Snapshot &snapshot, const Request &request, store::Directory &directory,
                       SpillingBody &body)
    : snapshot_(snapshot),
      directory_(directory),
      body_(body),
      nested_(nested_groups(snapshot, request)) {}

void ListWriter::add_type(const TypeView &type, const Projection &projection,
                          std::string_view base_url) {
    renderings_.push_back(
        {*snapshot_.catalog(), type, base_url, projection, directory_, body_, nested_});
}

bool ListWriter::shows_references() const {
    const Rendering &r = renderings_[0];
    return (r.type.members != nullptr && r.projection.shows_any(*r.type.members)) ||
           (r.type.groups != nullptr && r.projection.shows_any(*r.type.groups));
}

bool ListWriter::is_short(const std::vector<Hit> &hits) const {
    size_t references = 0;
    for (const Hit &hit : hits) {
        const Rendering &r = renderings_[hit.type];
        references += shown_references(r.type, r.projection, directory_, hit.id);
        if (references > loop_references) return false;
    }
    return true;
}

uint64_t ListWriter::write_range(uint64_t total, uint64_t skip, uint64_t count) {
    const uint64_t written = skip < total ? std::min(count, total - skip) : 0;
    left_ = written;
    begin_list(body_.text(), total, skip + 1, left_);
    directory_.scan(renderings_[0].type.number, skip, left_, [&](const Id &id, store::Bytes bytes) {
        if (!body_.next_resource(bytes.size())) return false;
        add(0, id, store::RecordView::parse(bytes));
        return snapshot_.txn.good();
    });
    end();
    return written;
}

void ListWriter::write_hits(Search &search, const Hits &hits, uint64_t start) {
    begin_list(body_.text(), hits.total, start, hits.page.size());
    write_page(search, hits);
}

void ListWriter::write_hits(Search &search, const Hits &hits, std::string_view next) {
    const auto total = hits.knows_total ? std::optional(hits.total) : std::nullopt;
    begin_cursor_list(body_.text(), total, hits.page.size(), next);
    write_page(search, hits);
}

void ListWriter::write_page(Search &search, const Hits &hits) {
    left_ = hits.page.size();
    for (const Hit &hit : hits.page) {
        auto record = directory_.record(renderings_[hit.type].type.number, hit.id);
        if (!body_.go_on(record ? record->bytes().size() : 0)) break;
        if (record && !search.confirms(hit, *record)) snapshot_.txn.fail(store::Errc::damaged);
        add(hit.type, hit.id, record);
        if (!snapshot_.txn.good()) break;
    }
    end();
}

void ListWriter::add(size_t type, const Id &id, const std::optional<store::RecordView> &record) {
    const Rendering &r = renderings_[type];
    if (!record ||
        !render_resource(r, id, *record, version_of(r.catalog, r.type, directory_, id, *record)))
        snapshot_.txn.fail(store::Errc::damaged);
    if (--left_ > 0) body_.text() += ',';
}

// If fewer resources were found than the counter says, the store is damaged: itemsPerPage is
// already written.
void ListWriter::end() {
    if (left_ > 0) snapshot_.txn.fail(store::Errc::damaged);
    end_list(body_.text());
}

}  // namespace scim::service
