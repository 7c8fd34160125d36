#include "service/batch.h"

#include <algorithm>
#include <iterator>

#include "service/ignored.h"
#include "service/render.h"
#include "service/routes.h"
#include "service/token.h"
#include "store/members.h"

namespace scim::service {

namespace {

// Room that is kept for what makes room or locks somebody out: a twentieth of the map, and never
// less than what one transaction rewrites in a small one.
constexpr size_t map_reserve_share = 20;
constexpr size_t map_reserve_min = 128 << 10;  // bytes
constexpr size_t refusals_pending_max = 256;

Error full(const store::Env &env) {
    return Error{503, ScimType::none,
                 "the directory is full: its map of " + std::to_string(env.info().map_size) +
                     " bytes is in use; its operator must raise size= of scim_store",
                 60};
}

Error unwritable(store::Errc code, const store::Env &env) {
    if (code == store::Errc::map_full) return full(env);
    return Error{503, ScimType::none,
                 "the directory cannot be written now: " + std::string(to_string(code)), 5};
}

Id make_new_id(int64_t now) {
    std::array<uint8_t, 10> random;
    fill_random(random.data(), random.size());
    return make_id(now, random);
}

store::Refusal refusal_of(const Job &job, const Error &error) {
    store::Refusal refusal;
    refusal.tenant = job.actor->tenant;
    refusal.time = job.request.now;
    refusal.actor = job.actor->token;
    refusal.request = job.request.id;
    refusal.operation = job.response.facts.operation;
    refusal.resource_type = job.response.facts.resource_type;
    refusal.resource_id = job.response.facts.resource_id;
    refusal.status = error.status;
    refusal.scim_type = to_string(error.type);
    refusal.detail = error.detail;
    return refusal;
}

// An answer with many members or groups.
bool is_long(const Job &job, Snapshot &snapshot) {
    const Command &command = job.prepared->command;
    store::Directory directory(snapshot.txn, command.tenant);
    return shown_references(*command.type, job.prepared->projection, directory, command.id) >
           loop_references;
}

// The headers of a success.
void describe(Job &job) {
    const Plan &plan = *job.planned;
    const Command &command = job.prepared->command;
    Response &response = job.response;
    response.facts.resource_id = scim::to_string(command.id);
    if (plan.record.empty()) return;
    response.etag = etag_of(plan.version);
    response.location.clear();
    append_location(response.location, *command.type, job.request.base_url, command.id);
}

}  // namespace

// The resource is shown as the job has left it; of others what is committed now.
void finish_answer(Job &job, Snapshot &snapshot) {
    const Command &command = job.prepared->command;
    const Plan &plan = *job.planned;
    Watch watch(job.request, Patience::thread);
    store::Directory directory(snapshot.txn, command.tenant, &watch);
    Outlet outlet(job.request, job.response, watch);
    Rendering rendering{*command.catalog,         *command.type, job.request.base_url,
                        job.prepared->projection, directory,     outlet};
    auto record = store::RecordView::parse(plan.record);
    if (!render_resource(rendering, command.id, *record, plan.version))
        snapshot.txn.fail(store::Errc::damaged);
    auto done = outlet.finish();
    job.unfinished = false;
    if (done && snapshot.txn.good()) return;
    answer_without_body(job, (done ? unreadable(snapshot.txn.error()) : done.error()).detail);
}

// Not an error: a client would send again what is done.
void answer_without_body(Job &job, std::string_view why) noexcept {
    Response &response = job.response;
    job.unfinished = false;
    response.status = job.planned->status == 201 ? 201 : 204;
    response.body.clear();
    response.in_sink = 0;
    try {
        response.facts.detail = "the change is made, but it cannot be shown: ";
        response.facts.detail += why;
    } catch (const std::exception &) {
        response.facts.detail.clear();
    }
}

void Writer::prepare_one(Job &job, const std::shared_ptr<const Catalog> &catalog) {
    job.prepare_report = Report();
    job.prepared = prepare(catalog, job.request, *job.actor, job.new_id, job.prepare_report);
    job.report = job.prepare_report;
}

void Writer::prepare_in(Snapshot &snapshot, Job &job) {
    job.new_id = make_new_id(job.request.now);
    auto usable = snapshot.usable();
    if (!usable) {
        job.prepared = usable.error();
        return;
    }
    auto target = parse_target(*snapshot.catalog(), job.request.path);
    Facts &facts = job.response.facts;
    facts.operation = operation_name(job.request.method, target ? &*target : nullptr);
    if (target && target->type != nullptr) facts.resource_type = target->type->type.name;
    if (target && target->endpoint == Endpoint::resource) facts.resource_id = target->name;
    if (!job.actor->may(store::scope_write)) {
        job.prepared = Error{
            403, ScimType::none,
            "the token " + quoted(job.actor->label) + " may not write: it lacks the scope write",
            0};
        return;
    }
    prepare_one(job, snapshot.catalog());
    if (!job.prepared && job.prepared.error().status == 405 && target)
        job.response.allow = allowed_methods(*target);
}

// Each for itself: a body that there is no memory for is its sender's alone.
void Writer::prepare_all(const std::vector<Job *> &jobs) {
    Snapshot snapshot(session_);
    for (Job *job : jobs) {
        try {
            prepare_in(snapshot, *job);
        } catch (const std::bad_alloc &) {
            job->prepared = out_of_memory();
        }
    }
}

// A token that was revoked, or a tenant removed, while the request waited: it does not write.
Outcome Writer::still_authorized(store::WriteTxn &txn, const Job &job) {
    const Actor &actor = *job.actor;
    if (actor.auth_epoch == store::auth_epoch(txn)) return Done{};
    auto tenant = store::find_tenant(txn, actor.tenant);
    bool good = tenant && tenant->state == store::TenantState::active;
    if (good && actor.token != 0) {
        auto token = store::find_token(txn, actor.digest);
        good = token && token->revoked == 0;
    }
    if (good) return Done{};
    return Error{401, ScimType::none, "the token was revoked while the request was on its way", 0};
}

void Writer::plan_one(store::WriteTxn &txn, Job &job, const std::shared_ptr<const Catalog> &catalog,
                      bool is_full) {
    if (job.prepared && job.prepared->command.catalog->epoch() != catalog->epoch())
        prepare_one(job, catalog);
    if (!job.prepared) {
        job.planned = job.prepared.error();
        return;
    }
    auto authorized = still_authorized(txn, job);
    if (!authorized) {
        job.planned = authorized.error();
        return;
    }
    const Command &command = job.prepared->command;
    store::DirectoryWriter directory(txn, command.tenant);
    job.report = job.prepare_report;
    job.planned = plan(command, directory, job.report);
    if (is_full && job.planned && job.planned->grows) {
        job.planned = full(store_.env());
        if (auto said = full_problem(store_.env(), job.request.now); !said.empty()) problem_ = said;
    }
    if (job.planned) apply(*job.planned, directory);
}

void Writer::add_uses(std::vector<store::TokenUse> uses) {
    if (uses_.size() + uses.size() > Authenticator::uses_pending_max) return;
    uses_.insert(uses_.end(), uses.begin(), uses.end());
}

void Writer::add_refused_tokens(std::vector<store::Refusal> refused) {
    if (refused_tokens_.size() + refused.size() > refusals_pending_max) return;
    refused_tokens_.insert(refused_tokens_.end(), std::make_move_iterator(refused.begin()),
                           std::make_move_iterator(refused.end()));
}

void Writer::put_notes(store::WriteTxn &txn) {
    for (const store::Refusal &refusal : refusals_) store::add_refusal(txn, refusal);
    for (const store::Refusal &refusal : refused_tokens_) store::add_refusal(txn, refusal);
    for (const store::TokenUse &use : uses_) store::put_use(txn, use);
}

void Writer::drop_notes() {
    refusals_.clear();
    refused_tokens_.clear();
    uses_.clear();
}

// Of all or, if it fails, of none.
Writer::Attempt Writer::attempt(const std::vector<Job *> &jobs) {
    store::WriteTxn txn(store_.env());
    auto catalog = write_catalogs_.at(txn);
    if (!txn.good()) return {txn.error()};
    if (!catalog) return {store::Errc::damaged};
    size_t map_size = store_.env().info().map_size;
    bool is_full = !txn.has_room(std::max(map_size / map_reserve_share, map_reserve_min));
    bool changes = false;
    for (Job *job : jobs) {
        plan_one(txn, *job, *catalog, is_full);
        if (!txn.good()) return {txn.error(), job};
        changes |= job->planned && job->planned->changes;
    }
    // What only looked needs no commit: it has seen nothing but committed state.
    if (!changes) return {};
    put_notes(txn);
    store::Errc code = txn.commit();
    if (code != store::Errc::ok) return {code};
    for (Job *job : jobs) job->committed = job->planned && job->planned->changes;
    drop_notes();
    return {};
}

// A damaged record is nobody's trouble but of those who need it: they are refused, and taken out of
// `jobs`. That costs no commit.
Writer::Attempt Writer::attempt_sound(std::vector<Job *> &jobs) {
    Attempt tried = attempt(jobs);
    while (tried.code == store::Errc::damaged && tried.stuck) {
        Job &job = *tried.stuck;
        const Facts &facts = job.response.facts;
        problem_ = "is damaged where " + std::string(to_string(job.request.method)) + " of " +
                   facts.resource_type + " " + facts.resource_id +
                   " looks; scimctl verify says more, and other requests are served";
        job.planned = unwritable(tried.code, store_.env());
        jobs.erase(std::find(jobs.begin(), jobs.end(), &job));
        tried = attempt(jobs);
    }
    return tried;
}

// Each of many creates finds the map full: once a minute is enough for the log.
std::string Writer::full_problem(const store::Env &env, int64_t now) {
    std::string sentence = "is full: creates are refused, because its " +
                           std::to_string(env.info().map_size) +
                           " bytes are all but used up; raise size= of scim_store and reload";
    return ignored_.is_new(sentence, now) ? sentence : std::string();
}

BatchOutcome Writer::run(const std::vector<Job *> &jobs) noexcept {
    problem_.clear();
    for (Job *job : jobs) {
        job->response.clear();
        job->unfinished = job->committed = false;
        job->prepared = out_of_memory();
        job->planned = out_of_memory();
    }
    BatchOutcome outcome = BatchOutcome::failed;
    try {
        outcome = write_all(jobs);
    } catch (const std::exception &) {
        // What is not committed by now never will be.
        for (Job *job : jobs)
            if (!job->committed) job->planned = out_of_memory();
    }
    for (Job *job : jobs) answer_for_sure(*job);
    return outcome;
}

BatchOutcome Writer::write_all(const std::vector<Job *> &jobs) {
    prepare_all(jobs);
    const bool in_place = store_.env().in_place();
    std::vector<Job *> sound = jobs;
    store::Errc code = in_place ? attempt_sound(sound).code : store::Errc::not_found;
    bool retry = code == store::Errc::map_full || code == store::Errc::no_space;
    bool must_reopen = !in_place || code == store::Errc::panic;
    for (Job *job : sound) {
        store::Errc mine = code;
        if (retry) {
            // What rides along may be what does not fit.
            drop_notes();
            mine = attempt({job}).code;
            must_reopen |= mine == store::Errc::panic;
        }
        if (mine != store::Errc::ok) job->planned = unwritable(mine, store_.env());
    }
    if (code != store::Errc::ok && in_place)
        problem_ = "cannot be written: " + std::string(to_string(code));
    if (must_reopen) return BatchOutcome::reopen;
    return code == store::Errc::ok || retry ? BatchOutcome::ok : BatchOutcome::failed;
}

// What an answer shows of other resources is what is committed now.
void Writer::answer_for_sure(Job &job) noexcept {
    try {
        Snapshot snapshot(session_);  // its own: a damaged record fails no other answer
        return answer(job, snapshot);
    } catch (const std::exception &) {
        if (!job.committed) return refuse_or_less(job.response, out_of_memory(), job.request.id);
    }
    answer_without_body(job, "out of memory");
    try {
        describe(job);
    } catch (const std::exception &) {
        job.response.etag.clear();
        job.response.location.clear();
    }
}

// In the tenant's log the write is what it seemed to be to its client: a success, less what is named.
void Writer::note_ignored(const Job &job) {
    const std::string sentence = ignored_sentence(job.response.facts.dialect);
    if (sentence.empty() || refusals_.size() >= refusals_pending_max) return;
    if (!ignored_.is_new(job.actor->tenant_name + ' ' + sentence, job.request.now)) return;
    refusals_.push_back(refusal_of(job, Error{job.planned->status, ScimType::none, sentence, 0}));
}

void Writer::answer(Job &job, Snapshot &snapshot) {
    Response &response = job.response;
    response.facts.dialect = job.report.summary();
    if (!job.planned) {
        const Error &error = job.planned.error();
        refuse(response, error, job.request.id);
        if (error.status < 500 && error.status != 401 && refusals_.size() < refusals_pending_max)
            refusals_.push_back(refusal_of(job, error));
        return;
    }
    const Plan &plan = *job.planned;
    response.status = plan.status;
    describe(job);
    note_ignored(job);
    if (plan.record.empty()) return;
    if (job.prepared->quiet) {
        response.status = 204;
        return;
    }
    job.unfinished = is_long(job, snapshot);
    if (!job.unfinished) finish_answer(job, snapshot);
}

Writer::Chores Writer::chores(int64_t now) {
    Snapshot snapshot(session_);
    if (store::has_dead_rows(snapshot.txn) || trimmer_.due(now)) return Chores::rows;
    return has_notes() ? Chores::notes : Chores::none;
}

// True if there is something to write. Another worker may have done it, or a batch have taken it
// along: then the write lock is left to those who need it.
bool Writer::look_for_chores(int64_t now) {
    Snapshot snapshot(session_);
    if (trimmer_.due(now)) trimmer_.look(snapshot.txn, now);
    return store::has_dead_rows(snapshot.txn) || trimmer_.has_found() || has_notes();
}

bool Writer::do_chores(int64_t now) {
    constexpr size_t dead_rows = 500, old_rows = 1000;  // each some milliseconds
    if (!look_for_chores(now)) return trimmer_.due(now);
    store::WriteTxn txn(store_.env());
    if (store::has_dead_rows(txn))
        store::sweep(txn, dead_rows);
    else
        trimmer_.trim(txn, old_rows);
    bool more = store::has_dead_rows(txn);
    put_notes(txn);
    drop_notes();
    if (txn.commit() == store::Errc::ok) return more || trimmer_.due(now);
    trimmer_.stop();
    return false;
}

}  // namespace scim::service
