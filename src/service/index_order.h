#pragma once
// The resources of a type in the order of sortBy (sort.h), read from the index of a single-valued
// attribute: those of a range of its rows, and those without a value.
//
// The rows of an index are in the order of value and id, and the sort key is the value, or its first
// 336 bytes. So the rows with the same key are adjacent. Those of longer values are sorted by id in
// memory, 16 bytes each; no other row is kept.

#include <optional>
#include <string>
#include <vector>

#include "service/candidates.h"
#include "service/choose_index.h"
#include "service/sort.h"

namespace scim::service {

class IndexOrder {
  public:
    struct Options {
        bool descending = false;
        AccessPath::Range range;       // of the rows; both empty: all rows
        bool with_absent = true;       // resources without a value, too
        const Place *after = nullptr;  // begin behind this place
    };
    // REQUIRES: ready_index(attr) and is_single_valued(attr). The other arguments must outlive the
    // object, except `options`.
    IndexOrder(const Catalog &catalog, const TypeView &type, const Attr &attr,
               store::Directory &directory, const Options &options);

    // Moves to the next resource. False after the last one, or if the budget of the directory
    // refuses a row: the caller checks the budget.
    bool next();
    const Id &id() const { return id_; }
    bool has_value() const { return has_value_; }
    const std::string &key() const { return key_; }  // the sort key; empty without a value

  private:
    bool next_absent();
    bool next_row();
    bool next_of_group();
    bool find_group();
    void enter_group(const Id *after);
    bool seek_behind(const std::string &key);
    bool read_row();
    bool may_walk();
    bool is_long() const { return key_.size() == store::index_digest_prefix; }

    const Attr &attr_;
    store::Directory &directory_;
    const bool descending_;
    const std::string prefix_;
    std::string low_, high_;  // the keys of the rows that are left are in [low_, high_)
    AccessPath scan_;
    std::optional<Candidates> absent_;  // nothing: the part without values is not wanted, or over
    store::Cursor cursor_;
    bool is_placed_ = false;  // the cursor is at a row
    bool in_group_ = false;
    std::vector<Id> ids_;  // of a group of long values, descending
    store::IndexTail row_;
    Id id_{};
    bool has_value_ = false, has_rows_ = true;
    std::string key_;
};

}  // namespace scim::service
