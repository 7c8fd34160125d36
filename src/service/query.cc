#include "service/query.h"

#include <xxhash.h>

#include <algorithm>

#include "service/candidates.h"
#include "service/index_order.h"
#include "service/type_query.h"
#include "store/bytes.h"

namespace scim::service {

namespace {

// The limits of a query on the event loop: comparisons of a filter's term with a resource, each a
// fraction of a microsecond (long values are charged to the ReadBudget); index rows that are read;
// resources that are rendered, each some microseconds.
constexpr uint64_t loop_comparisons = 4000, loop_rendered = 200;

uint64_t digest_of_text(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

bool has_text(const std::optional<std::string> &text) { return text && !text->empty(); }

}  // namespace

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
        choose_order();
        const bool is_short = ordered_ && ordered_->is_exact && !ordered_->reaches_absent;
        if (is_short)
            looked_at += std::min(page_end(), ordered_->total.value_or(UINT64_MAX));
        else if (!is_plain() && !walks_)
            looked_at += type_query->plan().rows();
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
            return Error{Refusal::filter_unknown_attribute,
                         "no resource type has an attribute " + quoted(name)};
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
    return Error{Refusal::sort_attribute, "\"sortBy\" is " + quoted(*query_.sort_by) + ", but " +
                                              (types_.size() == 1 ? types_[0]->type.name + " has no"
                                                                  : "no resource type has an") +
                                              " attribute of this name"};
}

Error Search::too_many(const TypeQuery &type_query) const {
    std::string help, indexed;
    const std::string advice = advice_for(type_query);
    if (!advice.empty()) help = "ask for \"" + advice + "\" in nginx's configuration, or ";
    for (const IndexDef *index : snapshot_.catalog()->indexes(type_query.type().number)) {
        const Attr *attr = type_query.type().by_number(index->attr);
        if (attr == nullptr || index->state != IndexState::ready || index->kind != IndexKind::value)
            continue;
        indexed += indexed.empty() ? "" : ", ";
        indexed += attr->path;
    }
    return Error{Refusal::scan_too_large,
                 "this query has to look at more than scim_max_scan (" +
                     std::to_string(request_.settings->max_scan) + ") resources; " + help +
                     "add a condition with eq on one of " + indexed + ", which have an index"};
}

bool Search::is_long() const {
    if (ordered_ && ordered_->is_exact && !ordered_->reaches_absent)
        return page_end() > loop_rows || page_.count > loop_rendered;
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

std::string Search::advice_for(const TypeQuery &type_query) {
    if (!type_query.filter || !type_query.plan().is_scan()) return {};
    const std::string missing = AccessPath::missing_index(*type_query.filter);
    return missing.empty() ? missing
                           : "scim_index " + type_query.type().type.name + " " + missing + ";";
}

std::string Search::advice() const {
    for (const auto &type_query : type_queries_)
        if (std::string advice = advice_for(*type_query); !advice.empty()) return advice;
    return {};
}

std::string Search::explain() const {
    std::string out;
    for (const auto &type_query : type_queries_) {
        if (!out.empty()) out += "; ";
        out += type_query->type().type.name + ": ";
        if (ordered_) {
            out += "index " + type_query->sort_by()->path + " in order";
            if (!ordered_->is_exact) out += ", verified";
            continue;
        }
        out += type_query->plan().explain();
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
    } else if (ordered_ && run_in_order(hits, budget)) {
        return hits;
    } else if (sorted_) {
        hits = Hits();
        run_sorted(hits, budget);
    } else {
        for (uint32_t i = 0; i < type_queries_.size() && !budget.stopped() && !refusal_; i++) {
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
    for (uint32_t i = 0; i < type_queries_.size() && !budget.stopped() && !refusal_; i++)
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

// To be called before each resource is examined. False if the page of a walk ends here, or if the
// query must be refused: prepare() does not know how many resources share a number of a substring
// index.
bool Search::may_look_at(uint32_t number, Hits &hits) {
    if (is_plain() || looked_at_++ < request_.settings->max_scan) return true;
    if (walks_)
        hits.next = position_of({false, {}, last_});
    else
        refusal_ = too_many(*type_queries_[number]);
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
    while (txn.good() && candidates.next() && may_look_at(number, hits)) {
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
