#pragma once
// A query over the resources of one type, or of several (S-65, S-66): which resources match, how
// many, and which of them are on the page.

#include <memory>
#include <optional>
#include <vector>

#include "scim/request/list.h"
#include "service/access_path.h"
#include "service/read_budget.h"
#include "service/sort.h"
#include "service/store.h"

namespace scim::service {

struct Hits {
    uint64_t total = 0;     // on all pages
    std::vector<Hit> page;  // in order
};

class Search {
  public:
    // All must outlive the Search. An attribute that only some of several types have has no value
    // in the others.
    Search(Snapshot &snapshot, store::Directory &directory, const Request &request,
           const Query &query, std::vector<const TypeView *> types);
    ~Search();

    // Parses and plans. 400 invalidFilter, invalidPath and invalidValue; 400 tooMany if more than
    // scim_max_scan resources had to be looked at, with what would help.
    Outcome prepare(RunOn run_on, DeviationReport &report);

    // True if run(), or making the page, holds the event loop too long.
    bool is_long() const;

    // Without a filter, and in no other order than that of ids: the page is nothing but a part of
    // the table.
    bool is_plain() const { return !query_.filter && !sorted_; }

    // The hits are not all there if the watch was stopped. REQUIRES: prepared.
    Hits run(ReadBudget &budget);

    // False if the record does not have what the query asks for: an index row that led to it is
    // damaged. REQUIRES: a hit of run().
    bool confirms(const Hit &hit, const store::RecordView &record);

    // One line; REQUIRES: prepared.
    std::string explain() const;

    const Page &page() const { return page_; }
    const std::vector<const TypeView *> &types() const { return types_; }

  private:
    class TypeQuery;  // the query as one type sees it

    Outcome parse_filters();
    Outcome parse_sorting();
    Outcome check_known() const;
    Error too_many(const TypeQuery &type_query) const;
    void run_type_query(uint32_t number, Hits &hits, Sorter *sorter, ReadBudget &budget);
    void list_all(uint32_t number, Hits &hits);
    void note(const Hit &hit, Hits &hits) const;

    Snapshot &snapshot_;
    store::Directory &directory_;
    const Request &request_;
    const Query &query_;
    std::vector<const TypeView *> types_;
    Page page_;
    bool sorted_ = false, descending_ = false;
    std::vector<std::unique_ptr<TypeQuery>> type_queries_;
};

}  // namespace scim::service
