#pragma once
// The BulkRequest message (RFC 7644 3.7): its operations, the references between them by bulkId, and
// the order in which they are done.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scim/resource/dialect.h"
#include "scim/text/id.h"
#include "scim/text/json.h"
#include "scim/text/result.h"

namespace scim {

inline constexpr std::string_view bulk_request_urn =
    "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
inline constexpr std::string_view bulk_response_urn =
    "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

struct BulkOperation {
    std::string method, path, bulk_id, version;  // as sent; empty if absent
    json_t *data = nullptr;                      // belongs to the body; nullptr if absent
    // The POST operations whose new ids the operation contains, by index, sorted, without itself.
    std::vector<uint32_t> needs;
    // The reason if the operation cannot succeed whatever the directory contains.
    Outcome valid = Done{};

    bool creates() const { return method == "POST"; }
};

struct BulkRequest {
    uint64_t fail_on_errors = 0;  // 0: no limit
    std::vector<BulkOperation> operations;
};

// The place of an operation in the message, for errors: "Operations[2]".
std::string place_of(size_t index);

// Reads the message. Names of members match in any case; null means absent; unknown members are
// ignored. An operation that is wrong in itself has its error in BulkOperation::valid: its method is
// not POST, PUT, PATCH or DELETE, it has no path, or a POST has no bulkId. Errors of the message:
//   400 invalidSyntax  wrong `schemas`, no array of objects in `Operations`
//   400 invalidValue   failOnErrors is not a natural number; two POST operations have one bulkId
//   413                more than `max_operations` operations
// Deviations (Dialect): those of message_schemas(), string-number, single-value.
Result<BulkRequest> read_bulk(json_t *body, size_t max_operations, Dialect &dialect);

// Replaces each reference to the bulkId of a POST by the id of its new resource, ids[index], and
// sets BulkOperation::needs. References are, in strings of the data at any depth: "bulkId:x" as the
// whole string, at its end behind "/" ($ref), and in double quotes in a member `path` (the filter of
// a PATCH operation); in the path of the operation: "/Groups/bulkId:x". An unknown bulkId refuses the
// operation with 400 invalidValue, except at the end of a string, which is not changed then.
void resolve_references(BulkRequest &bulk, const std::vector<Id> &ids);

// The operations in the order of their work, in groups: the POST operations of a group refer to each
// other in a circle (RFC 7644 3.7.1), any other operation is a group of its own. Each operation
// comes after those that it refers to, and after earlier operations with the same path; otherwise
// the order is that of the request. Time: O(n log n) for n operations and references.
std::vector<std::vector<uint32_t>> order_of_work(const BulkRequest &bulk);

}  // namespace scim
