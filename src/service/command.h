#pragma once
// A write takes three steps: prepare_step() makes a Command from parsed JSON without reading the
// store, plan() makes a Plan in a transaction, apply() writes the Plan. The Command contains the
// values that do not come from the request or the store (time, id). A Plan is self-contained:
// attributes and types are numbers, and apply() needs no catalog.

#include <map>
#include <memory>
#include <string>

#include "scim/patch/patch.h"
#include "service/request.h"
#include "store/directory.h"

namespace scim::service {

// Resources that are created in the same transaction or not at all, with their types: POST
// operations of a bulk request that refer to each other in a circle.
using PromisedIds = std::map<Id, TypeNumber>;

struct Command {
    store::Operation operation = store::Operation::create;
    store::TenantNumber tenant = 0;
    uint32_t actor = 0;  // number of the row in `actors`
    store::RequestId request{};
    int64_t now = 0;  // milliseconds since 1970

    std::shared_ptr<const Catalog> catalog;  // used by prepare_step()
    const TypeView *type = nullptr;          // of that catalog
    Id id{};
    std::string if_match, if_none_match;
    Resource resource;            // create, replace
    store::IndexValues index;     // of `resource`
    store::TrigramSets trigrams;  // of `resource`
    std::string record;           // of `resource`, to be stamped; empty: plan() encodes it
    Patch patch;                  // patch
    // Of a record that scimctl imports with its id and times: milliseconds since 1970, 0: the time
    // of the change. The id may be that of a deleted resource.
    int64_t created = 0, modified = 0;
    bool reuses_id = false;
    bool keeps_members = false;  // a replace does not change the members of the group
    store::AccessState access;   // of an imported user: merged with what the store has
    // Count as existing members; null: none.
    std::shared_ptr<const PromisedIds> promised;
};

struct Plan {
    uint16_t status = 200;
    bool changes = false;    // false: nothing is written
    bool grows = false;      // the write makes the store larger (map_space.h)
    bool locks_out = false;  // deletes the resource or sets `active` to false (map_space.h)
    // Deactivates a user, or deletes one that is not inactive (mass_deactivation.h).
    bool ends_access = false;
    store::ResourceEdit edit;
    std::string stored;    // the stored record, if nothing changes
    uint64_t version = 0;  // of the resource after the write, for its ETag

    // Of the resource after the write; empty after a delete.
    const std::string &record() const { return changes ? edit.record : stored; }
};

// The context that the steps of a request or of an import share. References must stay valid while
// steps are prepared.
struct StepContext {
    std::shared_ptr<const Catalog> catalog;
    const Settings &settings;
    store::TenantNumber tenant = 0;
    uint32_t actor = 0;  // number of the row in `actors`
    store::RequestId request{};
    int64_t now = 0;  // milliseconds since 1970
};

// A request for one resource, or one operation of a bulk request (RFC 7644 3.7).
struct StepInput {
    store::Operation operation = store::Operation::create;
    const Target &target;          // refers to the catalog of the context
    const Query &query;            // `attributes` and `excludedAttributes` of the response
    const json_t *data = nullptr;  // the resource or the PatchOp; unused for a remove
    std::string_view if_match, if_none_match;
};

// The write of one resource, from its preparation to its plan.
struct Step {
    Command command;
    Projection projection;    // of the response
    bool no_content = false;  // success is 204: PATCH of a group does not return its members
    Result<Plan> planned = undecided();
};

// Validates and normalises the data, and checks limits and deviations (dialect.h). Uses no
// transaction and no clock. `new_id` is the id for a create. 404 if the target cannot exist, 400
// and 413 for the data.
Result<Step> prepare_step(const StepContext &context, const StepInput &input, const Id &new_id,
                          DeviationReport &report);

// Sets `index` and `trigrams` from `resource`.
void set_index_values(Command &command);

// 413 if the index work of a resource exceeds index_work_most.
Outcome check_index_work(size_t work, size_t most = index_work_most,
                         const char *of = "the resource");

// Reads the store, writes nothing. The result depends only on the Command and the store. The work
// of the plan and of its application is added to `work`; if `work.too_much()` afterwards, the plan
// is incomplete and must not be used. Errors: 404; 412; 409 uniqueness, naming the other resource
// and whether it is inactive; 400 for immutable attributes, unknown members and required attributes
// without a value; 413 for too much work.
Result<Plan> plan(const Command &command, store::Directory &directory, DeviationReport &report,
                  Work &work);

// An LMDB error fails the transaction; there are no other errors.
inline void apply(const Plan &plan, store::DirectoryWriter &directory) {
    if (plan.changes) directory.apply(plan.edit);
}

}  // namespace scim::service
