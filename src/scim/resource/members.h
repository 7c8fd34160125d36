#pragma once
// Reads the members of a Group in a request (RFC 7643 4.2). Only their ids are used; all other
// parts are computed when the group is sent.
//
//     members := [ { "value": id, … }, … ]
//
// An element that is null is refused: if it were ignored, [null] would remove all members.
//
// Deviations (Dialect): an id without its object (bare-value), one element without the array
// (single-value), a `type` that is not one of the types that members may refer to (member-type),
// which is ignored because the id determines the type. `display` and `$ref` are ignored. Any other
// part is Dialect::unknown_attribute().

#include <string>
#include <string_view>
#include <vector>

#include "scim/resource/dialect.h"
#include "scim/text/id.h"
#include "scim/text/json.h"
#include "scim/text/result.h"

namespace scim {

class MemberReader {
  public:
    // How to treat a text that cannot be an id of this server: refuse it with 400 invalidValue, or,
    // in a remove, skip it.
    enum class Unknown : uint8_t { refuse, skip };

    // `max_members` bounds the members read by one reader, in all calls of read(); more are refused
    // with 413. `type` and `dialect` must outlive the reader. REQUIRES: `type` has members if a
    // JSON value is read.
    MemberReader(const TypeView &type, size_t max_members, Dialect &dialect)
        : type_(type), max_members_(max_members), dialect_(dialect) {}

    // The ids in the value of `members`, in the order sent; empty if `value` is null. 400
    // invalidValue names "members[i]" if an element has no id, or some of the unknown ids.
    Result<std::vector<Id>> read(const json_t *value, Unknown unknown);
    // The same for a list of ids.
    Result<std::vector<Id>> read(const std::vector<std::string> &texts, Unknown unknown);

  private:
    Outcome count(size_t more);
    Result<std::string_view> text(const json_t *element, size_t i);
    Result<std::string_view> value_of(const json_t *object, size_t i);
    Outcome unknown_part(std::string_view name);
    Outcome check_type(const json_t *type, size_t i);

    const TypeView &type_;
    size_t max_members_, read_ = 0;
    Dialect &dialect_;
};

// The net change that a request makes to the members of a group. If `clear`, all members that are
// not in `add` are removed. It does not depend on the current members.
struct MemberEdits {
    bool clear = false;
    std::vector<Id> add, remove;  // sorted, disjoint; `remove` is empty if `clear`
    // For a PATCH: for each id of `add`, the index of its operation in Operations.
    std::vector<size_t> operations;

    bool empty() const { return !clear && add.empty() && remove.empty(); }
};

// Collects changes of members in the order of a PATCH and computes their net change. Takes
// O(n log n) for n changes.
class MemberLog {
  public:
    void clear();
    void add(const std::vector<Id> &ids, size_t operation) { note(ids, true, operation); }
    void remove(const std::vector<Id> &ids, size_t operation) { note(ids, false, operation); }
    MemberEdits edits() const;

  private:
    struct Entry {
        Id id;
        bool added;
        size_t operation;
    };
    void note(const std::vector<Id> &ids, bool added, size_t operation);

    bool clear_ = false;
    std::vector<Entry> log_;
};

// 400 invalidValue: `place` contains `ids`, and no resource that may be a member of a resource of
// `type` has these ids.
Error no_such_members(const std::string &place, const TypeView &type, const std::string &ids);

// Sorts the ids and removes duplicates.
void sort_members(std::vector<Id> &ids);

}  // namespace scim
