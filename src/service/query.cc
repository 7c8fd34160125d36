#include "service/query.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>

#include "scim/filter/key_cache.h"
#include "scim/text/json.h"
#include "service/candidates.h"
#include "service/nested_groups.h"
#include "service/render.h"
#include "store/bytes.h"

namespace scim::service {

namespace {

// The limits of a query on the event loop: comparisons of a filter's term with a resource, each a
// fraction of a microsecond (long values are charged to the ReadBudget); index rows that are read;
// resources that are rendered, each some microseconds.
constexpr uint64_t loop_comparisons = 4000, loop_rows = 4000, loop_rendered = 200;

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

uint64_t digest_of_text(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

bool has_text(const std::optional<std::string> &text) { return text && !text->empty(); }

}  // namespace

class Search::TypeQuery {
  public:
    TypeQuery(const Search &search, const TypeView &type)
        : search_(search),
          type_(type),
          computed_(*search.snapshot_.catalog(), type, search.request_.base_url, search.directory_,
                    nested_groups(search.snapshot_, search.request_)),
          prefix_(std::string(search.request_.base_url) + type.type.endpoint + '/') {}

    void sort_by(const Attr *attr) { keys_.emplace(type_, attr); }
    AttrNumber sort_attribute() const { return keys_ ? keys_->attribute() : no_attr; }
    void plan(RunOn run_on);
    uint64_t resources() const { return search_.directory_.count(type_.number); }
    // The maximum number of comparisons.
    uint64_t work() const;
    // True if the sort keys are values of other resources, which may be long.
    bool sorts_by_rows() const { return keys_ && keys_->needs_rows(); }
    bool looks_at_records() const { return !plan_->is_exact() || keys_; }
    // The charge for a record, in bytes for the ReadBudget. For a typical record, a term takes an
    // eighth of the time of rendering.
    size_t effort(size_t bytes) const { return bytes * (1 + (filter ? filter->terms() : 0)) / 8; }

    // Reads the leaves of a resource for matches() and append_key(). False if the record is
    // damaged; the transaction then fails.
    bool take(const Id &id, const store::RecordView &record);
    // A cheap test: true if the filter is one eq term and the first value of its attribute is the
    // same ASCII text. False does not mean that the filter does not match.
    bool matches_first(const store::RecordView &record) const;
    // The charge for the leaves that take() has read, in bytes for the ReadBudget.
    size_t effort() const;
    bool matches() const { return !filter || filter->matches(subject_); }
    bool append_key(std::string &key) { return keys_->append_key(subject_, key); }

    std::optional<Filter> filter;
    DeviationReport report;  // deviations of `filter` and `sortBy`, parsed for this type
    const AccessPath &plan() const { return *plan_; }
    const TypeView &type() const { return type_; }

  private:
    const Search &search_;
    const TypeView &type_;
    Computed computed_;
    std::string prefix_;
    bool needs_version_ = false, needs_schemas_ = false;
    std::optional<SortKeys> keys_;
    std::optional<AccessPath> plan_;
    void note_behind();

    // The attributes whose leaves are needed. For a scan: the attributes that come after all of
    // these in a record that was written under this catalog.
    AttrSet wanted_, behind_;
    const AttrSet none_;
    std::vector<Leaf> leaves_;
    FilterSubject subject_;
};

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

Search::Search(Snapshot &snapshot, store::Directory &directory, const Request &request,
               const Query &query, std::vector<const TypeView *> types)
    : snapshot_(snapshot),
      directory_(directory),
      request_(request),
      query_(query),
      types_(std::move(types)),
      page_(page_of(query, request.settings->max_results)) {
    for (const TypeView *type : types_)
        type_queries_.push_back(std::make_unique<TypeQuery>(*this, *type));
}

Search::~Search() = default;

Outcome Search::prepare(RunOn run_on, DeviationReport &report) {
    RETURN_IF_ERROR(parse_filters());
    RETURN_IF_ERROR(parse_sorting());
    for (auto &type_query : type_queries_) report.unite(type_query->report);
    const uint64_t max_scan = request_.settings->max_scan;
    uint64_t looked_at = 0;
    for (auto &type_query : type_queries_) {
        type_query->plan(run_on);
        if (!is_plain() && !walks_) looked_at += type_query->plan().rows();
        if (looked_at > max_scan) return too_many(*type_query);
    }
    return Done{};
}

Outcome Search::parse_filters() {
    if (!query_.filter) return Done{};
    const Settings &settings = *request_.settings;
    auto unknown = type_queries_.size() > 1 ? UnknownNames::no_value : UnknownNames::refused;
    for (auto &type_query : type_queries_) {
        Dialect dialect(settings.strict, type_query->report);
        auto filter =
            Filter::parse(type_query->type(), *query_.filter, settings.filter, dialect, unknown);
        RETURN_IF_ERROR(filter);
        type_query->filter = std::move(*filter);
    }
    return check_known();
}

// 400 invalidFilter for an attribute that none of the types has.
Outcome Search::check_known() const {
    for (const std::string &name : type_queries_[0]->filter->unknown()) {
        bool everywhere =
            std::all_of(type_queries_.begin(), type_queries_.end(), [&](const auto &type_query) {
                const auto &names = type_query->filter->unknown();
                return std::any_of(names.begin(), names.end(), [&](const std::string &other) {
                    return ascii_iequals(other, name);
                });
            });
        if (everywhere)
            return bad_request(ScimType::invalid_filter,
                               "no resource type has an attribute " + quoted(name));
    }
    return Done{};
}

Outcome Search::parse_sorting() {
    auto descending = is_descending(query_.sort_order.value_or(""));
    RETURN_IF_ERROR(descending);
    descending_ = *descending;
    // An empty page needs no sorting.
    sorted_ = has_text(query_.sort_by) && page_.count > 0;
    walks_ = query_.cursor && !sorted_ && page_.count > 0;
    if (!has_text(query_.sort_by)) return Done{};
    bool known = false;
    for (auto &type_query : type_queries_) {
        Dialect dialect(request_.settings->strict, type_query->report);
        auto attr = sort_attribute(type_query->type(), *query_.sort_by, dialect);
        RETURN_IF_ERROR(attr);
        known |= *attr != nullptr;
        if (sorted_) type_query->sort_by(*attr);
    }
    if (known) return Done{};
    return bad_request(
        ScimType::invalid_path,
        "\"sortBy\" is " + quoted(*query_.sort_by) + ", but " +
            (types_.size() == 1 ? types_[0]->type.name + " has no" : "no resource type has an") +
            " attribute of this name");
}

Error Search::too_many(const TypeQuery &type_query) const {
    std::string help, indexed;
    if (type_query.filter) {
        std::string missing = AccessPath::missing_index(*type_query.filter);
        if (!missing.empty()) help = missing + " has no index; ";
    }
    for (const IndexDef *index : snapshot_.catalog()->indexes(type_query.type().number)) {
        const Attr *attr = type_query.type().by_number(index->attr);
        if (attr == nullptr || index->state != IndexState::ready) continue;
        indexed += indexed.empty() ? "" : ", ";
        indexed += attr->path;
    }
    return bad_request(ScimType::too_many, "this query has to look at more than scim_max_scan (" +
                                               std::to_string(request_.settings->max_scan) +
                                               ") resources; " + help +
                                               "add a condition with eq on one of " + indexed +
                                               ", which have an index");
}

bool Search::is_long() const {
    uint64_t work = 0, rows = 0;
    for (const auto &type_query : type_queries_) {
        work += type_query->work();
        rows += type_query->plan().rows();
        bool asks = type_query->filter && !type_query->plan().is_exact();
        bool walks = (asks && type_query->filter->walks_rows()) || type_query->sorts_by_rows();
        if (walks && type_query->plan().rows() > 0) return true;
    }
    const uint64_t skipped = page_.start - 1;
    if (work > loop_comparisons) return true;
    if (!is_plain() && rows >= loop_rows) return true;
    return rows > skipped && std::min(page_.count, rows - skipped) > loop_rendered;
}

std::string Search::explain() const {
    std::string out;
    for (const auto &type_query : type_queries_) {
        if (!out.empty()) out += "; ";
        out += type_query->type().type.name + ": " + type_query->plan().explain();
        if (sorted_) out += ", sorted";
    }
    return out;
}

WalkQuery Search::walk_query() const {
    std::string sorting;
    if (sorted_) sorting += descending_ ? 'd' : 'a';
    for (const auto &type_query : type_queries_)
        if (sorted_) store::append_le(sorting, type_query->sort_attribute(), 2);
    return {types_.size() == 1 ? types_[0]->number : TypeNumber(0),
            digest_of_text(query_.filter.value_or("")), digest_of_text(sorting), count_of(query_)};
}

void Search::start_after(const Position &position) {
    Hit hit;
    while (hit.type < types_.size() && types_[hit.type]->number < position.type) hit.type++;
    // If the type of the position is not declared any more, the page begins with the next type.
    if (hit.type < types_.size() && types_[hit.type]->number == position.type) hit.id = position.id;
    after_ = Place{position.has_value, position.key, hit};
}

Position Search::position_of(const Place &place) const {
    return {place.has_value, place.key, types_[place.hit.type]->number, place.hit.id};
}

Hits Search::run(ReadBudget &budget) {
    Hits hits;
    if (walks_) {
        walk(hits, budget);
    } else if (sorted_) {
        run_sorted(hits, budget);
    } else {
        for (uint32_t i = 0; i < type_queries_.size() && !budget.stopped(); i++) {
            if (is_plain())
                list_all(i, hits);
            else
                run_type_query(i, hits, nullptr, budget);
        }
    }
    return hits;
}

void Search::run_sorted(Hits &hits, ReadBudget &budget) {
    const uint64_t start = page_.start - 1;
    // By cursor, one more: only then is there a next page.
    const uint64_t wanted = page_.count + (query_.cursor ? 1 : 0);
    Sorter sorter(descending_, start + wanted, after_ ? &*after_ : nullptr);
    for (uint32_t i = 0; i < type_queries_.size() && !budget.stopped(); i++)
        run_type_query(i, hits, &sorter, budget);
    hits.page = sorter.take(start, wanted);
    if (hits.page.size() <= page_.count) return;
    hits.page.pop_back();
    hits.next = position_of(sorter.place(page_.count - 1));
}

// Ends at the first match behind the page, or when scim_max_scan resources have been examined.
void Search::walk(Hits &hits, ReadBudget &budget) {
    for (uint32_t i = after_ ? after_->hit.type : 0;
         i < type_queries_.size() && !hits.next && !budget.stopped(); i++)
        run_type_query(i, hits, nullptr, budget);
    const bool is_whole = !after_ && !hits.next;
    const auto total = is_whole ? hits.total : known_total();
    hits.knows_total = total.has_value();
    hits.total = total.value_or(0);
}

// The number of matches, unless a walk would have to count them.
std::optional<uint64_t> Search::known_total() const {
    uint64_t total = 0;
    for (const auto &type_query : type_queries_) {
        const auto matches = type_query->plan().matches();
        if (!matches) return std::nullopt;
        total += *matches;
    }
    return total;
}

// To be called before each resource of a walk is examined. False if the page ends here.
bool Search::may_look_at(Hits &hits) {
    if (!walks_ || is_plain() || looked_at_++ < request_.settings->max_scan) return true;
    hits.next = position_of({false, {}, last_});
    return false;
}

bool Search::confirms(const Hit &hit, const store::RecordView &record) {
    TypeQuery &type_query = *type_queries_[hit.type];
    if (!type_query.filter || type_query.looks_at_records() || type_query.matches_first(record))
        return true;
    return type_query.take(hit.id, record) && type_query.matches();
}

// Counts a resource that matches, and adds it to the page if it belongs there. A walk ends with it if
// the page is full.
void Search::note(const Hit &hit, Hits &hits) const {
    if (walks_ && hits.page.size() == page_.count) {
        hits.next = position_of({false, {}, last_});
        return;
    }
    hits.total++;
    if (hits.total >= page_.start && hits.page.size() < page_.count) hits.page.push_back(hit);
}

void Search::list_all(uint32_t number, Hits &hits) {
    const uint64_t all = type_queries_[number]->resources(), before = hits.total;
    hits.total += all;
    const uint64_t start = page_.start - 1, wanted = page_.count - hits.page.size();
    if (wanted == 0 || start >= hits.total) return;
    directory_.scan(types_[number]->number, start > before ? start - before : 0, wanted,
                    [&](const Id &id, store::Bytes) {
                        hits.page.push_back({number, id});
                        return true;
                    });
}

void Search::run_type_query(uint32_t number, Hits &hits, Sorter *sorter, ReadBudget &budget) {
    TypeQuery &type_query = *type_queries_[number];
    std::string key;
    auto look_at = [&](const Id &id, const store::RecordView &record) {
        if (!type_query.take(id, record)) return;
        if (budget.is_strict() && !budget.has_time(type_query.effort())) return;
        if (!type_query.matches()) return;
        if (sorter == nullptr) return note({number, id}, hits);
        hits.total++;
        key.clear();
        sorter->add({number, id}, type_query.append_key(key) ? &key : nullptr);
    };
    store::Txn &txn = directory_.txn();
    const bool looks = type_query.looks_at_records();
    const bool continues = walks_ && after_ && after_->hit.type == number;
    Candidates candidates = type_query.plan().candidates(continues ? &after_->hit.id : nullptr);
    while (txn.good() && candidates.next() && may_look_at(hits)) {
        const Id &id = candidates.id();
        if (!looks) {
            if (!budget.next_resource()) return;
            note({number, id}, hits);
        } else if (!candidates.record().empty()) {
            if (!budget.next_resource(type_query.effort(candidates.record().size()))) return;
            if (auto record = store::RecordView::peek(candidates.record()))
                look_at(id, *record);
            else
                txn.fail(store::Errc::damaged);
        } else if (auto record = directory_.record(type_query.type().number, id)) {
            if (!budget.next_resource(type_query.effort(record->bytes().size()))) return;
            look_at(id, *record);
        }
        if (budget.stopped() || hits.next) return;
        last_ = {number, id};
    }
}

}  // namespace scim::service
