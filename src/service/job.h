#pragma once
// A request that writes. It is prepared on any thread, planned and committed by the Writer
// (batch.h), and answered from a snapshot after its commit.

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "scim/request/target.h"
#include "service/bulk.h"
#include "service/command.h"
#include "service/store.h"

namespace scim::service {

// The views of `request` must stay valid until the job is answered.
struct Job {
    Request request;
    ActorPtr actor;
    Response response;

    // Results of Writer::run().
    // The changes are on disk: an error response is not allowed any more. False for a bulk request,
    // whose response has a status for each operation.
    bool committed = false;
    bool unfinished = false;  // the response is not made yet: call finish_answer()
    bool postponed = false;   // the batch ended before this job: there is no response
    bool continues = false;   // operations of a bulk request are left: run it again, after others
    bool is_left() const { return postponed || continues; }
    size_t work = 0;  // under the write lock, in units of scim/text/work.h

    // Set by prepare_job() and the Writer. `target` and the steps refer to `catalog`, which is null
    // until the job is prepared.
    bool is_prepared = false;
    std::shared_ptr<const Catalog> catalog;
    Result<Target> target = undecided();
    Outcome prepared = undecided();
    // One of both, if the request is not refused by its preparation.
    std::optional<Step> only_step;  // of a request for one resource
    std::unique_ptr<Bulk> bulk;     // of a bulk request (RFC 7644 3.7)
    // Done after the steps were planned. Before that, and if the transaction fails, the error to
    // answer with.
    Outcome decided = undecided();
    // `report` is `prepare_report` and the deviations found by planning. It starts anew from
    // `prepare_report` when the job is planned again, so that no deviation is counted twice.
    DeviationReport prepare_report, report;
    // The time of the last change that the job has written in this transaction, in milliseconds
    // since 1970; nothing if it has written nothing.
    std::optional<int64_t> changed_at;

    // REQUIRES: `prepared` is Done, not a bulk request.
    Step &step() { return *only_step; }
    const Step &step() const { return *only_step; }
};

store::Operation operation_of(Method method);

// Parses the body; null for a DELETE, which has none.
Result<Json> parse_body(const Request &request);

// Renders the response body of an unfinished job, on any thread. If the store or the sink fails, it
// calls answer_unshown(). May throw std::bad_alloc: the job is still unfinished then. REQUIRES: the
// snapshot was taken after the commit of the job.
void finish_answer(Job &job, Snapshot &snapshot);
// Answers a job whose response body cannot be made: success without a body if the job is committed,
// otherwise `error`, because a write that changed nothing can be repeated. A bulk request of which
// operations are done is answered with their results, and `error` for the others. Never throws.
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
