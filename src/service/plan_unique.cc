#include <algorithm>

#include "scim/json.h"
#include "service/plan_parts.h"

namespace scim::service {

namespace {

std::string unquoted(std::string_view json) {
    std::string text;
    read_string(json, text);
    return text;
}

// The record decides: two long values may share a digest, and a row of the index may be damaged.
bool really_has(const TypeView &type, const store::RecordView &record, const IndexDef &index,
                const Leaf &wanted) {
    std::vector<Leaf> leaves;
    const Attr *attr = type.by_number(index.attr);
    if (!record.leaves(leaves)) return true;
    return std::any_of(leaves.begin(), leaves.end(), [&](const Leaf &leaf) {
        return leaf.attr == index.attr && key_of(attr->matching, unquoted(leaf.json)) ==
                                              key_of(attr->matching, unquoted(wanted.json));
    });
}

Error taken(const TypeView &type, const Attr &attr, const Leaf &leaf, const Id &owner,
            const store::RecordView &record) {
    const Attr *active = type.find_core("active");
    const std::string value = attr.never_returned() ? "" : " " + quoted(unquoted(leaf.json));
    bool inactive = active != nullptr && record.first(active->number) == "false";
    return Error{409, ScimType::uniqueness,
                 attr.path + value + " is taken by the " + (inactive ? "inactive " : "") +
                     type.type.name + " " + scim::to_string(owner),
                 0};
}

}  // namespace

// Nothing can come between this look and the write: there is one writer.
Outcome check_unique(const Command &command, const std::vector<Leaf> &leaves,
                     const store::IndexValues &values, store::Directory &directory) {
    for (const auto &entry : values) {
        const IndexDef *index = entry.first;
        const std::string &value = entry.second;
        if (!index->unique) continue;
        const Attr *attr = command.type->by_number(index->attr);
        auto leaf = std::find_if(leaves.begin(), leaves.end(), [&](const Leaf &l) {
            return l.attr == attr->number && store::index_value(*attr, l.json) == value;
        });
        for (const Id &owner : directory.find(*index, value, SIZE_MAX)) {
            if (owner == command.id) continue;
            auto record = directory.record(index->type, owner);
            if (!record) continue;
            if (!really_has(*command.type, *record, *index, *leaf)) continue;
            return command.patch.in_last_operation(
                *attr, taken(*command.type, *attr, *leaf, owner, *record));
        }
    }
    return Done{};
}

}  // namespace scim::service
