#include "service/query_plan.h"

#include <algorithm>

namespace scim::service {

namespace {

constexpr size_t candidates_max = 10000;

// What the index is asked for; `exact` if its rows are the answer and need no look at the record.
struct Access {
    const IndexDef *index = nullptr;
    std::string value;
    bool exact = false;
};

bool is_equality(const FilterNode &node) {
    return node.kind == FilterNode::Kind::term && node.op == FilterOp::eq && node.attr != nullptr &&
           node.value.kind != FilterValue::Kind::null && node.attr->index != nullptr &&
           node.attr->index->state == IndexState::ready;
}

// A unique index is taken before any other: it has one row at most.
Access choose(const Filter &filter, uint32_t at) {
    const FilterNode &node = filter.node(at);
    switch (node.kind) {
        case FilterNode::Kind::term: {
            if (!is_equality(node)) return {};
            auto value = store::index_value(*node.attr, node.value.json);
            if (!value) return {};
            bool exact = !store::is_digest(*value);
            return {node.attr->index, std::move(*value), exact};
        }
        case FilterNode::Kind::conjunction: {
            Access left = choose(filter, node.left), right = choose(filter, node.right);
            bool take_right =
                left.index == nullptr || (right.index != nullptr && right.index->unique);
            Access best = take_right ? std::move(right) : std::move(left);
            best.exact = false;
            return best;
        }
        case FilterNode::Kind::element: {
            Access inner = choose(filter, node.left);
            inner.exact = false;
            return inner;
        }
        default: return {};
    }
}

Error not_indexed(const Catalog &catalog, const TypeView &type) {
    std::string names;
    for (const IndexDef *index : catalog.indexes(type.number)) {
        const Attr *attr = type.by_number(index->attr);
        if (attr == nullptr || index->state != IndexState::ready) continue;
        names += names.empty() ? "" : ", ";
        names += attr->path;
    }
    return bad_request(ScimType::invalid_filter,
                       "this filter needs a search through all resources, which is not supported "
                       "yet; use eq on one of " +
                           names);
}

}  // namespace

Result<std::vector<Id>> find_matches(const Filter &filter, const Catalog &catalog,
                                     const TypeView &type, std::string_view base_url,
                                     store::Directory &directory) {
    Access access = choose(filter, filter.root());
    if (access.index == nullptr) return not_indexed(catalog, type);
    std::vector<Id> ids = directory.find(*access.index, access.value, candidates_max + 1);
    if (ids.size() > candidates_max)
        return bad_request(
            ScimType::too_many,
            "more than " + std::to_string(candidates_max) +
                " resources have to be looked at; add a condition on another attribute");
    if (access.exact) return ids;

    std::string prefix = std::string(base_url) + type.type.endpoint + '/';
    std::vector<Leaf> leaves;
    auto differs = [&](const Id &id) {
        auto record = directory.record(type.number, id);
        leaves.clear();
        if (!record || !record->leaves(leaves)) {
            directory.txn().fail(store::Errc::damaged);
            return true;
        }
        canonical_order(type, leaves);
        FilterSubject subject;
        subject.type = &type;
        subject.leaves = &leaves;
        subject.id = id;
        subject.version = record->header().version;
        subject.created = record->header().created;
        subject.modified = record->header().modified;
        subject.extensions = record->header().extensions;
        subject.location_prefix = prefix;
        return !filter.matches(subject);
    };
    ids.erase(std::remove_if(ids.begin(), ids.end(), differs), ids.end());
    return ids;
}

}  // namespace scim::service
