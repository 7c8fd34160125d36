#include "service/batch.h"

#include <algorithm>
#include <iterator>

#include "scim/datetime.h"
#include "scim/secret.h"
#include "service/ignored.h"
#include "service/render.h"
#include "service/routes.h"
#include "service/token.h"
#include "store/members.h"

namespace scim::service {

namespace {

constexpr size_t refusals_pending_max = 256;

Error unwritable(store::Errc code, const store::Env &env) {
    if (code == store::Errc::map_full) return directory_full(env.info().map_size);
    return Error{503, ScimType::none,
                 "the directory cannot be written now: " + std::string(to_string(code)), 5};
}

bool needs_reopen(store::Errc code) {
    return code == store::Errc::panic || code == store::Errc::replaced;
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

// Frees what only the batch needs, on its thread: that takes milliseconds for a large body.
void forget(Job &job) noexcept {
    job.prepared = Error{};
    job.is_prepared = false;
    if (!job.planned) return;
    job.planned->edit = store::ResourceEdit();
    job.planned->record = std::string();
}

}  // namespace

// The resource is shown as the job has left it; of others what is committed now.
void finish_answer(Job &job, Snapshot &snapshot) {
    const Command &command = job.prepared->command;
    const Plan &plan = *job.planned;
    Watch watch(job.request, Patience::thread, &snapshot.txn);
    store::Directory directory(snapshot.txn, command.tenant, &watch);
    Outlet outlet(job.request, job.response, watch);
    Rendering rendering{*command.catalog,         *command.type, job.request.base_url,
                        job.prepared->projection, directory,     outlet};
    auto record = store::RecordView::parse(plan.record);
    if (!render_resource(rendering, command.id, *record, plan.version))
        snapshot.txn.fail(store::Errc::damaged);
    auto done = outlet.finish();
    job.unfinished = false;
    if (!done || !snapshot.txn.good())
        answer_without_body(job, (done ? unreadable(snapshot.txn.error()) : done.error()).detail);
    forget(job);
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

namespace {

Result<Prepared> prepared(Job &job, Snapshot &snapshot) {
    auto usable = snapshot.usable();
    if (!usable) return usable.error();
    if (!job.actor->may(store::scope_write))
        return Error{
            403, ScimType::none,
            "the token " + quoted(job.actor->label) + " may not write: it lacks the scope write",
            0};
    return prepare(snapshot.catalog(), job.request, *job.actor, job.new_id, job.prepare_report);
}

// A refusal needs no catalog.
bool is_current(const Job &job, const Catalog &catalog) {
    return job.is_prepared &&
           (!job.prepared || job.prepared->command.catalog->epoch() == catalog.epoch());
}

// What the log says of the request, whatever becomes of it.
void note_target(Job &job, const Catalog &catalog) {
    auto target = parse_target(catalog, job.request.path);
    Facts &facts = job.response.facts;
    facts.operation = operation_name(job.request.method, target ? &*target : nullptr);
    if (target && target->type != nullptr) facts.resource_type = target->type->type.name;
    if (target && target->endpoint == Endpoint::resource)
        facts.resource_id = without_tokens(target->name);
    if (target && !job.prepared && job.prepared.error().status == 405)
        job.response.allow = allowed_methods(*target);
}

}  // namespace

// A body that there is no memory for fails its own request only.
void prepare_job(Job &job, Snapshot &snapshot) noexcept {
    try {
        job.prepare_report = Report();
        job.new_id = make_new_id(job.request.now);
        job.prepared = prepared(job, snapshot);
    } catch (const std::exception &) {
        job.prepared = out_of_memory();
    }
    job.is_prepared = true;
}

void Writer::prepare_all(const std::vector<Job *> &jobs) {
    Snapshot snapshot(session_);
    const bool usable = bool(snapshot.usable());
    for (Job *job : jobs) {
        if (!usable || !is_current(*job, *snapshot.catalog())) prepare_job(*job, snapshot);
        job->report = job->prepare_report;
        if (usable) note_target(*job, *snapshot.catalog());
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

// REQUIRES: the job is prepared for the catalog of the transaction. False if it is more work than
// `most`: nothing is written then.
bool Writer::plan_one(store::WriteTxn &txn, Job &job, Room room, size_t most) {
    if (!job.prepared) {
        job.planned = job.prepared.error();
        return true;
    }
    auto authorized = still_authorized(txn, job);
    if (!authorized) {
        job.planned = authorized.error();
        return true;
    }
    Work work(most);
    const Command &command = job.prepared->command;
    store::DirectoryWriter directory(txn, command.tenant);
    job.report = job.prepare_report;
    job.planned = plan(command, directory, job.report, work);
    job.work = work.done();
    if (work.too_much()) return false;
    if (!job.planned) return true;
    const Plan &plan = *job.planned;
    const bool refused = (room != Room::for_all && plan.grows) ||
                         (room == Room::for_lockouts && plan.changes && !plan.locks_out);
    if (!refused) {
        apply(plan, directory);
        return true;
    }
    job.planned = directory_full(txn.map_size());
    if (auto said = full_problem(store_.env(), job.request.now); !said.empty()) problem_ = said;
    return true;
}

// Times of one tenant never go back, whatever the clock does (plan.cc).
void Writer::look_at_clock(const Job &job) {
    // A request may have waited while another worker wrote.
    constexpr int64_t worth_saying = 60000;  // milliseconds
    if (!job.planned || !job.planned->changes) return;
    const int64_t last = job.planned->edit.change.time, behind = last - job.request.now;
    if (behind > worth_saying && !clock_is_behind_)
        warning_ = "the clock is " + std::to_string(behind / 1000) +
                   " s behind the last change: it was set back, or was ahead then; until it has "
                   "caught up, meta.lastModified stays at " +
                   time_text(last);
    clock_is_behind_ = behind > worth_saying;
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
Writer::Attempt Writer::attempt(const std::vector<Job *> &jobs, store::LockWait *wait) {
    store::WriteTxn txn(store_.env(), wait);
    if (!txn.good()) return {txn.error()};
    auto catalog = write_catalogs_.at(txn);
    if (!txn.good()) return {txn.error()};
    if (!catalog) return {store::Errc::damaged};
    const Room room = room_of(txn);
    short_of_room_ |= room == Room::for_lockouts;
    bool changes = false, is_over = false;
    size_t done = 0;
    for (Job *job : jobs) {
        job->work = 0;
        is_over |= done >= work_most || !is_current(*job, **catalog);
        // The first is planned whatever it takes: it would not take less the next time.
        if (!is_over) is_over = !plan_one(txn, *job, room, done == 0 ? SIZE_MAX : work_most - done);
        if (!txn.good()) return {txn.error(), job};
        job->postponed = is_over;
        done += job->work;
        if (is_over) continue;
        changes |= job->planned && job->planned->changes;
        look_at_clock(*job);
    }
    // What only looked needs no commit: it has seen nothing but committed state.
    if (!changes) return {};
    const bool takes_notes = room != Room::for_lockouts;
    if (takes_notes) put_notes(txn);
    store::Errc code = txn.commit();
    if (code != store::Errc::ok) return {code};
    for (Job *job : jobs) job->committed = !job->postponed && job->planned && job->planned->changes;
    if (takes_notes) drop_notes();
    return {};
}

// A damaged record is nobody's trouble but of those who need it: they are refused, and taken out of
// `jobs`. That costs no commit.
Writer::Attempt Writer::attempt_sound(std::vector<Job *> &jobs) {
    // Later attempts are not given up: some of the jobs may be decided by then.
    Attempt tried = attempt(jobs, &lock_wait_);
    while (tried.code == store::Errc::damaged && tried.stuck) {
        Job &job = *tried.stuck;
        const Facts &facts = job.response.facts;
        problem_ = "is damaged where " + std::string(to_string(job.request.method)) + " of " +
                   facts.resource_type + " " + facts.resource_id +
                   " looks; scimctl verify says more, and other requests are served";
        job.planned = unwritable(tried.code, store_.env());
        job.postponed = false;
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
        job->unfinished = job->committed = job->postponed = false;
        job->planned = out_of_memory();
    }
    BatchOutcome outcome = BatchOutcome::failed;
    try {
        outcome = write_all(jobs);
    } catch (const std::exception &) {
        // What is not committed by now never will be.
        for (Job *job : jobs) {
            if (!job->committed) job->planned = out_of_memory();
            job->postponed = false;
        }
    }
    if (outcome == BatchOutcome::given_up) return outcome;  // the jobs may be gone
    for (Job *job : jobs) {
        if (job->postponed) continue;
        answer_for_sure(*job);
        if (!job->unfinished) forget(*job);
    }
    return outcome;
}

BatchOutcome Writer::write_all(const std::vector<Job *> &jobs) {
    prepare_all(jobs);
    std::vector<Job *> sound = jobs;
    store::Errc code = attempt_sound(sound).code;
    if (code == store::Errc::given_up) return BatchOutcome::given_up;
    bool retry = code == store::Errc::map_full || code == store::Errc::no_space;
    bool must_reopen = needs_reopen(code);
    for (Job *job : sound) {
        if (job->postponed) continue;
        store::Errc mine = code;
        if (retry) {
            // What rides along may be what does not fit.
            drop_notes();
            mine = attempt({job}).code;
            must_reopen |= needs_reopen(mine);
        }
        if (mine != store::Errc::ok) job->planned = unwritable(mine, store_.env());
    }
    if (code != store::Errc::ok && code != store::Errc::replaced)
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
    if (store::has_dead_rows(snapshot.txn) || short_of_room_ || trimmer_.due(now))
        return Chores::rows;
    return has_notes() ? Chores::notes : Chores::none;
}

// True if there is something to write. Another worker may have done it, or a batch have taken it
// along: then the write lock is left to those who need it.
bool Writer::look_for_chores(int64_t now) {
    Snapshot snapshot(session_);
    trimmer_.make_room(short_of_room_);
    if (trimmer_.due(now)) trimmer_.look(snapshot.txn, now);
    if (!trimmer_.due(now)) short_of_room_ = false;  // there are no changes that could go
    return store::has_dead_rows(snapshot.txn) || trimmer_.has_found() || has_notes();
}

bool Writer::do_chores(int64_t now) {
    constexpr size_t dead_rows = 500, old_rows = 1000;  // each some milliseconds
    if (!look_for_chores(now)) return trimmer_.due(now);
    store::WriteTxn txn(store_.env(), &lock_wait_);
    if (store::has_dead_rows(txn))
        store::sweep(txn, dead_rows);
    else
        trimmer_.trim(txn, old_rows);
    bool more = store::has_dead_rows(txn);
    const size_t wanted = 2 * Reserve(txn.map_size()).lockouts, room = txn.room(wanted);
    short_of_room_ &= room < wanted;
    if (room == wanted) {
        put_notes(txn);
        drop_notes();
    }
    if (txn.commit() == store::Errc::ok) return more || trimmer_.due(now);
    trimmer_.stop();
    return false;
}

}  // namespace scim::service
