#pragma once
// A request that writes. It is prepared on any thread, planned and committed by the Writer
// (batch.h), and answered from a snapshot after its commit.

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "scim/request/target.h"
#include "service/command.h"
#include "service/store.h"

namespace scim::service {

// The views of `request` must stay valid until the job is answered.
struct Job {
    Request request;
    ActorPtr actor;
    Response response;

    // Results of Writer::run().
    bool committed = false;   // the changes are on disk: an error response is not allowed any more
    bool unfinished = false;  // the response is not made yet: call finish_answer()
    bool postponed = false;   // the batch ended before this job: there is no response
    size_t work = 0;          // under the write lock, in units of scim/text/work.h

    // Set by prepare_job() and the Writer. `target` and `steps` refer to `catalog`, which is null
    // until the job is prepared.
    bool is_prepared = false;
    std::shared_ptr<const Catalog> catalog;
    Result<Target> target = Error{};
    Outcome prepared = Error{};
    // Planned and applied in order, each on the data that the steps before it have written. Only a
    // bulk request (RFC 7644 3.7) has more than one.
    std::vector<Step> steps;
    // Done after the steps were planned. Before that, and if the transaction fails, the error to
    // answer with.
    Outcome decided = Error{};
    // `report` is `prepare_report` and the deviations found by planning. It starts anew from
    // `prepare_report` when the job is planned again, so that no deviation is counted twice.
    DeviationReport prepare_report, report;

    // The first step. REQUIRES: `prepared` is Done.
    Step &step() { return steps.front(); }
    const Step &step() const { return steps.front(); }
    // True if the planned steps write something.
    bool changes() const {
        return decided && std::any_of(steps.begin(), steps.end(), [](const Step &step) {
                   return step.planned && step.planned->changes;
               });
    }
};

// Renders the response body of an unfinished job, on any thread. If the store or the sink fails, it
// calls answer_unshown(). May throw std::bad_alloc: the job is still unfinished then. REQUIRES: the
// snapshot was taken after the commit of the job.
void finish_answer(Job &job, Snapshot &snapshot);
// Answers a job whose response body cannot be made: success without a body if the job is committed,
// otherwise `error`, because a write that changed nothing can be repeated. Never throws.
void answer_unshown(Job &job, const Error &error) noexcept;
// Sets a success status without a body. `why` is added to the log fields. Never throws.
void answer_without_body(Job &job, std::string_view why) noexcept;

// Prepares the job with the catalog of the snapshot, on any thread. Writer::run() prepares jobs
// that are not prepared or whose catalog is not the current one.
void prepare_job(Job &job, Snapshot &snapshot) noexcept;
// The same before Writer::run(), to which an error with a 5xx status is not passed on, because it
// may be transient: the writer prepares the job again.
void prepare_ahead(Job &job, Snapshot &snapshot) noexcept;

// Why the job is refused; nullptr if it is not. REQUIRES: the job was planned or refused.
const Error *error_of(const Job &job);

// Sets the id of the resource (log fields), ETag and Location of a successful response.
void describe(Job &job);

// Frees the steps, which the response does not need. For a large body this takes milliseconds, so
// it is called on the thread that ran the job, not on the event loop.
void forget(Job &job) noexcept;

}  // namespace scim::service
