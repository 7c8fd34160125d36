// Reads any JSON object as a BulkRequest, resolves its references and orders its operations: each
// operation is in the order once and comes after those that it refers to, unless they form a circle,
// and no reference to a known bulkId is left.

#include "scim/request/bulk.h"

#include <cstdlib>
#include <set>

using namespace scim;

namespace {

// True if a whole string of the value is a reference to one of the bulkIds.
bool refers_to(const json_t *value, const std::set<std::string> &bulk_ids) {
    if (json_is_string(value)) {
        const std::string text(text_of(value));
        return text.compare(0, 7, "bulkId:") == 0 && bulk_ids.count(text.substr(7)) != 0;
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        if (refers_to(json_array_get(value, i), bulk_ids)) return true;
    const char *name;
    json_t *member;
    json_object_foreach(const_cast<json_t *>(value), name, member) {
        if (refers_to(member, bulk_ids)) return true;
    }
    return false;
}

void check_order(const BulkRequest &bulk) {
    std::vector<size_t> place(bulk.operations.size(), SIZE_MAX);
    size_t unit_number = 0;
    for (const auto &unit : order_of_work(bulk)) {
        for (uint32_t index : unit) {
            if (place.at(index) != SIZE_MAX) std::abort();
            place[index] = unit_number;
        }
        unit_number++;
    }
    for (size_t i = 0; i < place.size(); i++) {
        if (place[i] == SIZE_MAX) std::abort();
        for (uint32_t needed : bulk.operations[i].needs)
            if (needed == i || place.at(needed) > place[i]) std::abort();
    }
}

void check(json_t *body, bool strict) {
    DeviationReport report;
    Dialect dialect(strict, report);
    auto bulk = read_bulk(body, 50, dialect);
    if (!bulk) return;
    std::vector<Id> ids(bulk->operations.size());
    std::set<std::string> bulk_ids;
    for (size_t i = 0; i < ids.size(); i++) {
        ids[i][15] = uint8_t(i);
        if (bulk->operations[i].creates()) bulk_ids.insert(bulk->operations[i].bulk_id);
    }
    bulk_ids.erase("");
    resolve_references(*bulk, ids);
    for (const BulkOperation &operation : bulk->operations)
        if (operation.data != nullptr && refers_to(operation.data, bulk_ids)) std::abort();
    check_order(*bulk);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (bool strict : {false, true}) {
        auto body = parse_json({reinterpret_cast<const char *>(data), size}, JsonLimits());
        if (body) check(body->get(), strict);
    }
    return 0;
}
