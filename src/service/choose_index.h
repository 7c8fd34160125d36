#pragma once
// How a query finds resources: by rows of an index or by memberships if the filter allows it,
// otherwise by a scan of all records of the type.
//
// An access path leads to candidates. Unless it is exact, the whole filter is tested on each.
//
//     id eq "…"                        the resource with this id
//     eq, sw, gt, ge, lt, le, pr       a range of an index that is ready
//     co, ew, sw, eq                   the lists of a substring index that is ready, unless the
//                                      condition has a range; candidates are tested
//     members eq "…"                   the groups of this member
//     groups eq "…"                    the members of this group, and of the groups in it if
//                                      indirect groups count
//     a or b                           the candidates of both
//     a and b                          the candidates of the condition that has fewer rows; those
//                                      of substring indexes are intersected
//
// A condition that no resource of the type can satisfy (an attribute that the type lacks, another
// meta.resourceType) has no candidates.

#include <optional>
#include <string>
#include <vector>

#include "scim/filter/filter.h"
#include "store/directory.h"
#include "store/trigram_search.h"

namespace scim::service {

// An access path, or a part of one.
struct Access {
    enum class Kind : uint8_t {
        scan,
        nothing,
        ids,
        index,
        substring,
        groups_of,   // the groups of the member `ids[0]`
        members_of,  // the members of the group `ids[0]`
        any_of,
    } kind = Kind::scan;
    bool exact = false;  // every candidate satisfies the condition

    std::vector<Id> ids;
    const Attr *attr = nullptr;  // index: the attribute
    std::string_view operation;  // "eq", "range", …: a literal
    std::string from, to;        // index: see Directory::each_row()
    bool one_value = false;      // index: all rows have one value, so they are in the order of ids
    std::vector<Access> parts;

    // substring: what the resources must have; the conditions, for messages; and all numbers of the
    // candidates, if counting has found them all.
    std::vector<store::TrigramTerm> trigrams;
    std::string conditions;
    std::optional<store::Numbers> numbers;

    std::optional<uint64_t> rows;  // counted up to a bound; nothing: not counted yet

    // True if the rows are in the order of values.
    bool is_range() const { return kind == Kind::index && !one_value; }
};

// Row counting stops at these bounds; from there on a scan costs no more.
struct RowBounds {
    uint64_t verified;  // if the candidates are tested
    uint64_t joined;    // of exact index conditions that are joined by "or"
    uint64_t ranged;    // of ranges of index rows, which are read again for each Chunks::range ids
};

class Candidates;  // service/candidates.h

// The index of the attribute if it is ready and has rows; else nullptr.
const IndexDef *ready_index(const Attr &attr);
// A resource has at most one value of the attribute.
bool is_single_valued(const Attr &attr);

// The maximum number of ids that a walk reads ahead.
struct Chunks {
    size_t ordered = 1024;       // of a part of the access path whose rows are in the order of ids
    size_t range = 65536;        // of all ranges of index rows together
    size_t all_ordered = 32768;  // of all parts in the order of ids together
};

class AccessPath {
  public:
    // `filter` may be nullptr: all resources match. `nested_groups`: indirect groups are groups of a
    // user (service/nested_groups.h). The other arguments must outlive the object,
    // except `bounds`.
    AccessPath(const Filter *filter, const Catalog &catalog, const TypeView &type,
               store::Directory &directory, const RowBounds &bounds, bool nested_groups = false);
    // A scan, whatever the filter is.
    static AccessPath scan(const Catalog &catalog, const TypeView &type,
                           store::Directory &directory);

    bool is_scan() const { return access_.kind == Access::Kind::scan; }
    bool is_exact() const { return access_.exact; }
    // The number of records (scan) or rows to read, dead rows of groups included; a number that is
    // a bound means at least so many.
    uint64_t rows() const { return *access_.rows; }
    // True if rows() has reached its bound and a scan costs no more.
    bool has_too_many_rows() const { return has_too_many_rows_; }

    // The number of resources that match, if counting the rows has given it.
    std::optional<uint64_t> matches() const;

    // If all candidates are the rows of one range of the index of `attr`, that range; see
    // Directory::each_row().
    struct Range {
        std::string_view from, to;
    };
    std::optional<Range> range_of(const Attr &attr) const;

    // For tests and the debug log, such as "index emails.value eq, 250 rows, verified".
    std::string explain() const;

    // The candidates after `*after`, or all if it is nullptr. The AccessPath must outlive them.
    Candidates candidates(const Id *after = nullptr, const Chunks &chunks = {}) const;

    // The first attribute in the filter that lacks an index and could use one, as in scim_index, such
    // as "title" or "title type=substring"; empty if there is none.
    static std::string missing_index(const Filter &filter);

  private:
    AccessPath(const Catalog &catalog, const TypeView &type, store::Directory &directory)
        : catalog_(catalog), type_(type), directory_(directory) {}

    const Catalog &catalog_;
    const TypeView &type_;
    store::Directory &directory_;
    Access access_;
    bool has_too_many_rows_ = false;
    uint64_t counted_max_ = 0;  // counting stopped at this number
};

}  // namespace scim::service
