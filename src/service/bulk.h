#pragma once
// A bulk request (RFC 7644 3.7) that is under way: its operations, their results, and how far the
// work is. Each operation is done or refused as a whole. The units of work are independent of each
// other, so that one request may be spread over many transactions; `scim_bulk_atomic on` makes all
// of them one transaction.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scim/request/bulk.h"
#include "service/command.h"

namespace scim::service {

struct Job;

struct BulkOperationState {
    std::string method, path, bulk_id;  // for the response and the log; references are resolved
    std::string location;               // of the resource; empty if the path has no resource
    std::vector<uint32_t> needs;        // see BulkOperation
    Result<Step> step = undecided();    // an error refuses the operation before it is planned
    // The result.
    uint16_t status = 0;  // 0: not done
    uint64_t version = 0;
    bool has_version = false;
    Error error = undecided();  // if the status is not one of success
};

class Bulk {
  public:
    bool is_atomic = false;                      // all units or none
    uint64_t fail_on_errors = 0;                 // 0: no limit
    std::vector<Id> ids;                         // ids[i] is the id for a create by operation i
    std::vector<BulkOperationState> operations;  // in the order of the request
    std::vector<std::vector<uint32_t>> units;    // in the order of the work
    DeviationReport report;                      // of the units that are done

    // Progress. The results of units are final after keep(); begin() discards the others, because a
    // transaction may fail and be repeated.
    void begin();
    void keep(DeviationReport &&now) noexcept;
    const std::vector<uint32_t> &next_unit() const { return units[now_.units]; }
    void end_unit() { now_.units++; }
    void end_all() { now_.units = units.size(); }
    // True if no unit is left, or failOnErrors is reached.
    bool is_over() const;
    // True if begin() has been followed by end_unit().
    bool has_moved() const { return now_.units > kept_.units; }
    bool has_results() const { return kept_.units > 0; }

    // The operation that read a damaged record, which failed the transaction; set by the Writer after
    // begin(). refuse_stuck() gives it the error instead of its plan. False if there is none, or if
    // many were refused already: each costs another transaction.
    std::optional<uint32_t> stuck;
    bool refuse_stuck(const Error &error);

    // Why the operation is refused before it is planned; nothing if it is not.
    std::optional<Error> refusal(uint32_t index) const;
    void set_done(uint32_t index, uint16_t status, std::optional<uint64_t> version);
    void set_failed(uint32_t index, const Error &error);
    // The operations that are left get the error, unless failOnErrors is reached.
    void refuse_rest(const Error &error);

    size_t failed() const { return now_.failed; }

  private:
    struct Progress {
        size_t units = 0, failed = 0;
    };
    Progress kept_, now_;
    size_t damaged_ = 0;  // operations refused by refuse_stuck()
};

// REQUIRES: the text is POST, PUT, PATCH or DELETE; any other text is taken for DELETE.
Method method_of(std::string_view text);

// Prepares the operations that are left; job.bulk is made by the first call. An error refuses the
// request as a whole.
Outcome prepare_bulk(Job &job);

// Sets status, log fields and the body of the response, which is in the sink if it is long.
// REQUIRES: the bulk has results, or no operations.
Outcome write_bulk(Job &job, BodySink *sink);

}  // namespace scim::service
