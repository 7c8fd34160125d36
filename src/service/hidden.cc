#include "service/hidden.h"

#include <algorithm>
#include <map>

#include "store/directory.h"
#include "store/tenants.h"

namespace scim::service {

namespace {

constexpr size_t named_attributes = 8;

struct Hidden {
    std::string path;
    uint64_t resources = 0;
};
using HiddenAttrs = std::map<AttrNumber, Hidden>;

HiddenAttrs hidden_of(const TypeView &before, const TypeView *after) {
    HiddenAttrs hidden;
    for (const Attr &attr : before.attrs)
        if (!attr.computed && !attr.discarded && attr.subs.empty() &&
            (after == nullptr || after->by_number(attr.number) == nullptr))
            hidden[attr.number].path = attr.path;
    return hidden;
}

// Counts the resource once for each hidden attribute, however many values it has.
void count(store::Bytes bytes, HiddenAttrs &hidden) {
    auto record = store::RecordView::peek(bytes);
    std::vector<Leaf> leaves;
    if (!record || !record->leaves(leaves)) return;
    std::vector<AttrNumber> seen;
    for (const Leaf &leaf : leaves) {
        auto found = hidden.find(leaf.attr);
        if (found == hidden.end() || std::count(seen.begin(), seen.end(), leaf.attr) != 0) continue;
        seen.push_back(leaf.attr);
        found->second.resources++;
    }
}

// Counts the resources of a type in all tenants. Returns false if `left`, the number of resources
// that may still be read, reaches 0.
bool count_all(store::Txn &txn, TypeNumber type, HiddenAttrs &hidden, uint64_t &left) {
    for (const store::Tenant &tenant : store::list_tenants(txn)) {
        store::Directory directory(txn, tenant.number);
        directory.scan(type, 0, left + 1, [&](const Id &, store::Bytes bytes) {
            if (left == 0) return false;
            left--;
            count(bytes, hidden);
            return true;
        });
        if (left == 0) return false;
    }
    return true;
}

}  // namespace

std::string hidden_attributes(store::Txn &txn, const Catalog &before, const Catalog &after) {
    std::string named;
    size_t found = 0;
    uint64_t left = hidden_scan_max;
    bool whole = true;
    for (const auto &type : before.types()) {
        HiddenAttrs hidden = hidden_of(*type, after.type_by_number(type->number));
        if (hidden.empty()) continue;
        whole = count_all(txn, type->number, hidden, left) && whole;
        for (const auto &[number, attr] : hidden) {
            if (attr.resources == 0 || ++found > named_attributes) continue;
            named += (named.empty() ? "" : ", ") + quoted(attr.path) + " of " +
                     (whole ? "" : "at least ") + std::to_string(attr.resources) + " " +
                     type->type.name + (attr.resources == 1 ? "" : "s");
        }
    }
    if (found == 0) return {};
    if (found > named_attributes)
        named += " and " + std::to_string(found - named_attributes) + " more";
    return "this configuration hides stored values, because scim_schema no longer declares their "
           "attribute or declares it differently: " +
           named + "; they reappear when it is declared as before";
}

}  // namespace scim::service
