#include "service/choose_index.h"

#include <algorithm>

#include "service/candidates.h"
#include "service/nested_groups.h"
#include "service/query_range.h"
#include "store/members.h"

namespace scim::service {

namespace {

using Kind = Access::Kind;
using NodeKind = FilterNode::Kind;

// Of a conjunction, the rows of at most this many conditions are counted, because counting takes
// time.
constexpr size_t counted_max = 8;

// Conditions on substring indexes are not counted if another one has at most this many rows.
constexpr uint64_t few_rows = 100;
// Of a conjunction; more would not make the candidates fewer.
constexpr size_t trigrams_max = 64;
// Candidates of a substring index that are kept when they are counted.
constexpr size_t kept_numbers = 1024;

Access nothing() {
    Access access;
    access.kind = Kind::nothing;
    access.exact = true;
    return access;
}

class Planner {
  public:
    Planner(const Filter &filter, const Catalog &catalog, const TypeView &type,
            store::Directory &directory, uint64_t bound, bool nested_groups)
        : filter_(filter),
          catalog_(catalog),
          type_(type),
          directory_(directory),
          bound_(bound),
          nested_groups_(nested_groups) {}

    Access choose(uint32_t at);
    void count(Access &access, uint64_t limit);
    uint64_t count_ranges(Access &access, uint64_t limit);

  private:
    Access of_term(const FilterNode &term);
    static Access of_substring(const FilterNode &term);
    static Access of_id(const FilterNode &term, Kind kind);
    Access of_group(const FilterNode &term);
    Access of_conjunction(uint32_t at);
    Access of_disjunction(uint32_t at);
    Access of_element(const FilterNode &element);
    static bool merge(Access &into, const Access &other);
    void count_ways(std::vector<Access> &ways);
    uint64_t count_substring(Access &access, uint64_t limit);
    static bool is_better(const Access &a, const Access &b);

    const Filter &filter_;
    const Catalog &catalog_;
    const TypeView &type_;
    store::Directory &directory_;
    uint64_t bound_;
    bool nested_groups_;
};

Access Planner::choose(uint32_t at) {
    const FilterNode &node = filter_.node(at);
    switch (node.kind) {
        case NodeKind::term: return of_term(node);
        case NodeKind::conjunction: return of_conjunction(at);
        case NodeKind::disjunction: return of_disjunction(at);
        case NodeKind::element: return of_element(node);
        default: return {};
    }
}

Access Planner::of_term(const FilterNode &term) {
    const bool to_null = term.value.kind == FilterValue::Kind::null;
    // The type lacks the attribute: it has no value, which equals null and no literal.
    if (term.attr == nullptr) {
        const bool holds = term.op == (to_null ? FilterOp::eq : FilterOp::ne);
        return holds ? Access() : nothing();
    }
    const Attr &attr = *term.attr;
    if (term.op == FilterOp::eq && !to_null) {
        if (&attr == type_.id) return of_id(term, Kind::ids);
        bool is_value = attr.parent != nullptr && attr.def->name == "value";
        if (is_value && attr.parent == type_.members) return of_id(term, Kind::groups_of);
        if (is_value && attr.parent == type_.groups) return of_group(term);
        bool is_type = attr.parent == type_.meta && attr.def->name == "resourceType";
        if (is_type && term.value.key != type_.type.name) return nothing();
    }
    if (attr.computed) return {};
    auto range = ready_index(attr) != nullptr ? index_range(term) : std::nullopt;
    if (!range) return of_substring(term);
    Access access;
    access.kind = Kind::index;
    access.exact = range->exact;
    access.attr = &attr;
    access.operation = to_string(term.op);
    access.from = std::move(range->from);
    access.to = std::move(range->to);
    access.one_value = range->one_value;
    return access;
}

Access Planner::of_substring(const FilterNode &term) {
    const IndexDef *index = term.attr->substring;
    if (index == nullptr || index->state != IndexState::ready) return {};
    Access access;
    for (store::Trigram trigram : term_trigrams(term))
        access.trigrams.push_back({term.attr->number, trigram});
    if (access.trigrams.empty()) return {};
    access.kind = Kind::substring;
    access.conditions = term.attr->path + " " + std::string(to_string(term.op));
    return access;
}

Access Planner::of_id(const FilterNode &term, Kind kind) {
    auto id = parse_id(term.value.key);
    if (!id) return nothing();
    Access access;
    access.kind = kind;
    access.exact = kind != Kind::ids;  // ids: the resource may not exist
    access.ids = {*id};
    return access;
}

// The members of a group and, if indirect groups count, of the groups in it.
Access Planner::of_group(const FilterNode &term) {
    Access direct = of_id(term, Kind::members_of);
    if (!nested_groups_ || direct.kind == Kind::nothing) return direct;
    auto groups = groups_within(catalog_, directory_, direct.ids[0]);
    if (!groups) return {};
    if (groups->size() == 1) return direct;
    Access all;
    all.kind = Kind::any_of;  // not exact: a user beyond the limits is in no group indirectly
    for (const Id &group : *groups) {
        direct.ids = {group};
        all.parts.push_back(direct);
    }
    return all;
}

// An element that satisfies a value filter satisfies each of its terms, so that the access path of
// the filter in the brackets finds it.
Access Planner::of_element(const FilterNode &element) {
    return element.attr == nullptr ? nothing() : choose(element.left);
}

// Intersects two ranges of one attribute, or the lists of substring indexes. False if they are not
// that, or if the attribute of the ranges is multi-valued, because different values may satisfy them.
bool Planner::merge(Access &into, const Access &other) {
    if (into.kind == Kind::substring && other.kind == Kind::substring) {
        if (into.trigrams.size() >= trigrams_max) return true;
        into.trigrams.insert(into.trigrams.end(), other.trigrams.begin(), other.trigrams.end());
        into.conditions += " and " + other.conditions;
        return true;
    }
    if (into.kind != Kind::index || other.kind != Kind::index || into.attr != other.attr ||
        !is_single_valued(*into.attr))
        return false;
    into.from = std::max(into.from, other.from);
    if (into.to.empty() || (!other.to.empty() && other.to < into.to)) into.to = other.to;
    into.one_value |= other.one_value;
    into.operation = into.one_value ? "eq" : "range";
    return true;
}

bool Planner::is_better(const Access &a, const Access &b) { return *a.rows < *b.rows; }

Access Planner::of_conjunction(uint32_t at) {
    std::vector<Access> ways;
    for (bool more = true; more;) {
        const FilterNode &node = filter_.node(at);
        more = node.kind == NodeKind::conjunction;
        Access way = choose(more ? node.left : at);
        at = node.right;
        if (way.kind == Kind::nothing) return way;
        if (way.kind == Kind::scan) continue;
        bool merged =
            std::any_of(ways.begin(), ways.end(), [&](Access &a) { return merge(a, way); });
        if (!merged && ways.size() < counted_max) ways.push_back(std::move(way));
    }
    if (ways.empty()) return {};
    // A condition with at most one row is chosen without counting others.
    auto is_one = [](const Access &a) {
        return a.kind == Kind::ids ||
               (a.kind == Kind::index && a.one_value && a.attr->index->unique);
    };
    auto best = std::find_if(ways.begin(), ways.end(), is_one);
    if (best == ways.end()) {
        count_ways(ways);
        best = std::min_element(ways.begin(), ways.end(), is_better);
    }
    best->exact = false;
    return std::move(*best);
}

// Counts each of the ways up to the smallest number so far. Substring indexes are last, because
// counting their candidates takes the most time.
void Planner::count_ways(std::vector<Access> &ways) {
    uint64_t limit = bound_;
    bool has_counted = false;
    for (const bool is_substring : {false, true})
        for (Access &way : ways) {
            if ((way.kind == Kind::substring) != is_substring) continue;
            if (is_substring && has_counted && limit <= few_rows)
                way.rows = limit + 1;
            else
                count(way, limit);
            has_counted = true;
            limit = std::min(limit, *way.rows);
        }
}

uint64_t Planner::count_substring(Access &access, uint64_t limit) {
    uint64_t rows = 0;
    store::TrigramSearch search(directory_, type_.number, access.trigrams);
    access.numbers.emplace();
    bool more = search.seek(0);
    for (; more && rows < limit; more = search.next())
        if (++rows <= kept_numbers) access.numbers->push_back(search.number());
    if (more || rows > kept_numbers) access.numbers.reset();
    return rows;
}

Access Planner::of_disjunction(uint32_t at) {
    Access all;
    all.kind = Kind::any_of;
    all.exact = true;
    for (bool more = true; more;) {
        const FilterNode &node = filter_.node(at);
        more = node.kind == NodeKind::disjunction;
        Access way = choose(more ? node.left : at);
        at = node.right;
        if (way.kind == Kind::scan) return {};
        if (way.kind == Kind::nothing) continue;
        all.exact &= way.exact;
        all.parts.push_back(std::move(way));
    }
    if (all.parts.empty()) return nothing();
    if (all.parts.size() > 1) return all;
    Access only = std::move(all.parts.front());
    return only;
}

void Planner::count(Access &access, uint64_t limit) {
    uint64_t rows = 0;
    auto next = [&] { return ++rows < limit; };
    store::Members members(directory_);
    switch (access.kind) {
        case Kind::scan: rows = directory_.count(type_.number); break;
        case Kind::nothing: break;
        case Kind::ids: rows = access.ids.size(); break;
        case Kind::index:
            if (access.one_value && access.attr->index->unique)
                rows = 1;
            else
                directory_.each_row(*access.attr->index, access.from, access.to,
                                    [&](const Id &) { return next(); });
            break;
        case Kind::substring: rows = count_substring(access, limit); break;
        // Dead rows are counted, because the walk reads them, too.
        case Kind::groups_of:
            members.each_membership(access.ids[0], nullptr,
                                    [&](const Id &, uint32_t) { return next(); });
            break;
        case Kind::members_of: rows = members.rows(access.ids[0], limit); break;
        case Kind::any_of:
            for (Access &part : access.parts) {
                if (rows >= limit) break;
                count(part, limit - rows);
                rows += *part.rows;
            }
    }
    access.rows = rows;
}

// Counts only the rows of ranges, up to `limit`.
uint64_t Planner::count_ranges(Access &access, uint64_t limit) {
    if (access.is_range()) count(access, limit);
    uint64_t rows = access.is_range() ? *access.rows : 0;
    for (Access &part : access.parts) {
        if (rows >= limit) break;
        rows += count_ranges(part, limit - rows);
    }
    return rows;
}

bool has_range(const Access &access) {
    return access.is_range() || std::any_of(access.parts.begin(), access.parts.end(), has_range);
}

// The number of membership conditions.
uint64_t memberships(const Access &access) {
    uint64_t count = access.kind == Kind::groups_of || access.kind == Kind::members_of;
    for (const Access &part : access.parts) count += memberships(part);
    return count;
}

// The number of rows from which on a scan costs no more; nothing if a scan always costs more: for
// the rows of one value, and for a membership, because a scan looks up rows for each resource.
std::optional<uint64_t> bound_of(const Access &access, const RowBounds &bounds) {
    std::optional<uint64_t> bound;
    if (!access.exact)
        bound = bounds.verified;
    else if (memberships(access) > 0)
        return std::nullopt;
    else if (access.kind == Kind::any_of)
        bound = bounds.joined;
    if (has_range(access)) bound = std::min(bound.value_or(bounds.ranged), bounds.ranged);
    return bound;
}

void describe(const Access &access, std::string &out) {
    switch (access.kind) {
        case Kind::scan: out += "scan"; return;
        case Kind::nothing: out += "nothing"; return;
        case Kind::ids: out += "id"; return;
        case Kind::groups_of: out += "groups of a member"; return;
        case Kind::members_of: out += "members of a group"; return;
        case Kind::index:
            out += "index " + access.attr->path + " ";
            out += access.operation;
            return;
        case Kind::substring: out += "substring index " + access.conditions; return;
        case Kind::any_of: break;
    }
    out += "any of (";
    for (const Access &part : access.parts) {
        if (out.back() != '(') out += ", ";
        describe(part, out);
    }
    out += ')';
}

// The index with which the term would have rows, as in scim_index; empty if there is none, or if it
// exists in any state.
std::string missing_for(const FilterNode &term) {
    const Attr &attr = *term.attr;
    const bool may_have_rows = attr.stored() &&
                               !(attr.parent != nullptr && attr.def->multi_valued) &&
                               term.value.kind != FilterValue::Kind::null;
    if (!may_have_rows || term.op == FilterOp::ne) return {};
    if (term.op != FilterOp::co && term.op != FilterOp::ew)
        return attr.index == nullptr ? attr.path : std::string();
    const bool is_missing = attr.substring == nullptr && !term_trigrams(term).empty();
    return is_missing ? attr.path + " type=substring" : std::string();
}

void find_missing(const Filter &filter, uint32_t at, std::string &missing) {
    const FilterNode &node = filter.node(at);
    switch (node.kind) {
        case NodeKind::negation: return;
        case NodeKind::element: return find_missing(filter, node.left, missing);
        case NodeKind::conjunction:
        case NodeKind::disjunction:
            find_missing(filter, node.left, missing);
            return find_missing(filter, node.right, missing);
        case NodeKind::term: break;
    }
    if (missing.empty() && node.attr != nullptr) missing = missing_for(node);
}

}  // namespace

// A multi-valued sub-attribute is one leaf and has no index rows (resource.h).
const IndexDef *ready_index(const Attr &attr) {
    if (attr.index == nullptr || attr.index->state != IndexState::ready) return nullptr;
    return attr.parent != nullptr && attr.def->multi_valued ? nullptr : attr.index;
}

bool is_single_valued(const Attr &attr) {
    return !attr.def->multi_valued && (attr.parent == nullptr || !attr.parent->def->multi_valued);
}

AccessPath::AccessPath(const Filter *filter, const Catalog &catalog, const TypeView &type,
                       store::Directory &directory, const RowBounds &bounds, bool nested_groups)
    : catalog_(catalog), type_(type), directory_(directory) {
    if (filter == nullptr) {
        access_.exact = true;
        access_.rows = directory.count(type.number);
        return;
    }
    Planner planner(*filter, catalog, type, directory, bounds.verified, nested_groups);
    access_ = planner.choose(filter->root());
    const std::optional<uint64_t> bound = bound_of(access_, bounds);
    counted_max_ = bound.value_or(bounds.verified);
    if (!access_.rows) planner.count(access_, counted_max_);
    has_too_many_rows_ = bound && *access_.rows >= *bound;
    if (bound || *access_.rows < bounds.verified || !has_range(access_)) return;
    // Memberships and ranges. A scan that looks up memberships takes a few times longer for each.
    const uint64_t ranged = bounds.joined * (1 + memberships(access_)) / 2;
    has_too_many_rows_ = planner.count_ranges(access_, ranged) >= ranged;
}

AccessPath AccessPath::scan(const Catalog &catalog, const TypeView &type,
                            store::Directory &directory) {
    AccessPath plan(catalog, type, directory);
    plan.access_.rows = directory.count(type.number);
    return plan;
}

// The rows of several values of a multi-valued attribute, and of groups, are not one for each
// resource. The row of a unique value is not counted.
std::optional<uint64_t> AccessPath::matches() const {
    const bool is_row_each =
        access_.kind == Kind::index &&
        (access_.one_value ? !access_.attr->index->unique : is_single_valued(*access_.attr));
    const bool is_counted =
        is_scan() || access_.kind == Kind::nothing || (is_row_each && rows() < counted_max_);
    return access_.exact && is_counted ? access_.rows : std::nullopt;
}

std::optional<AccessPath::Range> AccessPath::range_of(const Attr &attr) const {
    if (access_.kind != Kind::index || access_.attr != &attr) return std::nullopt;
    return Range{access_.from, access_.to};
}

std::string AccessPath::explain() const {
    std::string out;
    describe(access_, out);
    out += ", " + std::to_string(rows());
    out += is_scan() ? " resources" : " rows";
    if (!access_.exact) out += ", verified";
    return out;
}

Candidates AccessPath::candidates(const Id *after, const Chunks &chunks) const {
    return Candidates(access_, catalog_, type_, directory_, after, chunks);
}

std::string AccessPath::missing_index(const Filter &filter) {
    std::string missing;
    find_missing(filter, filter.root(), missing);
    return missing;
}

}  // namespace scim::service
