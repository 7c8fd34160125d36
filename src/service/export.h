#pragma once
// Writes all resources of a tenant as NDJSON: one resource a line, as a client receives it, and in
// the form that import.h reads.
//
// The order is the same for the same resources: types without members by their names, then types
// with members by their names; within a type by id. Left out is what depends on the server or is
// computed from other resources: meta.version, meta.location, $ref, `groups`, `display` of members,
// the computed parts of a manager. Attributes that are returned on request are written; those that
// are never returned, and those that are not declared now, are not. Tokens and the log are not
// resources.
//
// A user that is kept out has a member that says so; what keeps deleted users out follows the
// resources in lines of their own, by userName, externalId and id (access_text.h).

#include <functional>
#include <vector>

#include "service/spilling_body.h"
#include "service/store.h"

namespace scim::service {

// The types in the order of an export.
std::vector<const TypeView *> export_order(const Catalog &catalog);

struct ExportCounts {
    uint64_t resources = 0;
    uint64_t deleted_values = 0;  // lines of deleted users
};

// Called now and then with the number of resources that have been written.
using ExportProgress = std::function<void(uint64_t)>;

// Writes the resources of one snapshot to `out`. 503 if the store cannot
// be read or `out` fails. REQUIRES: snapshot.usable().
Result<ExportCounts> export_tenant(Snapshot &snapshot, store::TenantNumber tenant, BodySink &out,
                                   const ExportProgress &progress);

}  // namespace scim::service
