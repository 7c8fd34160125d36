#pragma once
// Writes all resources of a tenant as NDJSON: one resource a line, as a client receives it, and in
// the form that import.h reads.
//
// The order is the same for the same resources: types without members by their names, then types
// with members by their names; within a type by id. Left out is what depends on the server or is
// computed from other resources: meta.version, meta.location, $ref, `groups`, `display` of members,
// the computed parts of a manager. Attributes that are returned on request are written; those that
// are never returned, and those that are not declared now, are not. Blocks, tokens and the log are
// not resources.

#include <functional>
#include <vector>

#include "service/spilling_body.h"
#include "service/store.h"

namespace scim::service {

// The types in the order of an export.
std::vector<const TypeView *> export_order(const Catalog &catalog);

// Called now and then with the number of resources that have been written.
using ExportProgress = std::function<void(uint64_t)>;

// Writes the resources of one snapshot to `out` and returns their number. 503 if the store cannot
// be read or `out` fails. REQUIRES: snapshot.usable().
Result<uint64_t> export_tenant(Snapshot &snapshot, store::TenantNumber tenant, BodySink &out,
                               const ExportProgress &progress);

}  // namespace scim::service
