#include "service/read.h"

#include "scim/discovery.h"
#include "scim/list.h"
#include "service/query_plan.h"
#include "service/render.h"
#include "service/routes.h"

namespace scim::service {

namespace {

Error unreadable(store::Txn &txn) {
    return Error{503, ScimType::none,
                 "the directory cannot be read now: " + std::string(to_string(txn.error())), 5};
}

Outcome read_resource(Snapshot &snapshot, const Actor &actor, const Request &request,
                      const Target &target, const Query &query, Response &response) {
    auto projection = Projection::parse(*target.type, query.attributes, query.excluded_attributes);
    if (!projection) return projection.error();
    if (!target.id) return no_such_resource(*target.type, target.name);
    store::Directory directory(snapshot.txn, actor.tenant);
    auto record = directory.record(target.type->number, *target.id);
    if (!snapshot.txn.good()) return unreadable(snapshot.txn);
    if (!record) return no_such_resource(*target.type, target.name);
    uint64_t version =
        version_of(*snapshot.catalog(), *target.type, directory, *target.id, *record);
    response.etag = etag_of(version);
    response.location = location_of(*target.type, request.base_url, *target.id);
    if (!request.if_none_match.empty() && etag_listed(request.if_none_match, response.etag)) {
        response.status = 304;
        return Done{};
    }
    response.status = 200;
    Rendering rendering{*snapshot.catalog(), *target.type, request.base_url, *projection,
                        directory};
    if (render_resource(response.body, rendering, *target.id, *record, version)) return Done{};
    snapshot.txn.fail(store::Errc::damaged);
    return unreadable(snapshot.txn);
}

// One page of a list as it grows.
class PageWriter {
  public:
    PageWriter(const Rendering &rendering, const Page &page) : rendering_(rendering), page_(page) {}

    bool add(const Id &id, const store::RecordView &record) {
        if (items_ > 0) text_ += ',';
        items_++;
        uint64_t version =
            version_of(rendering_.catalog, rendering_.type, rendering_.directory, id, record);
        return render_resource(text_, rendering_, id, record, version);
    }
    void finish(std::string &out, uint64_t total) const {
        write_list(out, total, page_.start, items_, text_);
    }

  private:
    const Rendering &rendering_;
    const Page &page_;
    std::string text_;
    uint64_t items_ = 0;
};

uint64_t list_all(Snapshot &snapshot, store::Directory &directory, const TypeView &type,
                  const Page &page, PageWriter &writer) {
    directory.scan(type.number, page.start - 1, page.count, [&](const Id &id, store::Bytes bytes) {
        auto record = store::RecordView::parse(bytes);
        if (!record || !writer.add(id, *record)) snapshot.txn.fail(store::Errc::damaged);
        return snapshot.txn.good();
    });
    return directory.count(type.number);
}

uint64_t list_found(Snapshot &snapshot, store::Directory &directory, const TypeView &type,
                    const Page &page, const std::vector<Id> &ids, PageWriter &writer) {
    for (uint64_t i = page.start - 1; i < ids.size() && i - (page.start - 1) < page.count; i++) {
        auto record = directory.record(type.number, ids[i]);
        if (!record || !writer.add(ids[i], *record)) snapshot.txn.fail(store::Errc::damaged);
        if (!snapshot.txn.good()) break;
    }
    return ids.size();
}

Outcome read_list(Snapshot &snapshot, const Actor &actor, const Request &request,
                  const Target &target, const Query &query, Response &response) {
    auto projection = Projection::parse(*target.type, query.attributes, query.excluded_attributes);
    if (!projection) return projection.error();
    Page page = page_of(query, request.settings->max_results);
    store::Directory directory(snapshot.txn, actor.tenant);
    Rendering rendering{*snapshot.catalog(), *target.type, request.base_url, *projection,
                        directory};
    PageWriter writer(rendering, page);
    uint64_t total = 0;
    if (query.filter) {
        Report report;
        auto filter = Filter::parse(*target.type, *query.filter, request.settings->filter,
                                    request.settings->strict, report);
        if (!filter) return filter.error();
        response.facts.dialect = report.summary();
        auto ids =
            find_matches(*filter, *snapshot.catalog(), *target.type, request.base_url, directory);
        if (!ids) return ids.error();
        total = list_found(snapshot, directory, *target.type, page, *ids, writer);
    } else {
        total = list_all(snapshot, directory, *target.type, page, writer);
    }
    if (!snapshot.txn.good()) return unreadable(snapshot.txn);
    response.status = 200;
    writer.finish(response.body, total);
    return Done{};
}

Outcome read_discovery(const Catalog &catalog, const Request &request, const Target &target,
                       Response &response) {
    response.status = 200;
    // RFC 7644 4: filters do not apply here, and a client that sends one expects something this is
    // not (S-169).
    auto query = parse_query(request.args);
    if (!query) return query.error();
    if (query->filter)
        return Error{403, ScimType::none, "a filter is not possible on this address", 0};
    switch (target.endpoint) {
        case Endpoint::service_provider_config:
            write_service_provider_config(
                response.body, {request.settings->max_results, request.settings->bearer_token},
                request.base_url);
            return Done{};
        case Endpoint::resource_types:
            write_resource_types(response.body, catalog, request.base_url);
            return Done{};
        case Endpoint::schemas:
            write_schemas(response.body, catalog, request.base_url);
            return Done{};
        case Endpoint::resource_type:
            return write_resource_type(response.body, catalog, target.name, request.base_url);
        default: return write_schema(response.body, catalog, target.name, request.base_url);
    }
}

}  // namespace

Outcome read(Snapshot &snapshot, const Actor &actor, const Request &request, Response &response) {
    response.clear();
    auto usable = snapshot.usable();
    if (!usable) return usable;
    auto target = parse_target(*snapshot.catalog(), request.path);
    response.facts.operation = operation_name(request.method, target ? &*target : nullptr);
    if (!target) return target.error();
    if (target->type != nullptr) response.facts.resource_type = target->type->type.name;
    if (target->endpoint == Endpoint::resource) response.facts.resource_id = target->name;
    auto allowed = check_method(request.method, *target);
    if (!allowed) {
        if (allowed.error().status == 405) response.allow = allowed_methods(*target);
        return allowed;
    }
    if (!actor.may(store::scope_read))
        return Error{403, ScimType::none,
                     "the token " + quoted(actor.label) + " may not read: it lacks the scope read",
                     0};
    if (target->endpoint != Endpoint::resource && target->endpoint != Endpoint::resources)
        return read_discovery(*snapshot.catalog(), request, *target, response);
    auto query = parse_query(request.args);
    if (!query) return query.error();
    return target->endpoint == Endpoint::resource
               ? read_resource(snapshot, actor, request, *target, *query, response)
               : read_list(snapshot, actor, request, *target, *query, response);
}

bool is_long_read(const Request &request) {
    constexpr uint64_t skipped = 2000, rendered = 200;  // each below a millisecond
    if (request.args.empty()) return false;
    auto query = parse_query(request.args);
    if (!query || (!query->start_index && !query->count)) return false;
    Page page = page_of(*query, request.settings->max_results);
    return page.start > skipped || page.count > rendered;
}

}  // namespace scim::service
