#pragma once
// One write in three steps: prepare_step() makes a Command from parsed JSON without reading the
// store, plan() decides about it in a transaction, apply() writes what was decided. What the store
// does not determine (time, id) is fixed in the Command. A Plan refers to nothing but itself:
// attributes and types are numbers, and apply() needs no catalog.

#include <memory>
#include <string>

#include "scim/patch/patch.h"
#include "service/request.h"
#include "store/directory.h"

namespace scim::service {

struct Command {
    store::Operation operation = store::Operation::create;
    store::TenantNumber tenant = 0;
    uint32_t actor = 0;  // a number of `actors`
    store::RequestId request{};
    int64_t now = 0;  // milliseconds

    std::shared_ptr<const Catalog> catalog;  // the one it was prepared with
    const TypeView *type = nullptr;          // of that catalog
    Id id{};
    std::string if_match, if_none_match;
    Resource resource;         // create, replace
    store::IndexValues index;  // of `resource`
    Patch patch;               // patch
};

struct Plan {
    uint16_t status = 200;
    bool changes = false;    // false: nothing is written, `record` is what is there
    bool grows = false;      // the store needs more room: refused when there is little
    bool locks_out = false;  // deletes the resource, or sets `active` to false: refused last
    store::ResourceEdit edit;
    std::string record;    // the resource after the write; empty after a delete
    uint64_t version = 0;  // of that resource, as its ETag has it
};

// What all steps of a request, a bulk request or an import have in common. Views must stay valid
// while steps are prepared.
struct StepContext {
    std::shared_ptr<const Catalog> catalog;
    const Settings &settings;
    store::TenantNumber tenant = 0;
    uint32_t actor = 0;  // a number of `actors`
    store::RequestId request{};
    int64_t now = 0;  // milliseconds since 1970
};

// What a client asks of one resource: a request, or an operation of /Bulk.
struct StepInput {
    store::Operation operation = store::Operation::create;
    const Target &target;          // of the context's catalog
    const Query &query;            // `attributes` and `excludedAttributes` of the answer
    const json_t *data = nullptr;  // the resource or the PatchOp; not of a remove
    std::string_view if_match, if_none_match;
};

// One change of one resource on its way through a transaction.
struct Step {
    Command command;
    Projection projection;    // of the answer
    bool no_content = false;  // success is 204: a PATCH of a group does not show its members
    Result<Plan> planned = Error{};
};

// Limits, dialect, validation, normalisation; no transaction, no clock. `new_id` is the id of a
// resource that is created. 404, and 400 and 413 for the data.
Result<Step> prepare_step(const StepContext &context, const StepInput &input, const Id &new_id,
                          DeviationReport &report);

// 413 if the indexed values of a resource take more than about 50 ms to normalise and fold. That is
// done under the write lock when such a resource is changed or deleted.
constexpr size_t index_work_most = 2'000'000;  // units of scim/text/work.h
Outcome check_index_work(size_t work);

// Reads only. What the plan and its application take is counted in `work`; a plan that is made when
// `work` says that it is too much is of no use. 404, 409 uniqueness (naming the other resource, and whether it is inactive), 412, 400
// mutability, unknown members, and what required attributes lack. Deterministic in the Command and
// the store.
Result<Plan> plan(const Command &command, store::Directory &directory, DeviationReport &report,
                  Work &work);

// Can fail only as LMDB can: the transaction then says so.
inline void apply(const Plan &plan, store::DirectoryWriter &directory) {
    if (plan.changes) directory.apply(plan.edit);
}

}  // namespace scim::service
