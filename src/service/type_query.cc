#include "service/type_query.h"

#include <algorithm>
#include <cmath>

#include "scim/filter/key_cache.h"
#include "scim/text/json.h"
#include "service/render.h"

namespace scim::service {

namespace {

// What the ReadBudget is charged for making the key of a leaf, as bytes: made_byte for each byte,
// made_value for each value. Making a key takes 30 to 200 ns a byte (the most for Greek letters
// with three marks), and at least 1 µs. The event loop thus makes keys of about 16 KiB, which takes
// 1 to 2 ms.
constexpr size_t made_byte = 64, made_value = 30;

// Up to this many rows, an index costs less than a scan: rows_min, or, if that is more, a quarter
// of the resources if each candidate is verified, else as many as there are resources.
constexpr uint64_t rows_min = 10000, rows_share = 4;

// The same for ranges of index rows, which are read again for each `chunk` of ids: Chunks::range, or
// a page by cursor. With one chunk they always cost less, and r rows are r * r / chunk reads of a row.
uint64_t range_rows(uint64_t resources, uint64_t chunk) {
    return uint64_t(std::sqrt(double(std::max(resources, chunk)) * double(chunk)));
}

}  // namespace

void Search::TypeQuery::plan(RunOn run_on) {
    const uint64_t all = resources(), max_scan = search_.request_.settings->max_scan;
    const bool may_scan = search_.walks_ || all <= max_scan;
    RowBounds bounds{std::max(rows_min, all / rows_share), std::max(rows_min, all),
                     range_rows(all, search_.walks_ ? search_.page_.count : Chunks().range)};
    if (!may_scan) bounds = {max_scan + 1, max_scan + 1, max_scan + 1};
    if (run_on == RunOn::event_loop)
        for (uint64_t *bound : {&bounds.verified, &bounds.joined, &bounds.ranged})
            *bound = std::min(*bound, loop_rows);
    const Filter *asked = filter ? &*filter : nullptr;
    const Catalog &catalog = *search_.snapshot_.catalog();
    plan_.emplace(asked, catalog, type_, search_.directory_, bounds,
                  search_.request_.settings->nested_groups);
    const bool is_bad = plan_->has_too_many_rows() && may_scan;
    if (is_bad && (run_on == RunOn::thread || search_.walks_))
        plan_.emplace(AccessPath::scan(catalog, type_, search_.directory_));
    wanted_ = filter ? filter->stored() : AttrSet(type_.numbers_end());
    if (keys_) keys_->note_attributes(wanted_);
    behind_ = AttrSet(type_.numbers_end());
    if (plan_->is_scan()) note_behind();
    needs_schemas_ = filter && filter->needs_schemas();
    needs_version_ = (filter && filter->needs_version()) || (keys_ && keys_->needs_version());
}

// Leaves are ordered by the rank of their top-level attribute first.
void Search::TypeQuery::note_behind() {
    auto top_rank = [](const Attr &attr) { return attr.parent ? attr.parent->rank : attr.rank; };
    uint16_t last = 0;
    for (const Attr &attr : type_.attrs)
        if (wanted_.includes(attr.number)) last = std::max(last, top_rank(attr));
    for (const Attr &attr : type_.attrs)
        if (top_rank(attr) > last) behind_.add(attr.number);
}

uint64_t Search::TypeQuery::work() const {
    uint64_t each = plan_->is_exact() || !filter ? 0 : 1 + filter->terms();
    return plan_->rows() * (each + (keys_ ? 2 : 0));
}

bool Search::TypeQuery::take(const Id &id, const store::RecordView &record) {
    leaves_.clear();
    const store::RecordHeader &header = record.header();
    bool in_order = header.epoch == search_.snapshot_.catalog()->epoch();
    std::optional<uint32_t> extensions = 0;
    if (needs_schemas_) extensions = listed_extensions(*search_.snapshot_.catalog(), type_, record);
    if (!extensions || !record.leaves(leaves_, wanted_, in_order ? behind_ : none_)) {
        search_.directory_.txn().fail(store::Errc::damaged);
        return false;
    }
    canonical_order(type_, leaves_);
    computed_.look_at(id, record);
    subject_.type = &type_;
    subject_.leaves = &leaves_;
    subject_.computed = &computed_;
    subject_.id = id;
    subject_.version = header.version;
    if (needs_version_)
        subject_.version =
            version_of(*search_.snapshot_.catalog(), type_, search_.directory_, id, record);
    subject_.created = header.created;
    subject_.modified = header.modified;
    subject_.extensions = *extensions;
    subject_.location_prefix = prefix_;
    return true;
}

// A term reads each byte; a substring search takes up to 4 ns a byte, and twice that in a text with
// an escape. A key is made once for all terms of the filter, and once more for sorting.
size_t Search::TypeQuery::effort() const {
    size_t looked_at = 0, made = 0;
    for (const Leaf &leaf : leaves_) {
        looked_at += leaf.json.size() * (has_escape(leaf.json) ? 2 : 1);
        const Attr *attr = type_.by_number(leaf.attr);
        if (!is_key_made(leaf.json, attr != nullptr ? attr->matching : Matching::folded)) continue;
        // A multi-valued sub-attribute is an array, whose values have at least five bytes each.
        bool are_many = leaf.json.front() == '[';
        made += leaf.json.size() * (are_many ? 1 + made_value / 5 : 1) + made_value;
    }
    return looked_at * (filter ? filter->terms() : 0) +
           made * made_byte * (filter && keys_ ? 2 : 1);
}

bool Search::TypeQuery::matches_first(const store::RecordView &record) const {
    const FilterNode &node = filter->node(filter->root());
    if (node.kind != FilterNode::Kind::term || node.op != FilterOp::eq || node.attr == nullptr)
        return false;
    store::Bytes json = record.first(node.attr->number);
    const bool is_text = json.size() >= 2 && json.front() == '"';
    if (!is_text) return false;
    const std::string_view text = json.substr(1, json.size() - 2);
    return node.attr->matching == Matching::exact ? text == node.value.key
                                                  : ascii_iequals(text, node.value.key);
}

}  // namespace scim::service
