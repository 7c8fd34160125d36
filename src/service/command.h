#pragma once
// A write on its way: prepare makes a Command without looking at the store, plan decides about it
// in a transaction, apply carries the decision out. Everything that is not determined by the store
// (time, id) is fixed in the Command, so that one log of Commands means one outcome on every node.

#include <memory>
#include <string>

#include "scim/patch.h"
#include "service/request.h"
#include "store/directory.h"

namespace scim::service {

struct Command {
    store::Operation operation = store::Operation::create;
    store::TenantNumber tenant = 0;
    uint32_t actor = 0;  // token number
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

struct Prepared {
    Command command;
    Projection projection;  // of the answer
    bool quiet = false;     // success is 204: nobody wants a group's members back after each PATCH
};

// No transaction, no clock: limits, JSON, dialect, validation, normalisation. `new_id` is the id of
// what may be created.
Result<Prepared> prepare(const std::shared_ptr<const Catalog> &catalog, const Request &request,
                         const Actor &actor, const Id &new_id, Report &report);

// 413 if the indexed values of a resource take more than about 50 ms to normalise and fold. That is
// done under the write lock when such a resource is changed or deleted.
constexpr size_t index_work_most = 2'000'000;  // units of scim/work.h
Outcome check_index_work(size_t work);

// Reads only. What the plan and its application take is counted in `work`; a plan that is made when
// `work` says that it is too much is of no use. 404, 409 uniqueness (naming the other resource, and whether it is inactive), 412, 400
// mutability, unknown members, and what required attributes lack. Deterministic in the Command and
// the store.
Result<Plan> plan(const Command &command, store::Directory &directory, Report &report, Work &work);

// Can fail only as LMDB can: the transaction then says so.
inline void apply(const Plan &plan, store::DirectoryWriter &directory) {
    if (plan.changes) directory.apply(plan.edit);
}

}  // namespace scim::service
