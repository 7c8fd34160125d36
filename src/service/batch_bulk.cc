// The bulk requests of a batch. A unit of work is one operation, or the operations of a circle, of
// which all or none are done.

#include "scim/text/secret.h"
#include "service/batch.h"
#include "service/routes.h"

namespace scim::service {

namespace {

Error too_much_work() {
    return Error{Refusal::bulk_too_costly,
                 "the operations that must be done together are too much work for one transaction; "
                 "send fewer of them"};
}

// The first operation of the unit that has failed; nothing if none has.
std::optional<uint32_t> failed_in(const Bulk &bulk, const std::vector<uint32_t> &unit) {
    for (uint32_t index : unit)
        if (bulk.operations[index].status >= 400) return index;
    return std::nullopt;
}

// Refuses the operations of a circle because one of them has failed (RFC 7644 3.7.1).
void fail_circle(Bulk &bulk, const std::vector<uint32_t> &unit, uint32_t cause) {
    const Error error{Refusal::bulk_circle_failed,
                      "not done because " + place_of(cause) +
                          ", with which the operation forms a circle of references, has failed"};
    for (uint32_t index : unit)
        if (index != cause) bulk.set_failed(index, error);
}

// Refuses all operations of an atomic bulk request because one of them has failed.
void fail_all(Bulk &bulk, uint32_t cause) {
    // 424 is Failed Dependency (RFC 4918 11.4).
    const Error error{Refusal::bulk_all_failed,
                      "not done because " + place_of(cause) +
                          " has failed, and the operations are done together or not at all"};
    for (uint32_t index = 0; index < bulk.operations.size(); index++)
        if (index != cause) bulk.set_failed(index, error);
}

// False for what the directory or another operation is the cause of, and for a revoked token.
bool is_worth_noting(uint16_t status) {
    return status >= 400 && status < 500 && status != 401 && status != 424;
}

store::Refusal refusal_of(const Job &job, size_t index) {
    const BulkOperationState &operation = job.bulk->operations[index];
    Error error = operation.error;
    error.detail.insert(0, place_of(index) + ": ");
    store::Refusal refusal = refusal_of(job, error);
    const auto target = parse_target(*job.catalog, operation.path);
    refusal.operation = operation_name(method_of(operation.method), target ? &*target : nullptr);
    if (!target || target->type == nullptr) return refusal;
    refusal.resource_type = target->type->type.name;
    if (target->endpoint == Endpoint::resource) refusal.resource_id = without_tokens(target->name);
    return refusal;
}

}  // namespace

void Writer::plan_operation(store::WriteTxn &txn, Job &job, uint32_t index, MapSpace room,
                            Work &work) {
    Bulk &bulk = *job.bulk;
    work.note(operation_work);
    if (auto refused = bulk.refusal(index)) return bulk.set_failed(index, *refused);
    Step &step = *bulk.operations[index].step;
    plan_step(txn, job, step, room, work);
    if (!txn.good()) bulk.stuck = index;
    if (work.too_much() || !txn.good()) return;
    if (!step.planned) return bulk.set_failed(index, step.planned.error());
    const Plan &plan = *step.planned;
    const bool is_shown = !plan.record().empty();
    bulk.set_done(index, plan.status,
                  is_shown ? std::optional<uint64_t>(plan.version) : std::nullopt);
    step.planned = undecided();  // frees its memory
}

// Plans and writes operations that are done together or not at all. False if one of them has
// failed or the work becomes too much: then the transaction must not be committed.
bool Writer::plan_together(store::WriteTxn &txn, Job &job, const std::vector<uint32_t> &unit,
                           MapSpace room, Work &work) {
    Bulk &bulk = *job.bulk;
    for (uint32_t index : unit)
        if (auto refused = bulk.refusal(index)) {
            bulk.set_failed(index, *refused);
            return false;
        }
    for (uint32_t index : unit) {
        plan_operation(txn, job, index, room, work);
        if (!txn.good()) return true;
        if (work.too_much()) bulk.set_failed(index, too_much_work());
        if (bulk.operations[index].status >= 400) return false;
    }
    return true;
}

// REQUIRES: nothing is written in the transaction.
Writer::Planned Writer::plan_circle(store::WriteTxn &txn, Job &job, MapSpace room) {
    Bulk &bulk = *job.bulk;
    const std::vector<uint32_t> &unit = bulk.next_unit();
    Work work(undo_work_most);
    const bool good = plan_together(txn, job, unit, room, work);
    job.work += work.done();
    if (!good) fail_circle(bulk, unit, *failed_in(bulk, unit));
    bulk.end_unit();
    return good ? Planned::done : Planned::rolled_back;
}

// REQUIRES: nothing is written in the transaction.
Writer::Planned Writer::plan_atomic(store::WriteTxn &txn, Job &job, MapSpace room) {
    Bulk &bulk = *job.bulk;
    Work work(undo_work_most);
    std::optional<uint32_t> cause;
    while (!cause && !bulk.is_over() && txn.good()) {
        const std::vector<uint32_t> &unit = bulk.next_unit();
        if (!plan_together(txn, job, unit, room, work)) cause = failed_in(bulk, unit);
        bulk.end_unit();
    }
    job.work += work.done();
    if (!cause) return Planned::done;
    if (work.too_much()) job.decided = too_much_work();
    fail_all(bulk, *cause);
    bulk.end_all();
    return Planned::rolled_back;
}

// Plans and writes the next unit of a bulk request, which is postponed if it is more work than
// `most`, or if it must be the first of its transaction and is not.
Writer::Planned Writer::plan_unit(store::WriteTxn &txn, Job &job, MapSpace room, size_t most,
                                  bool is_first) {
    Bulk &bulk = *job.bulk;
    if (bulk.next_unit().size() > 1)
        return is_first ? plan_circle(txn, job, room) : Planned::postponed;
    Work work(most);
    plan_operation(txn, job, bulk.next_unit().front(), room, work);
    job.work += work.done();
    if (work.too_much()) return Planned::postponed;
    bulk.end_unit();
    return Planned::done;
}

// Plans and writes units of a bulk request until the transaction has enough work. `most` is as for
// plan_job(): the first unit of the first job is done however much work it is. Operations that are
// done together can only be undone with all of the transaction: nothing may be written before them.
Writer::Planned Writer::plan_bulk(store::WriteTxn &txn, Job &job, MapSpace room, size_t most,
                                  bool is_first) {
    Bulk &bulk = *job.bulk;
    bulk.begin();
    job.report = bulk.report;
    if (bulk.is_atomic && !bulk.is_over())
        return is_first ? plan_atomic(txn, job, room) : Planned::postponed;
    const size_t share = std::min(most, batch_work_most);
    size_t left = most;
    while (!bulk.is_over() && job.work < share && txn.good()) {
        const Planned unit = plan_unit(txn, job, room, left, is_first && !job.changed_at);
        if (unit == Planned::rolled_back) return unit;
        if (unit == Planned::postponed) break;
        left = share - std::min(share, job.work);
    }
    return bulk.has_moved() || bulk.is_over() ? Planned::done : Planned::postponed;
}

// Records the operations that were refused for `scimctl log`, up to a share of what it keeps.
void Writer::note_failed(const Job &job) {
    constexpr size_t refusals_max = 64;
    const std::vector<BulkOperationState> &operations = job.bulk->operations;
    size_t noted = 0;
    for (size_t i = 0; i < operations.size(); i++) {
        if (noted == refusals_max || refusals_.size() >= refusals_pending_max) return;
        if (!is_worth_noting(operations[i].status)) continue;
        noted++;
        refusals_.push_back(refusal_of(job, i));
    }
}

}  // namespace scim::service
