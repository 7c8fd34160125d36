#include "service/bulk.h"

#include <algorithm>

#include "scim/request/error_body.h"
#include "service/conditions.h"
#include "service/job.h"
#include "service/new_id.h"
#include "service/render.h"
#include "service/routes.h"
#include "service/spilling_body.h"

namespace scim::service {

namespace {

bool is_error(uint16_t status) { return status >= 400; }

// An operation of a bulk request has `version` in place of If-Match.
Error about_version(Error error) {
    constexpr std::string_view field = "If-Match";
    if (error.detail.compare(0, field.size(), field) == 0)
        error.detail.replace(0, field.size(), "\"version\"");
    return error;
}

Outcome check_version(Method method, std::string_view version) {
    Request fields;
    fields.if_match = version;
    RETURN_IF_ERROR(check_condition_fields(fields));
    return method == Method::post ? check_unversioned(fields) : Outcome(Done{});
}

// A path is relative to the base URL and has no query (RFC 7644 3.7).
Outcome check_path(std::string_view path) {
    const bool is_url = path.find("://") != path.npos;
    if (!is_url && path.find('?') == path.npos) return Done{};
    return Error{Refusal::bulk_path,
                 quoted(path) + (is_url ? " is a URL" : " has a query") +
                     "; \"path\" must be a path below the base URL such as /Users"};
}

Outcome check_target(Method method, const Target &target, std::string_view path) {
    if (target.endpoint != Endpoint::resources && target.endpoint != Endpoint::resource)
        return Error{Refusal::bulk_path,
                     quoted(path.empty() ? "/" : path) +
                         " is not possible in a bulk request, whose operations create, "
                         "replace, patch or delete one resource each"};
    return check_method(method, target);
}

// The URL of a resource, which may not exist. `new_id` is the id that a POST gives to its resource.
// Empty if the path is not that of a resource.
std::string location_of(const Target &target, bool creates, std::string_view base_url,
                        const Id &new_id) {
    std::string url;
    const bool is_new = creates && target.endpoint == Endpoint::resources;
    if (target.type == nullptr || (!is_new && !target.id)) return url;
    append_location(url, *target.type, base_url, is_new ? new_id : *target.id);
    return url;
}

Result<Step> prepare_operation(Job &job, const StepContext &context, const BulkOperation &sent,
                               size_t index) {
    BulkOperationState &state = job.bulk->operations[index];
    const Id &new_id = job.bulk->ids[index];
    auto target = parse_target(*job.catalog, state.path);
    if (target)
        state.location = location_of(*target, state.method == "POST", job.request.base_url, new_id);
    RETURN_IF_ERROR(sent.valid);
    RETURN_IF_ERROR(check_path(state.path));
    RETURN_IF_ERROR(target);
    const Method method = method_of(state.method);
    RETURN_IF_ERROR(check_target(method, *target, state.path));
    const std::string_view version =
        sent.version.empty() ? std::string_view() : std::string_view(sent.version);
    if (auto r = check_version(method, version); !r) return about_version(r.error());
    if (method != Method::del && !json_is_object(sent.data))
        return Error{Refusal::bulk_data,
                     std::string("\"data\" of the operation must be ") +
                         (method == Method::patch ? "a PatchOp" : "a resource") +
                         ", an object, not " + std::string(kind_of(sent.data))};
    const Query query;  // a successful operation is answered without the resource
    const StepInput input{operation_of(method), *target, query, sent.data, version, {}};
    return prepare_step(context, input, new_id, job.prepare_report);
}

// Takes over what the response and the work need of the request.
void adopt(Bulk &bulk, BulkRequest &sent) {
    bulk.fail_on_errors = sent.fail_on_errors;
    bulk.units = order_of_work(sent);
    for (BulkOperation &operation : sent.operations) {
        BulkOperationState state;
        state.method = std::move(operation.method);
        state.path = std::move(operation.path);
        state.bulk_id = std::move(operation.bulk_id);
        state.needs = std::move(operation.needs);
        bulk.operations.push_back(std::move(state));
    }
}

// The ids of each circle count as existing while its operations are planned.
void promise(Job &job) {
    std::vector<BulkOperationState> &operations = job.bulk->operations;
    for (const std::vector<uint32_t> &unit : job.bulk->units) {
        if (unit.size() == 1) continue;
        auto promised = std::make_shared<PromisedIds>();
        for (uint32_t index : unit) {
            const Result<Step> &step = operations[index].step;
            if (step) promised->emplace(step->command.id, step->command.type->number);
        }
        for (uint32_t index : unit)
            if (operations[index].step) operations[index].step->command.promised = promised;
    }
}

Outcome prepare_operations(Job &job, const BulkRequest &sent) {
    Bulk &bulk = *job.bulk;
    const StepContext context{job.catalog,       *job.request.settings, job.actor->tenant,
                              job.actor->number, job.request.id,        job.request.now};
    size_t index_work = 0;
    for (size_t i = 0; i < sent.operations.size(); i++) {
        if (bulk.operations[i].status != 0) continue;
        auto &step = bulk.operations[i].step =
            prepare_operation(job, context, sent.operations[i], i);
        if (!step) continue;
        index_work +=
            store::index_work(*job.catalog, *step->command.type, step->command.resource.leaves);
        // As for one body.
        RETURN_IF_ERROR(check_index_work(index_work, body_work_most, "all operations"));
    }
    promise(job);
    return Done{};
}

}  // namespace

Method method_of(std::string_view text) {
    return text == "POST"    ? Method::post
           : text == "PUT"   ? Method::put
           : text == "PATCH" ? Method::patch
                             : Method::del;
}

Outcome prepare_bulk(Job &job) {
    const Request &request = job.request;
    const Settings &settings = *request.settings;
    if (request.body.size() > settings.bulk_max_payload)
        return Error{Refusal::bulk_too_large,
                     "the request body has " + std::to_string(request.body.size()) +
                         " bytes, at most " + std::to_string(settings.bulk_max_payload) +
                         " are possible (bulk.maxPayloadSize)"};
    auto body = parse_body(request);
    RETURN_IF_ERROR(body);
    Dialect dialect(settings.strict, job.prepare_report);
    auto sent = read_bulk(body->get(), settings.bulk_max_operations, dialect);
    RETURN_IF_ERROR(sent);
    // A bulk that is under way keeps its ids: its operations may refer to resources that exist.
    auto bulk = job.bulk ? std::move(job.bulk) : std::make_unique<Bulk>();
    const bool is_new = bulk->ids.empty();
    if (is_new) {
        bulk->is_atomic = settings.bulk_atomic;
        for (size_t i = 0; i < sent->operations.size(); i++)
            bulk->ids.push_back(make_new_id(request.now));
    }
    bulk->begin();
    resolve_references(*sent, bulk->ids);
    if (is_new) adopt(*bulk, *sent);
    job.bulk = std::move(bulk);
    RETURN_IF_ERROR(prepare_operations(job, *sent));
    if (!job.bulk->has_results()) job.bulk->report = job.prepare_report;
    return Done{};
}

// ---- Progress ----

void Bulk::begin() {
    for (size_t unit = kept_.units; unit < std::min(now_.units + 1, units.size()); unit++)
        for (uint32_t index : units[unit]) operations[index].status = 0;
    now_ = kept_;
    stuck.reset();
}

bool Bulk::refuse_stuck(const Error &error) {
    constexpr size_t damaged_most = 20;
    if (!stuck || damaged_ == damaged_most) return false;
    damaged_++;
    operations[*stuck].step = error;
    return true;
}

void Bulk::keep(DeviationReport &&now) noexcept {
    kept_ = now_;
    report = std::move(now);
}

bool Bulk::is_over() const {
    return now_.units == units.size() || (fail_on_errors != 0 && now_.failed >= fail_on_errors);
}

std::optional<Error> Bulk::refusal(uint32_t index) const {
    const BulkOperationState &operation = operations[index];
    if (!operation.step) return operation.step.error();
    for (uint32_t needed : operation.needs)
        if (is_error(operations[needed].status))
            return Error{Refusal::bulk_needed_failed, "the operation refers to the bulkId " +
                                                          quoted(operations[needed].bulk_id) +
                                                          ", whose POST (" + place_of(needed) +
                                                          ") has failed"};
    return std::nullopt;
}

void Bulk::set_done(uint32_t index, uint16_t status, std::optional<uint64_t> version) {
    BulkOperationState &operation = operations[index];
    operation.status = status;
    operation.has_version = version.has_value();
    operation.version = version.value_or(0);
}

void Bulk::set_failed(uint32_t index, const Error &error) {
    BulkOperationState &operation = operations[index];
    if (!is_error(operation.status)) now_.failed++;
    operation.status = error.status();
    operation.error = about_version(error);
}

void Bulk::refuse_rest(const Error &error) {
    begin();
    if (is_over()) return;
    for (; now_.units < units.size(); now_.units++)
        for (uint32_t index : next_unit()) set_failed(index, error);
    kept_ = now_;
}

// ---- Response ----

namespace {

void append_member(std::string &out, std::string_view name, std::string_view value) {
    out.append(",\"").append(name).append("\":");
    write_string(out, value);
}

void write_operation(std::string &out, const BulkOperationState &operation, const ErrorView &view) {
    out += "{\"method\":";
    write_string(out, operation.method);
    if (!operation.bulk_id.empty()) append_member(out, "bulkId", operation.bulk_id);
    const bool failed = is_error(operation.status);
    if (!failed && operation.has_version) append_member(out, "version", etag_of(operation.version));
    // RFC 7644 3.7: required, except for a POST that failed.
    if (!operation.location.empty() && !(failed && operation.method == "POST"))
        append_member(out, "location", operation.location);
    append_member(out, "status", std::to_string(operation.status));
    if (failed) out.append(",\"response\":").append(error_body(operation.error, view));
    out += '}';
}

std::string sentence_of(const Bulk &bulk, size_t index) {
    const BulkOperationState &operation = bulk.operations[index];
    std::string text = place_of(index);
    if (!operation.method.empty() && !operation.path.empty())
        text += " " + quoted(operation.method + " " + operation.path);
    text += " answered with " + std::to_string(operation.status);
    if (operation.error.type() != ScimType::none)
        text.append(" ").append(to_string(operation.error.type()));
    return text.append(" [")
        .append(operation.error.id())
        .append("]: ")
        .append(operation.error.detail);
}

// Sentences for the error log: the first operations that failed, one for each detail.
void note_refused(const Bulk &bulk, LogFields &log_fields) {
    constexpr size_t sentences_max = 10;
    const size_t count = bulk.operations.size();
    log_fields.detail = std::to_string(count) + (count == 1 ? " operation" : " operations");
    log_fields.has_error = bulk.failed() > 0;
    if (!log_fields.has_error) return;
    log_fields.detail += ", " + std::to_string(bulk.failed()) + " failed";
    std::vector<std::string_view> known;
    for (size_t i = 0; i < bulk.operations.size() && known.size() < sentences_max; i++) {
        const BulkOperationState &operation = bulk.operations[i];
        if (!is_error(operation.status) ||
            std::find(known.begin(), known.end(), operation.error.detail) != known.end())
            continue;
        known.push_back(operation.error.detail);
        log_fields.refused.push_back(sentence_of(bulk, i));
    }
}

}  // namespace

Outcome write_bulk(Job &job, BodySink *sink) {
    Response &response = job.response;
    Request request = job.request;
    request.sink = sink;
    ReadBudget budget({}, RunOn::thread);
    SpillingBody body(request, response, budget);
    response.status = 200;
    response.retry_after = 0;
    response.in_sink = 0;
    response.log_fields.refused.clear();
    note_refused(*job.bulk, response.log_fields);
    const std::string id = request_text(request.id);
    body.text() = R"({"schemas":[")" + std::string(bulk_response_urn) + R"("],"Operations":[)";
    bool is_first = true;
    for (const BulkOperationState &operation : job.bulk->operations) {
        if (operation.status == 0) continue;  // failOnErrors ended the work before it
        if (!body.go_on(0)) break;
        if (!is_first) body.text() += ',';
        is_first = false;
        write_operation(body.text(), operation, {id, request.settings->strict});
    }
    body.text() += "]}";
    return body.finish();
}

}  // namespace scim::service
