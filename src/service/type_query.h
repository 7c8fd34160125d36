#pragma once
// The part of a query that concerns one resource type: its filter, sort keys and access path, and
// what they say about a resource.

#include <optional>
#include <string>
#include <vector>

#include "service/choose_index.h"
#include "service/nested_groups.h"
#include "service/query.h"
#include "service/sort.h"

namespace scim::service {

// The limit of a query on the event loop: index rows that are read.
constexpr uint64_t loop_rows = 4000;

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
    const Attr *sort_by() const { return keys_ ? keys_->by() : nullptr; }
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

}  // namespace scim::service
