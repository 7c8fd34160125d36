// Sorted pages that are read from an index (index_order.h).

#include <algorithm>

#include "service/index_order.h"
#include "service/query.h"
#include "service/type_query.h"
#include "store/index_rows.h"

namespace scim::service {

// Sorting reads all resources that match. The order of an index is read up to the end of the page;
// how far that is, is known only if all its resources match or the number of matches is known.
void Search::choose_order() {
    ordered_.reset();
    if (!sorted_ || type_queries_.size() != 1) return;
    const TypeQuery &type_query = *type_queries_[0];
    const Attr *attr = type_query.sort_by();
    if (attr == nullptr || !attr->stored() || !is_single_valued(*attr) ||
        ready_index(*attr) == nullptr)
        return;
    const AccessPath &plan = type_query.plan();
    const uint64_t all = type_query.resources();
    const bool has_range = plan.range_of(*attr).has_value();
    Ordered ordered;
    ordered.is_exact = !type_query.filter || (has_range && plan.is_exact());
    ordered.total = type_query.filter ? plan.matches() : all;
    if (!ordered.total && !query_.cursor) return;
    if (!has_range) {
        const uint64_t valued = store::index_rows(directory_.txn(), directory_.tenant(),
                                                  type_query.type().number, attr->number);
        ordered.reaches_absent =
            valued < all && (descending_ || query_.cursor || page_end() > valued);
    }
    if (!ordered.is_exact) {
        constexpr uint64_t share = 4;  // a record in the order of an index is read at random
        ordered.tested_max = plan.rows() / share;
        const uint64_t matches = std::max<uint64_t>(ordered.total.value_or(all), 1);
        const double expected = double(page_end()) * double(all) / double(matches);
        if (expected > double(ordered.tested_max)) return;
    }
    ordered_ = ordered;
}

// True if the resource matches. `key`, if not nullptr: its sort key must be this one; another one
// means that an index row is damaged, and so does an exact order if the resource does not match.
bool Search::is_on_page(const Hit &hit, const std::string *key, ReadBudget &budget) {
    TypeQuery &type_query = *type_queries_[0];
    auto record = directory_.record(type_query.type().number, hit.id);
    if (budget.stopped() || !directory_.txn().good()) return false;
    bool is_right = record && budget.next_resource(type_query.effort(record->bytes().size())) &&
                    type_query.take(hit.id, *record);
    if (budget.stopped() || !directory_.txn().good()) return false;
    if (budget.is_strict() && !budget.has_time(type_query.effort())) return false;
    const bool matches = is_right && type_query.matches();
    std::string own;
    if (matches && key != nullptr) is_right = type_query.append_key(own) && own == *key;
    if (!is_right || (ordered_->is_exact && !matches)) directory_.txn().fail(store::Errc::damaged);
    return matches && is_right;
}

// False if too many resources were tested: then they must be sorted.
bool Search::run_in_order(Hits &hits, ReadBudget &budget) {
    const TypeQuery &type_query = *type_queries_[0];
    const auto range = type_query.plan().range_of(*type_query.sort_by());
    IndexOrder::Options options;
    options.descending = descending_;
    if (range) options.range = *range;
    options.with_absent = !range;
    options.after = after_ ? &*after_ : nullptr;
    IndexOrder order(*snapshot_.catalog(), type_query.type(), *type_query.sort_by(), directory_,
                     options);
    uint64_t skip = page_.start - 1, tested = 0;
    std::optional<Place> last;
    bool is_over = true;
    while (order.next()) {
        const bool is_skipped = skip > 0 && ordered_->is_exact;
        const bool is_full = hits.page.size() == page_.count;
        if (is_full && (ordered_->is_exact || !query_.cursor)) {
            is_over = false;
            break;
        }
        const Hit hit{0, order.id()};
        if (!ordered_->is_exact && ++tested > ordered_->tested_max) {
            ordered_.reset();
            return false;
        }
        if (!is_skipped && !is_on_page(hit, order.has_value() ? &order.key() : nullptr, budget)) {
            if (budget.stopped() || !directory_.txn().good()) return true;
            continue;
        }
        if (skip > 0) {
            skip--;
            continue;
        }
        if (is_full) {
            is_over = false;
            break;
        }
        hits.page.push_back(hit);
        last = Place{order.has_value(), order.key(), hit};
    }
    if (query_.cursor && !is_over && last) hits.next = position_of(*last);
    const bool is_whole = query_.cursor && is_over && !after_;
    const auto total = is_whole ? hits.page.size() : ordered_->total;
    hits.knows_total = total.has_value();
    hits.total = total.value_or(0);
    return true;
}

}  // namespace scim::service
