#pragma once
// A request that writes, on its way through a batch: prepared on any thread, decided and committed by
// the Writer (batch.h), answered from a snapshot after its commit.

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "scim/request/target.h"
#include "service/command.h"
#include "service/store.h"

namespace scim::service {

// The request's views must stay valid until the batch has run.
struct Job {
    Request request;
    ActorPtr actor;
    Response response;

    // After Writer::run(): what the job changes is on disk. Whatever happens afterwards, it must not
    // be answered with an error.
    bool committed = false;
    bool unfinished = false;  // after Writer::run(): finish_answer() makes the answer
    bool postponed =
        false;        // after Writer::run(): the batch has ended before it; there is no answer
    size_t work = 0;  // after Writer::run(): under the write lock, in units of scim/text/work.h

    // The batch's own. `target` and `steps` belong to `catalog`, which is null until the job is
    // prepared.
    bool is_prepared = false;
    std::shared_ptr<const Catalog> catalog;
    Result<Target> target = Error{};
    Outcome prepared = Error{};
    // Planned and applied in order, each on what those before it have written. A request other than
    // to /Bulk has one.
    std::vector<Step> steps;
    // Done once the steps are decided; until then, and if the transaction fails, the error that is
    // the answer.
    Outcome decided = Error{};
    DeviationReport prepare_report, report;  // a plan that is made again counts a rewrite once

    // The only step. REQUIRES: prepared.
    Step &step() { return steps.front(); }
    const Step &step() const { return steps.front(); }
    // True if the decided steps write something.
    bool changes() const {
        return decided && std::any_of(steps.begin(), steps.end(), [](const Step &step) {
                   return step.planned && step.planned->changes;
               });
    }
};

// Shows what an unfinished job has written; on any thread, from a snapshot after its commit.
void finish_answer(Job &job, Snapshot &snapshot);
// Instead: success without a body, and why in the facts. Never throws.
void answer_without_body(Job &job, std::string_view why) noexcept;

// Prepares the job as of the snapshot; on any thread. Writer::run() prepares jobs that are not
// prepared, or whose catalog is not the current one.
void prepare_job(Job &job, Snapshot &snapshot) noexcept;

// Why the job is refused, or nullptr. REQUIRES: decided.
const Error *error_of(const Job &job);

// Sets the fields of a success: the resource's id, its ETag and Location.
void describe(Job &job);

// Frees what only the batch needs, on its thread: that takes milliseconds for a large body.
void forget(Job &job) noexcept;

}  // namespace scim::service
