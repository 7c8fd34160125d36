#include <algorithm>

#include "scim/text/json.h"
#include "service/plan_parts.h"

namespace scim::service {

namespace {

// The text of a string, the JSON of any other value.
std::string text_of_value(std::string_view json) {
    std::string text;
    return read_string(json, text) ? text : std::string(json);
}

// True if the record has the value. An index row alone does not prove it: two long values may have
// the same digest, and the row may be damaged. True for a damaged record, and if the work becomes too
// much.
bool really_has(const store::RecordView &record, const Attr &attr, const Leaf &wanted, Work &work) {
    std::vector<Leaf> leaves;
    if (!record.leaves(leaves)) return true;
    work.note(record_work(record.bytes().size()) + leaf_work * leaves.size() +
              key_work(attr.matching, wanted.json));
    const std::string key = key_of(attr.matching, text_of_value(wanted.json));
    for (const Leaf &leaf : leaves) {
        if (leaf.attr != attr.number) continue;
        work.note(key_work(attr.matching, leaf.json));
        if (work.too_much() || key_of(attr.matching, text_of_value(leaf.json)) == key) return true;
    }
    return false;
}

// The leaf whose index value is `value`. REQUIRES: there is one.
const Leaf &leaf_of(const std::vector<Leaf> &leaves, const Attr &attr, const std::string &value,
                    Work &work) {
    return *std::find_if(leaves.begin(), leaves.end(), [&](const Leaf &leaf) {
        if (leaf.attr != attr.number) return false;
        work.note(key_work(attr.matching, leaf.json));
        return store::index_value(attr, leaf.json) == value;
    });
}

Error taken(const TypeView &type, const Attr &attr, const Leaf &leaf, const Id &owner,
            const store::RecordView &record) {
    const Attr *active = type.find_core("active");
    const std::string value = attr.never_returned() ? "" : " " + quoted(text_of_value(leaf.json));
    bool inactive = active != nullptr && record.first(active->number) == "false";
    return Error{Refusal::uniqueness_conflict, attr.path + value + " is taken by the " +
                                                   (inactive ? "inactive " : "") + type.type.name +
                                                   " " + scim::to_string(owner)};
}

}  // namespace

// The result holds until the commit, because the write transaction is the only one.
Outcome check_unique(const Command &command, const std::vector<Leaf> &leaves,
                     const store::IndexValues &values, store::Directory &directory, Work &work) {
    for (const auto &entry : values) {
        const std::string &value = entry.second;
        const Attr *attr = command.type->by_number(entry.first);
        if (attr == nullptr || !attr->index->refuses_duplicates()) continue;
        // Ends at the first owner: while the index is built, many resources may have the value.
        Outcome unique = Done{};
        auto is_free = [&](const Id &owner) {
            if (owner == command.id) return true;
            const Leaf &leaf = leaf_of(leaves, *attr, value, work);
            auto record = directory.record(command.type->number, owner);
            if (!record || !really_has(*record, *attr, leaf, work)) return true;
            unique = command.patch.in_last_operation(
                *attr, taken(*command.type, *attr, leaf, owner, *record));
            return false;
        };
        directory.each_row(*attr->index, value + '\x00', value + '\x01', is_free);
        RETURN_IF_ERROR(unique);
    }
    return Done{};
}

}  // namespace scim::service
