#include "service/batch.h"

#include <algorithm>
#include <iterator>

#include "scim/text/datetime.h"
#include "scim/text/secret.h"
#include "service/ignored.h"
#include "service/index_builder.h"
#include "service/mass_deactivation.h"
#include "service/me.h"
#include "service/render.h"
#include "service/routes.h"
#include "service/token.h"

namespace scim::service {

namespace {

Error unwritable(store::Errc code, const store::Env &env) {
    if (code == store::Errc::map_full) return directory_full(env.info().map_size);
    return Error{Refusal::store_unwritable,
                 "the directory cannot be written now: " + std::string(to_string(code)), 5};
}

bool needs_reopen(store::Errc code) {
    return code == store::Errc::panic || code == store::Errc::replaced;
}

// True if the response shows more members or groups than the writer thread should render.
bool is_long(const Job &job, Snapshot &snapshot) {
    const Command &command = job.step().command;
    store::Directory directory(snapshot.txn, command.tenant);
    return shown_references(*command.type, job.step().projection, directory, command.id) >
           loop_references;
}

// True if the job need not be prepared again. A refusal stays valid under another catalog.
bool is_current(const Job &job, const Catalog &catalog) {
    return job.is_prepared && (!job.prepared || job.catalog->epoch() == catalog.epoch());
}

// Sets what does not depend on the outcome: log fields, Location for /Me, and Allow for a 405.
void note_target(Job &job) {
    LogFields &log_fields = job.response.log_fields;
    const Target *target = job.target ? &*job.target : nullptr;
    log_fields.operation = operation_name(job.request.method, target);
    if (target == nullptr) return;
    note_location(job.response, *target, job.request.base_url);
    if (target->type != nullptr) log_fields.resource_type = target->type->type.name;
    if (target->endpoint == Endpoint::resource)
        log_fields.resource_id = without_tokens(target->name);
    if (!job.prepared && job.prepared.error().status() == 405)
        job.response.allow = allowed_methods(*target);
}

// The fields that describe the request.
store::Refusal note_of(const Job &job) {
    store::Refusal refusal;
    refusal.tenant = job.actor->tenant;
    refusal.time = job.request.now;
    refusal.actor = job.actor->number;
    refusal.request = job.request.id;
    refusal.operation = job.response.log_fields.operation;
    refusal.resource_type = job.response.log_fields.resource_type;
    refusal.resource_id = job.response.log_fields.resource_id;
    return refusal;
}

}  // namespace

store::Refusal refusal_of(const Job &job, const Error &error) {
    store::Refusal refusal = note_of(job);
    refusal.status = error.status();
    refusal.scim_type = to_string(error.type());
    refusal.error_id = error.id();
    refusal.detail = error.detail;
    return refusal;
}

void Writer::prepare_all(const std::vector<Job *> &jobs) {
    Snapshot snapshot(session_);
    const bool usable = bool(snapshot.usable());
    for (Job *job : jobs) {
        if (!usable || !is_current(*job, *snapshot.catalog())) prepare_job(*job, snapshot);
        job->report = job->prepare_report;
        if (job->catalog != nullptr) note_target(*job);
    }
}

// 401 if the token was revoked, its user deactivated or its tenant removed after the request was
// authenticated; 403 if the tenant was disabled.
Outcome Writer::still_authorized(store::WriteTxn &txn, const Job &job) {
    const Actor &actor = *job.actor;
    RETURN_IF_ERROR(check_subject(actor, *job.catalog, txn));
    if (actor.auth_epoch == store::auth_epoch(txn)) return Done{};
    auto tenant = store::find_tenant(txn, actor.tenant);
    if (!tenant || tenant->state != store::TenantState::active)
        return Error{Refusal::token_unknown,
                     "the tenant was removed while the request was on its way"};
    if (tenant->disabled) return tenant_disabled(tenant->name);
    auto token = actor.token != 0 ? store::find_token(txn, actor.digest) : std::nullopt;
    if (actor.token == 0 || (token && token->revoked == 0)) return Done{};
    return Error{Refusal::token_revoked, "the token was revoked while the request was on its way"};
}

// Counts a user that has lost its access.
void Writer::note_lockout(store::WriteTxn &txn, const Job &job, const Step &step) {
    const Plan &plan = *step.planned;
    std::string alarm = service::note_lockout(txn, *step.command.catalog, step.command.tenant,
                                              job.actor->tenant_name, plan.edit.record.empty(),
                                              plan.edit.change.time);
    if (!alarm.empty()) uncommitted_alarms_.push_back(std::move(alarm));
}

// Plans one step and writes the plan, unless `work` becomes too much. Refuses a write for which the
// map lacks space; plan() does not check this, because it depends only on the Command and the data.
void Writer::plan_step(store::WriteTxn &txn, Job &job, Step &step, MapSpace room, Work &work) {
    store::DirectoryWriter directory(txn, step.command.tenant);
    step.planned = plan(step.command, directory, job.report, work);
    if (work.too_much() || !step.planned) return;
    const Plan &plan = *step.planned;
    const bool refused = (room != MapSpace::for_all && plan.grows) ||
                         (room == MapSpace::for_lockouts && plan.changes && !plan.locks_out);
    if (!refused) {
        apply(plan, directory);
        shrinks_lists_ |= plan.locks_out && store::differing_trigrams(plan.edit.trigrams_before,
                                                                      plan.edit.trigrams_after) > 0;
        if (plan.changes) job.changed_at = plan.edit.change.time;
        if (plan.ends_access) note_lockout(txn, job, step);
        return;
    }
    step.planned = directory_full(txn.map_size());
    note_problem(full_problem(store_.env(), job.request.now));
}

// Plans and writes a job, which is postponed if it is more work than `most`. `is_first`: nothing is
// written in the transaction. REQUIRES: the job is prepared for the catalog of the transaction.
Writer::Planned Writer::plan_job(store::WriteTxn &txn, Job &job, MapSpace room, size_t most,
                                 bool is_first) {
    job.decided = job.prepared;
    if (job.decided) job.decided = still_authorized(txn, job);
    if (!job.decided) return Planned::done;
    if (job.bulk != nullptr) return plan_bulk(txn, job, room, most, is_first);
    job.report = job.prepare_report;
    Work work(most);
    plan_step(txn, job, job.step(), room, work);
    job.work = work.done();
    return work.too_much() ? Planned::postponed : Planned::done;
}

// Warns if the clock is behind the last change of the tenant: then the time of the change is not
// the time of the clock (stamp() in plan.cc).
void Writer::look_at_clock(const Job &job) {
    // Smaller differences are normal: another worker may have written while the request waited.
    constexpr int64_t worth_saying = 60000;  // milliseconds
    if (!job.changed_at) return;
    const int64_t last = *job.changed_at, behind = last - job.request.now;
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

// The results of bulk requests that this attempt has made are final.
void Writer::keep_bulks(const std::vector<Job *> &jobs) noexcept {
    for (Job *job : jobs)
        if (job->bulk != nullptr && !job->postponed && job->decided)
            job->bulk->keep(std::move(job->report));
}

// Writes all jobs that are not postponed in one transaction; if it fails, none of them.
Writer::Attempt Writer::attempt(const std::vector<Job *> &jobs, store::LockWait *wait) {
    store::WriteTxn txn(store_.env(), wait);
    if (!txn.good()) return {txn.error()};
    auto catalog = write_catalogs_.at(txn);
    if (!txn.good()) return {txn.error()};
    if (!catalog) return {store::Errc::damaged};
    uncommitted_alarms_.clear();
    shrinks_lists_ = false;
    const MapSpace room = map_space(txn);
    short_of_room_ |= room == MapSpace::for_lockouts;
    bool changes = false, is_over = false;
    size_t done = 0;
    for (Job *job : jobs) {
        job->work = 0;
        job->changed_at.reset();
        is_over |= done >= batch_work_most || !is_current(*job, **catalog);
        Planned planned = Planned::postponed;
        // The first job has no limit: it would be as much work the next time.
        if (!is_over)
            planned =
                plan_job(txn, *job, room, done == 0 ? SIZE_MAX : batch_work_most - done, !changes);
        if (!txn.good()) return {txn.error(), job};
        is_over |= planned != Planned::done;
        job->postponed = planned == Planned::postponed;
        if (planned != Planned::done) job->changed_at.reset();
        done += job->work;
        changes |= job->changed_at.has_value();
        if (!job->postponed) look_at_clock(*job);
    }
    // If nothing is written, all plans are based on committed data and no commit is needed. After
    // Planned::rolled_back the transaction is not committed.
    if (!changes) return keep_bulks(jobs), Attempt();
    const bool takes_notes = room != MapSpace::for_lockouts;
    if (takes_notes) put_notes(txn);
    const auto start = std::chrono::steady_clock::now();
    store::Errc code = txn.commit();
    if (code != store::Errc::ok) return {code};
    commit_time_ = std::chrono::steady_clock::now() - start;
    for (Job *job : jobs) job->committed = job->changed_at && job->bulk == nullptr;
    keep_bulks(jobs);
    std::move(uncommitted_alarms_.begin(), uncommitted_alarms_.end(), std::back_inserter(alarms_));
    if (takes_notes) drop_notes();
    return {};
}

// Like attempt(), but a damaged record fails only the jobs that read it: they are refused and
// removed from `jobs`, and the other jobs are tried again. Of a bulk request, only the operation that
// reads it is refused. The failed attempts commit nothing.
Writer::Attempt Writer::attempt_sound(std::vector<Job *> &jobs) {
    // Only the first attempt can be given up: before later ones, some jobs are already refused.
    Attempt tried = attempt(jobs, &lock_wait_);
    while (tried.is_damaged()) {
        Job &stuck = *tried.stuck;
        note_damage(stuck);
        const Error error = unwritable(tried.code, store_.env());
        if (stuck.bulk == nullptr || !stuck.bulk->refuse_stuck(error)) {
            stuck.decided = error;
            stuck.postponed = false;
            jobs.erase(std::find(jobs.begin(), jobs.end(), &stuck));
        }
        tried = attempt(jobs);
    }
    return tried;
}

// Of several damaged records, the log names the last.
void Writer::note_damage(const Job &job) {
    const LogFields &log_fields = job.response.log_fields;
    std::string what = std::string(to_string(job.request.method)) + " of ";
    if (job.bulk != nullptr && job.bulk->stuck) {
        const BulkOperationState &operation = job.bulk->operations[*job.bulk->stuck];
        what = "the bulk operation " + quoted(operation.method + " " + operation.path);
    } else if (log_fields.resource_type.empty()) {
        what += log_fields.operation;
    } else {
        what += log_fields.resource_type;
        if (!log_fields.resource_id.empty()) what += " " + log_fields.resource_id;
    }
    damage_ = "is damaged where " + what +
              " looks; scimctl verify says more, and other requests are served";
}

// Adds to the problem of the batch, unless the text is empty.
void Writer::note_problem(const std::string &problem) {
    if (problem.empty()) return;
    if (!problem_.empty()) problem_ += "; it ";
    problem_ += problem;
}

// The log message for a full map; empty if it was returned within the last minute.
std::string Writer::full_problem(const store::Env &env, int64_t now) {
    std::string sentence = "is full: creates are refused, because almost all of its " +
                           std::to_string(env.info().map_size) +
                           " bytes are in use; raise size= of scim_store and reload";
    return ignored_.is_new(sentence, now) ? sentence : std::string();
}

BatchOutcome Writer::run(const std::vector<Job *> &jobs) noexcept {
    problem_.clear();
    damage_.clear();
    commit_time_ = {};
    for (Job *job : jobs) {
        job->response.clear();
        job->unfinished = job->committed = job->postponed = job->continues = false;
        job->decided = out_of_memory();
    }
    BatchOutcome outcome = BatchOutcome::failed;
    try {
        outcome = write_all(jobs);
    } catch (const std::exception &) {
        // Jobs that are not committed yet will not be committed.
        for (Job *job : jobs) {
            if (!job->committed) job->decided = out_of_memory();
            job->postponed = false;
        }
    }
    if (outcome == BatchOutcome::given_up) return outcome;  // the jobs may be freed
    for (Job *job : jobs) {
        if (job->postponed) continue;
        job->continues = job->decided && job->bulk != nullptr && !job->bulk->is_over();
        if (job->continues) continue;
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
    store::Errc failed = retry ? store::Errc::ok : code;  // for the log
    for (Job *job : sound) {
        if (job->postponed) continue;
        store::Errc mine = code;
        if (retry) {
            // The notes may be what does not fit.
            drop_notes();
            const Attempt tried = attempt({job});
            mine = tried.code;
            if (mine == store::Errc::map_full && shrinks_lists_ && drop_substring_indexes()) {
                job->postponed = true;  // it was prepared for the catalog before
                continue;
            }
            must_reopen |= needs_reopen(mine);
            if (tried.is_damaged())
                note_damage(*job);
            else if (mine != store::Errc::ok)
                failed = mine;
        }
        if (mine != store::Errc::ok) job->decided = unwritable(mine, store_.env());
    }
    if (failed != store::Errc::ok && failed != store::Errc::replaced)
        note_problem("cannot be written: " + std::string(to_string(failed)));
    note_problem(damage_);
    if (must_reopen) return BatchOutcome::reopen;
    return code == store::Errc::ok || retry ? BatchOutcome::ok : BatchOutcome::failed;
}

// Makes room for a deletion that does not fit into the map, although it is alone in its transaction:
// it may have to rewrite a page for each trigram of the resource. Drops the substring indexes; they
// are built again when there is space. False if there is none, or if that does not fit either.
bool Writer::drop_substring_indexes() {
    store::WriteTxn txn(store_.env());
    const auto catalog = write_catalogs_.at(txn);
    const auto is_substring = [](const IndexDef &index) {
        return index.kind == IndexKind::substring;
    };
    if (!catalog || rebuild_indexes(txn, **catalog, is_substring) == 0 ||
        txn.commit() != store::Errc::ok)
        return false;
    alarms_.push_back(
        "store " + quoted(store_.env().directory()) +
        ": the substring indexes are dropped, because its map is too full to remove a "
        "resource from them; they are built again when there is space; raise size= of "
        "scim_store and reload");
    return true;
}

// Answers a job after the commit: what the response shows of other resources is what is committed
// now. If memory is short, a committed job is answered without a body.
void Writer::answer_for_sure(Job &job) noexcept {
    if (job.committed) job.response.status = job.step().planned->status;
    try {
        Snapshot snapshot(session_);  // one per job: a damaged record fails no other response
        return answer(job, snapshot);
    } catch (const std::exception &) {
        if (!job.committed) return answer_unshown(job, out_of_memory());
    }
    answer_without_body(job, "out of memory");
    try {
        describe(job);
    } catch (const std::exception &) {
        job.response.etag.clear();
        job.response.location.clear();
    }
}

// Records for `scimctl log` which attributes a successful write ignored, with its status.
void Writer::note_ignored(const Job &job) {
    const std::string sentence = ignored_sentence(job.response.log_fields.dialect);
    if (sentence.empty() || refusals_.size() >= refusals_pending_max) return;
    if (!ignored_.is_new(job.actor->tenant_name + ' ' + sentence, job.request.now)) return;
    store::Refusal &note = refusals_.emplace_back(note_of(job));
    note.status = job.response.status;
    note.detail = sentence;
}

// Operations that are not done because of an error of the whole request have that error.
void Writer::answer_bulk(Job &job, Snapshot &snapshot) {
    if (!job.decided) job.bulk->refuse_rest(job.decided.error());
    note_failed(job);
    job.response.status = 200;
    note_ignored(job);
    job.unfinished = job.bulk->operations.size() > loop_references;
    if (!job.unfinished) finish_answer(job, snapshot);
}

void Writer::answer(Job &job, Snapshot &snapshot) {
    Response &response = job.response;
    response.log_fields.dialect = (job.bulk ? job.bulk->report : job.report).summary();
    if (job.bulk != nullptr && (job.decided || job.bulk->has_results()))
        return answer_bulk(job, snapshot);
    if (const Error *refused = error_of(job)) {
        const Error &error = *refused;
        refuse(response, error, job.request);
        if (error.status() < 500 && error.status() != 401 &&
            refusals_.size() < refusals_pending_max)
            refusals_.push_back(refusal_of(job, error));
        return;
    }
    const Plan &plan = *job.step().planned;
    response.status = plan.status;
    describe(job);
    const bool has_body = !plan.record().empty() && !job.step().no_content;
    if (!has_body) response.status = 204;
    note_ignored(job);
    if (!has_body) return;
    job.unfinished = is_long(job, snapshot);
    if (!job.unfinished) finish_answer(job, snapshot);
}

}  // namespace scim::service
