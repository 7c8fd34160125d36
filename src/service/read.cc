#include "service/read.h"

#include <chrono>

#include "scim/request/discovery.h"
#include "scim/request/search.h"
#include "scim/text/secret.h"
#include "scim/text/text.h"
#include "service/conditions.h"
#include "service/content_type.h"
#include "service/list_writer.h"
#include "service/me.h"
#include "service/nested_groups.h"
#include "service/query.h"
#include "service/render.h"
#include "service/routes.h"
#include "service/spilling_body.h"
#include "service/token.h"

namespace scim::service {

namespace {

// The maximum length in bytes of a SearchRequest that the event loop parses, at most 50 ns a byte.
constexpr size_t loop_body = 16 * 1024;

// The result of a read whose response was rendered, or whose budget has ended.
Result<ReadResult> ended(Snapshot &snapshot, const ReadBudget &budget, SpillingBody &body) {
    if (budget.deferred()) return ReadResult::deferred;
    auto done = body.finish();
    RETURN_IF_ERROR(done);
    if (!snapshot.txn.good()) return unreadable(snapshot.txn.error());
    return ReadResult::answered;
}

Result<ReadResult> read_resource(Snapshot &snapshot, const Actor &actor, const Request &request,
                                 const Target &target, const Query &query, Dialect &dialect,
                                 Response &response, RunOn run_on) {
    auto projection =
        Projection::parse(*target.type, query.attributes, query.excluded_attributes, dialect);
    RETURN_IF_ERROR(projection);
    response.log_fields.dialect = dialect.report().summary();
    if (!target.id) return no_such_resource(*target.type, target.name);
    ReadBudget budget(request.read_end, run_on, &snapshot.txn);
    SpillingBody body(request, response, budget);
    store::Directory directory(snapshot.txn, actor.tenant, &budget);
    auto record = directory.record(target.type->number, *target.id);
    if (budget.stopped() || !snapshot.txn.good()) return ended(snapshot, budget, body);
    if (!record) return no_such_resource(*target.type, target.name);
    uint64_t version =
        version_of(*snapshot.catalog(), *target.type, directory, *target.id, *record);
    response.etag = etag_of(version);
    // RFC 9110 13.2.2: If-Match first.
    if (!request.if_match.empty()) RETURN_IF_ERROR(check_if_match(request.if_match, response.etag));
    response.location.clear();
    append_location(response.location, *target.type, request.base_url, *target.id);
    if (!request.if_none_match.empty() && etag_listed(request.if_none_match, response.etag)) {
        response.status = 304;
        return ReadResult::answered;
    }
    if (run_on == RunOn::event_loop &&
        shown_references(*target.type, *projection, directory, *target.id) > loop_references)
        return ReadResult::deferred;
    response.status = 200;
    Rendering rendering{*snapshot.catalog(),
                        *target.type,
                        request.base_url,
                        *projection,
                        directory,
                        body,
                        nested_groups(snapshot, request)};
    if (body.next_resource(record->bytes().size()) &&
        !render_resource(rendering, *target.id, *record, version))
        snapshot.txn.fail(store::Errc::damaged);
    return ended(snapshot, budget, body);
}

Result<Query> query_of(const Request &request, const Target &target, Dialect &dialect) {
    if (target.endpoint != Endpoint::search) return parse_query(request.args, dialect);
    auto typed = check_content_type(request);
    RETURN_IF_ERROR(typed);
    auto body = parse_json(request.body, request.settings->json);
    RETURN_IF_ERROR(body);
    return read_search(body->get(), dialect);
}

std::vector<const TypeView *> types_of(const Catalog &catalog, const Target &target) {
    if (target.type != nullptr) return {target.type};
    std::vector<const TypeView *> all;
    for (const auto &type : catalog.types()) all.push_back(type.get());
    return all;
}

Result<std::vector<Projection>> projections_of(const std::vector<const TypeView *> &types,
                                               const Query &query, Dialect &dialect) {
    std::vector<Projection> projections;
    for (const TypeView *type : types) {
        DeviationReport report;
        Dialect own(dialect.strict(), report);
        auto projection =
            Projection::parse(*type, query.attributes, query.excluded_attributes, own);
        RETURN_IF_ERROR(projection);
        dialect.report().unite(report);
        projections.push_back(std::move(*projection));
    }
    return projections;
}

CursorOwner owner_of(const Actor &actor) { return {actor.tenant, actor.cursor_key}; }

// Makes the page begin where its cursor says; an empty cursor means the first page.
Outcome start_at_cursor(Search &search, const Actor &actor, const Request &request,
                        const std::string &text) {
    if (text.empty()) return Done{};
    auto cursor = open_cursor(owner_of(actor), text);
    RETURN_IF_ERROR(cursor);
    RETURN_IF_ERROR(
        check_cursor(*cursor, search.walk_query(), request.now, request.settings->cursor_timeout));
    search.start_after(cursor->after);
    return Done{};
}

// The cursor of the next page; empty on the last one.
std::string next_cursor(const Search &search, const Hits &hits, const Actor &actor,
                        const Request &request) {
    if (!hits.next) return {};
    CursorSalt salt{};
    fill_random(salt.data(), salt.size());
    return seal_cursor(
        owner_of(actor),
        {request.now, std::string(unicode_version()), search.walk_query(), *hits.next}, salt);
}

void explain(Response &response, const Search &search, const ReadBudget &budget,
             std::chrono::steady_clock::time_point begun, uint64_t returned) {
    using namespace std::chrono;
    const auto time = duration_cast<microseconds>(steady_clock::now() - begun).count();
    response.explanation = Explanation{search.explain(), search.advice(), budget.resources(),
                                       budget.rows(),    returned,        time};
}

Result<ReadResult> read_list(Snapshot &snapshot, const Actor &actor, const Request &request,
                             const Target &target, const Query &query, Dialect &dialect,
                             Response &response, RunOn run_on) {
    std::chrono::steady_clock::time_point begun;
    if (request.settings->explains) begun = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(check_paging(query));
    ReadBudget budget(request.read_end, run_on, &snapshot.txn);
    store::Directory directory(snapshot.txn, actor.tenant, &budget);
    Search search(snapshot, directory, request, query, types_of(*snapshot.catalog(), target));
    auto projections = projections_of(search.types(), query, dialect);
    RETURN_IF_ERROR(projections);
    RETURN_IF_ERROR(search.prepare(run_on, dialect.report()));
    if (query.cursor) RETURN_IF_ERROR(start_at_cursor(search, actor, request, *query.cursor));
    response.log_fields.dialect = dialect.report().summary();
    if (request.explains) response.log_fields.plan = search.explain();
    const bool on_loop = run_on == RunOn::event_loop;
    if (on_loop && search.is_long()) return ReadResult::deferred;

    SpillingBody body(request, response, budget);
    ListWriter writer(snapshot, request, directory, body);
    for (size_t i = 0; i < projections->size(); i++)
        writer.add_type(*search.types()[i], (*projections)[i], request.base_url);
    response.status = 200;
    const Page &page = search.page();
    uint64_t returned = 0;
    if (search.is_plain() && target.type != nullptr && !query.cursor &&
        !(on_loop && writer.shows_references())) {
        returned =
            writer.write_range(directory.count(target.type->number), page.start - 1, page.count);
    } else {
        Hits hits = search.run(budget);
        if (search.refusal()) return *search.refusal();
        if (on_loop && !writer.is_short(hits.page)) return ReadResult::deferred;
        returned = hits.page.size();
        if (!budget.stopped() && query.cursor)
            writer.write_hits(search, hits, next_cursor(search, hits, actor, request));
        else if (!budget.stopped())
            writer.write_hits(search, hits, page.start);
    }
    if (request.settings->explains) explain(response, search, budget, begun, returned);
    return ended(snapshot, budget, body);
}

Outcome read_discovery(const Catalog &catalog, const Request &request, const Target &target,
                       Response &response) {
    response.status = 200;
    // RFC 7644 4: a filter is refused with 403, because a client would take the unfiltered response
    // for the matches.
    DeviationReport report;
    Dialect dialect(request.settings->strict, report);
    auto query = parse_query(request.args, dialect);
    RETURN_IF_ERROR(query);
    response.log_fields.dialect = report.summary();
    if (query->filter)
        return Error{Refusal::discovery_filter, "filters are not supported on this endpoint"};
    const Settings &settings = *request.settings;
    switch (target.endpoint) {
        case Endpoint::service_provider_config:
            write_service_provider_config(
                response.body,
                {settings.max_results, settings.bearer_token, settings.cursor_timeout,
                 settings.bulk_max_operations, settings.bulk_max_payload},
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

Result<ReadResult> read(Snapshot &snapshot, const Actor &actor, const Request &request,
                        Response &response, RunOn run_on) {
    response.clear();
    RETURN_IF_ERROR(snapshot.usable());
    auto target = parse_target(*snapshot.catalog(), request.path);
    Outcome is_there = Done{};
    if (target && target->endpoint == Endpoint::me)
        is_there = resolve_me(*target, actor, *snapshot.catalog(), snapshot.txn);
    response.log_fields.operation = operation_name(request.method, target ? &*target : nullptr);
    RETURN_IF_ERROR(target);
    RETURN_IF_ERROR(is_there);
    note_location(response, *target, request.base_url);
    if (target->type != nullptr) response.log_fields.resource_type = target->type->type.name;
    if (target->endpoint == Endpoint::resource)
        response.log_fields.resource_id = without_tokens(target->name);
    auto allowed = check_method(request.method, *target);
    if (!allowed) {
        if (allowed.error().status() == 405) response.allow = allowed_methods(*target);
        return allowed.error();
    }
    if (!is_public(request.method, request.path) && !actor.may(store::scope_read))
        return Error{Refusal::scope_read_missing,
                     "the token " + quoted(actor.label) + " may not read: it lacks the scope read"};
    RETURN_IF_ERROR(check_condition_fields(request));
    if (target->endpoint != Endpoint::resource) RETURN_IF_ERROR(check_unversioned(request));
    bool of_resources =
        target->endpoint == Endpoint::root || target->endpoint == Endpoint::resources ||
        target->endpoint == Endpoint::resource || target->endpoint == Endpoint::search;
    if (!of_resources) {
        auto done = read_discovery(*snapshot.catalog(), request, *target, response);
        RETURN_IF_ERROR(done);
        return ReadResult::answered;
    }
    // Parsing a long body would block the event loop.
    if (run_on == RunOn::event_loop && request.body.size() > loop_body) return ReadResult::deferred;
    DeviationReport report;
    Dialect dialect(request.settings->strict, report);
    auto query = query_of(request, *target, dialect);
    RETURN_IF_ERROR(query);
    return target->endpoint == Endpoint::resource
               ? read_resource(snapshot, actor, request, *target, *query, dialect, response, run_on)
               : read_list(snapshot, actor, request, *target, *query, dialect, response, run_on);
}

}  // namespace scim::service
