#include "service/job.h"

#include "scim/text/secret.h"
#include "service/conditions.h"
#include "service/content_type.h"
#include "service/me.h"
#include "service/nested_groups.h"
#include "service/new_id.h"
#include "service/render.h"
#include "service/routes.h"

namespace scim::service {

store::Operation operation_of(Method method) {
    switch (method) {
        case Method::post: return store::Operation::create;
        case Method::put: return store::Operation::replace;
        case Method::patch: return store::Operation::patch;
        default: return store::Operation::remove;
    }
}

Result<Json> parse_body(const Request &request) {
    if (request.method == Method::del) return Json();
    auto typed = check_content_type(request);
    RETURN_IF_ERROR(typed);
    return parse_json(request.body, request.settings->json);
}

namespace {

// Prepares a request for one resource as a job of one step, or a bulk request.
Outcome prepare_request(Job &job) {
    const Request &request = job.request;
    if (!job.target) return job.target.error();
    const Target &target = *job.target;
    if (auto r = check_method(request.method, target); !r) return r;
    if (auto r = check_condition_fields(request); !r) return r;
    if (target.endpoint != Endpoint::resource)
        if (auto r = check_unversioned(request); !r) return r;
    Dialect dialect(request.settings->strict, job.prepare_report);
    auto query = parse_query(request.args, dialect);
    RETURN_IF_ERROR(query);
    if (target.endpoint == Endpoint::bulk) return prepare_bulk(job);
    // Checked before the body is parsed, because parsing a long body takes time.
    if (request.method != Method::post && !target.id)
        return no_such_resource(*target.type, target.name);
    auto body = parse_body(request);
    RETURN_IF_ERROR(body);
    const StepContext context{job.catalog,       *request.settings, job.actor->tenant,
                              job.actor->number, request.id,        request.now};
    const StepInput input{
        operation_of(request.method), target, *query, body->get(), request.if_match,
        request.if_none_match};
    auto step = prepare_step(context, input, make_new_id(request.now), job.prepare_report);
    RETURN_IF_ERROR(step);
    job.only_step = std::move(*step);
    return Done{};
}

Outcome prepare(Job &job, Snapshot &snapshot) {
    auto usable = snapshot.usable();
    if (!usable) return usable;
    job.catalog = snapshot.catalog();
    job.target = parse_target(*job.catalog, job.request.path);
    if (job.target)
        RETURN_IF_ERROR(resolve_me(*job.target, *job.actor, *job.catalog, snapshot.txn));
    if (!job.actor->may(store::scope_write))
        return Error{Refusal::scope_write_missing, "the token " + quoted(job.actor->label) +
                                                       " may not write: it lacks the scope write"};
    return prepare_request(job);
}

}  // namespace

// If there is no memory for a body, only its request fails.
void prepare_job(Job &job, Snapshot &snapshot) noexcept {
    try {
        job.prepare_report = DeviationReport();
        job.only_step.reset();
        job.target = undecided();
        job.catalog = nullptr;
        job.prepared = prepare(job, snapshot);
    } catch (const std::exception &) {
        job.prepared = out_of_memory();
    }
    job.is_prepared = true;
}

void prepare_ahead(Job &job, Snapshot &snapshot) noexcept {
    prepare_job(job, snapshot);
    if (!job.prepared && job.prepared.error().status() >= 500) job.is_prepared = false;
}

const Error *error_of(const Job &job) {
    if (!job.decided) return &job.decided.error();
    if (job.bulk != nullptr) return nullptr;
    return job.step().planned ? nullptr : &job.step().planned.error();
}

void describe(Job &job) {
    const Plan &plan = *job.step().planned;
    const Command &command = job.step().command;
    Response &response = job.response;
    response.log_fields.resource_id = scim::to_string(command.id);
    if (plan.record().empty()) return;
    response.etag = etag_of(plan.version);
    response.location.clear();
    append_location(response.location, *command.type, job.request.base_url, command.id);
}

void forget(Job &job) noexcept {
    job.only_step.reset();
    job.bulk.reset();
    job.is_prepared = false;
}

namespace {

void finish_bulk(Job &job) {
    auto done = write_bulk(job, job.request.sink);
    if (!done) answer_unshown(job, done.error());
    job.unfinished = false;
    forget(job);
}

}  // namespace

// Shows the resource as the job wrote it, and other resources as they are in the snapshot.
void finish_answer(Job &job, Snapshot &snapshot) {
    if (job.bulk != nullptr) return finish_bulk(job);
    const Command &command = job.step().command;
    const Plan &plan = *job.step().planned;
    ReadBudget budget(job.request.read_end, RunOn::thread, &snapshot.txn);
    store::Directory directory(snapshot.txn, command.tenant, &budget);
    SpillingBody body(job.request, job.response, budget);
    Rendering rendering{*command.catalog,
                        *command.type,
                        job.request.base_url,
                        job.step().projection,
                        directory,
                        body,
                        nested_groups(snapshot, job.request)};
    auto record = store::RecordView::parse(plan.record());
    if (!render_resource(rendering, command.id, *record, plan.version))
        snapshot.txn.fail(store::Errc::damaged);
    auto done = body.finish();
    if (done && !snapshot.txn.good()) done = unreadable(snapshot.txn.error());
    if (!done) answer_unshown(job, done.error());
    job.unfinished = false;  // last: if an exception is thrown, the response is still to be made
    forget(job);
}

void answer_unshown(Job &job, const Error &error) noexcept {
    if (job.committed) return answer_without_body(job, error.detail);
    job.unfinished = false;
    if (job.bulk != nullptr && job.bulk->has_results()) try {
            job.bulk->refuse_rest(error);
            if (write_bulk(job, nullptr)) return;
        } catch (const std::exception &) {
            job.response.body = std::string();  // the error is less
        }
    refuse_or_less(job.response, error, job.request);
}

// The status is not an error, because the client would repeat a write that is committed.
void answer_without_body(Job &job, std::string_view why) noexcept {
    Response &response = job.response;
    job.unfinished = false;
    response.status = response.status == 201 ? 201 : 204;
    response.body.clear();
    response.in_sink = 0;
    try {
        response.log_fields.detail = "the change is made, but it cannot be shown: ";
        response.log_fields.detail += why;
    } catch (const std::exception &) {
        response.log_fields.detail.clear();
    }
}

}  // namespace scim::service
