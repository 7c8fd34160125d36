#pragma once
// How a query finds its resources: by the rows of an index or of a membership where a condition
// allows it, otherwise by looking at every record of the type.
//
// A plan gives candidates; unless it is exact, each is still to be asked about the whole filter.
//
//     id eq "…"                        the resource itself
//     eq, sw, gt, ge, lt, le, pr       a range of an index that is ready
//     members eq "…"                   the groups of that member
//     groups eq "…"                    the members of that group
//     a or b                           all of both
//     a and b                          of what either would look at, the fewer
//
// What no resource of the type can satisfy (an attribute it lacks, another meta.resourceType) has
// no candidates.

#include <optional>
#include <string>
#include <vector>

#include "scim/filter/filter.h"
#include "store/directory.h"

namespace scim::service {

// One way to candidates.
struct Access {
    enum class Kind : uint8_t {
        scan,
        nothing,
        ids,
        index,
        groups_of,   // the groups whose member `ids[0]` is
        members_of,  // the members of the group `ids[0]`
        any_of,
    } kind = Kind::scan;
    bool exact = false;  // every candidate satisfies the condition

    std::vector<Id> ids;
    const Attr *attr = nullptr;  // index: whose rows
    std::string_view operation;  // "eq", "range", …: a literal
    std::string from, to;        // index: see Directory::each_row()
    bool one_value = false;      // index: the rows are in the order of their ids
    std::vector<Access> parts;

    uint64_t rows = 0;  // counted, up to the bound
};

// As many rows are counted, because a scan is no worse then: of conditions whose rows are verified,
// and of exact ones that are joined by "or".
struct RowBounds {
    uint64_t verified, joined;
};

class Candidates;  // service/candidates.h

// How many ids a walk reads ahead.
struct Chunks {
    size_t ordered = 1024;  // of rows in the order of ids
    size_t range = 65536;   // of a range of index rows
};

class AccessPath {
  public:
    // Without a filter every resource is wanted.
    AccessPath(const Filter *filter, const Catalog &catalog, const TypeView &type,
               store::Directory &directory, const RowBounds &bounds);
    // The last resort.
    static AccessPath scan(const Catalog &catalog, const TypeView &type,
                           store::Directory &directory);

    bool is_scan() const { return access_.kind == Access::Kind::scan; }
    bool is_exact() const { return access_.exact; }
    // What has to be looked at: records of a scan, else rows, dead ones of a group included; a
    // bound means "at least".
    uint64_t rows() const { return access_.rows; }
    // True if a scan is no worse.
    bool has_too_many_rows() const { return has_too_many_rows_; }

    // "index emails.value eq, 250 rows, verified": for tests and the debug log.
    std::string explain() const;

    // Those behind `*after`, or all. They must not outlive the path.
    Candidates candidates(const Id *after = nullptr, const Chunks &chunks = {}) const;

    // What of the filter an index would answer, such as "title"; empty if nothing of it.
    static std::string missing_index(const Filter &filter);

  private:
    AccessPath(const Catalog &catalog, const TypeView &type, store::Directory &directory)
        : catalog_(catalog), type_(type), directory_(directory) {}

    const Catalog &catalog_;
    const TypeView &type_;
    store::Directory &directory_;
    Access access_;
    bool has_too_many_rows_ = false;
};

}  // namespace scim::service
