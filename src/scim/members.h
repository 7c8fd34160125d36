#pragma once
// The members of a Group as a client writes them (RFC 7643 4.2): ids, and nothing else that is not
// computed when the group is sent.
//
//     members := [ { "value": id, … }, … ]
//
// An element that is null is refused: read as none, it would empty a group without a word.
//
// Also read, and reported by Dialect: an id without its object (bare-value), one element without the
// array (single-value), a `type` that is neither "User" nor "Group" (member-type): the id says what a
// member is. `display` and `$ref` are ignored. Any other part is Dialect::unknown_attribute().

#include <string>
#include <string_view>
#include <vector>

#include "scim/dialect.h"
#include "scim/id.h"
#include "scim/json.h"
#include "scim/result.h"

namespace scim {

class MemberReader {
  public:
    // What is said about a text that cannot be an id of ours: there is no such member (400
    // invalidValue), or there is nothing to remove.
    enum class Unknown : uint8_t { refuse, skip };

    // `max_members` bounds what one reader reads, all values together: more is 413. `type` and
    // `dialect` must outlive the reader. REQUIRES: `type` has members if a JSON value is read.
    MemberReader(const TypeView &type, size_t max_members, Dialect &dialect)
        : type_(type), max_members_(max_members), dialect_(dialect) {}

    // The ids of a value of `members`, in order, none if it is null. 400 invalidValue naming
    // "members[i]" if an element has no value, and a few of the unknown ids if there are any.
    Result<std::vector<Id>> read(const json_t *value, Unknown unknown);
    // The same of ids alone.
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

// What a request does to the members of a group, in the end: first all others go if `clear`, then
// some come and some go. It does not depend on who is a member.
struct MemberEdits {
    bool clear = false;
    std::vector<Id> add, remove;  // sorted, disjoint; `remove` is empty if `clear`
    // Of a PATCH: the place in Operations that each of `add` comes from.
    std::vector<size_t> operations;

    bool empty() const { return !clear && add.empty() && remove.empty(); }
};

// Edits in the order they come, and what they amount to: linear but for a sort.
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

// Sorts, and makes one of those that occur twice.
void sort_members(std::vector<Id> &ids);

}  // namespace scim
