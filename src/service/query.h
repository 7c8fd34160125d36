#pragma once
// A query over the resources of one type, or of all types (RFC 7644 3.4.2 and 3.4.2.1): the number
// of resources that match, and those on the requested page.
//
// Pages by cursor (RFC 9865) begin behind a position. A walk, which is not sorted, reads resources in
// the order of types and ids, from that position, until its page is full or scim_max_scan resources
// are examined. A sorted page reads all resources that match, and keeps the first behind the
// position, unless the order of an index leads there (index_order.h). So a later page costs what the
// first did, and a resource that exists throughout, with the
// same sort key, is on exactly one page.

#include <memory>
#include <optional>
#include <vector>

#include "scim/request/list.h"
#include "service/choose_index.h"
#include "service/cursor.h"
#include "service/sort.h"
#include "service/store.h"

namespace scim::service {

struct Hits {
    uint64_t total = 0;  // resources that match, on all pages
    bool knows_total = true;
    std::vector<Hit> page;         // in the order of the query
    std::optional<Position> next;  // by cursor: where the next page begins, unless this is the last
};

class Search {
  public:
    // The arguments must outlive the Search. With several types, an attribute that some of them
    // lack has no value there (RFC 7644 3.4.2.1).
    Search(Snapshot &snapshot, store::Directory &directory, const Request &request,
           const Query &query, std::vector<const TypeView *> types);
    ~Search();

    // Parses the query and chooses an access path for each type. 400 invalidFilter, invalidPath and
    // invalidValue; 400 tooMany if more than scim_max_scan resources would have to be read, with
    // advice.
    Outcome prepare(RunOn run_on, DeviationReport &report);

    // True if run(), or rendering the page, would block the event loop too long. REQUIRES:
    // prepared.
    bool is_long() const;

    // True without a filter and sorting: the page is a range of the resources in the order of ids.
    bool is_plain() const { return !query_.filter && !sorted_; }

    // The query of the cursors of this search. REQUIRES: prepared.
    WalkQuery walk_query() const;
    // By cursor: the page begins behind this position. To be called before run().
    void start_after(const Position &position);

    // The hits are incomplete if budget.stopped() or refusal() afterwards. REQUIRES: prepared.
    Hits run(ReadBudget &budget);
    // 400 tooMany if run() has met more than scim_max_scan resources.
    const std::optional<Error> &refusal() const { return refusal_; }

    // False if the record of the hit does not match the filter: an index row is damaged. REQUIRES:
    // a hit of run().
    bool confirms(const Hit &hit, const store::RecordView &record);

    // The access path of each type, in one line. REQUIRES: prepared.
    std::string explain() const;
    // The directive that adds an index with which the query would read fewer resources, such as
    // "scim_index User title;"; empty if there is none. REQUIRES: prepared.
    std::string advice() const;

    const Page &page() const { return page_; }
    // The number of resources up to the end of the page.
    uint64_t page_end() const { return page_.start - 1 + page_.count; }
    const std::vector<const TypeView *> &types() const { return types_; }

  private:
    class TypeQuery;  // the query for one type

    Outcome parse_filters();
    Outcome parse_sorting();
    Outcome check_known() const;
    Error too_many(const TypeQuery &type_query) const;
    static std::string advice_for(const TypeQuery &type_query);
    void walk(Hits &hits, ReadBudget &budget);
    void run_sorted(Hits &hits, ReadBudget &budget);
    void choose_order();
    bool run_in_order(Hits &hits, ReadBudget &budget);
    bool is_on_page(const Hit &hit, const std::string *key, ReadBudget &budget);
    void run_type_query(uint32_t number, Hits &hits, Sorter *sorter, ReadBudget &budget);
    void list_all(uint32_t number, Hits &hits);
    bool may_look_at(uint32_t number, Hits &hits);
    void note(const Hit &hit, Hits &hits) const;
    std::optional<uint64_t> known_total() const;
    Position position_of(const Place &place) const;

    Snapshot &snapshot_;
    store::Directory &directory_;
    const Request &request_;
    const Query &query_;
    std::vector<const TypeView *> types_;
    Page page_;
    bool sorted_ = false, descending_ = false;
    bool walks_ = false;          // by cursor, not sorted
    std::optional<Place> after_;  // by cursor: the page begins behind it
    Hit last_;                    // of a walk: the last resource that was examined and is not on
                                  // the next page
    uint64_t looked_at_ = 0;      // resources that run() has examined
    std::optional<Error> refusal_;
    // Sorted, and the resources are read in the order of an index.
    struct Ordered {
        bool is_exact = false;        // each resource of the order matches
        bool reaches_absent = false;  // the page may have resources without a value
        std::optional<uint64_t> total;
        uint64_t tested_max = 0;  // if not exact: sorting costs less than to test more resources
    };
    std::optional<Ordered> ordered_;
    std::vector<std::unique_ptr<TypeQuery>> type_queries_;
};

}  // namespace scim::service
