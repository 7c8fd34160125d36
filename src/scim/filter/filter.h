#pragma once
// Filters (RFC 7644 3.4.2.2). A filter is parsed once into a tree of nodes and then evaluated for
// each resource.
//
//     filter   := or
//     or       := and (SP "or" SP and)*
//     and      := not (SP "and" SP not)*
//     not      := "not" SP* "(" filter ")" | "(" filter ")" | term
//     term     := path relation | path "[" filter "]" [ "." name relation ]
//     relation := SP "pr" | SP op SP literal         no SP is needed before a double quote
//     op       := "eq" | "ne" | "co" | "sw" | "ew" | "gt" | "ge" | "lt" | "le"       any case
//     literal  := JSON string | number | "true" | "false" | "null"     any case for the last three
//
// Deviations (Dialect), refused under scim_profile rfc: bare words for string attributes
// (bare-word), the strings "true" and "false" in any case for booleans (string-boolean), numbers as
// strings (string-number), names of an extension's attributes without the URN
// (unprefixed-extension), `manager eq "x"` for `manager.value eq "x"` (bare-value),
// `emails[…].value eq "x"` for `emails[… and value eq "x"]` (value-path).
//
// Each value of a simple multi-valued attribute is its own part `value` (RFC 7643 2.4):
// `tags[value eq "x"]` and `tags.value eq "x"` mean `tags eq "x"`.
//
// Values that depend on other resources (groups, members, the manager's name) are read through
// ComputedValues, and only if the filter contains such an attribute.
//
// Length, depth and number of terms are bounded while parsing. All nodes are in one vector, so that
// destroying a filter does not recurse. Chains nest to the right: `a and b and c` is
// a and (b and c).

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/filter/key_cache.h"
#include "scim/resource/dialect.h"
#include "scim/resource/resource.h"
#include "scim/schema/catalog.h"
#include "scim/text/id.h"
#include "scim/text/result.h"

namespace scim {

enum class FilterOp : uint8_t { pr, eq, ne, co, sw, ew, gt, ge, lt, le };
std::string_view to_string(FilterOp op);

struct FilterLimits {
    size_t length = 8192;  // bytes
    // Nested parentheses, with or without not, and brackets. Each level takes 2 KiB of stack.
    size_t depth = 32;
    size_t terms = 200;
};

// A literal, converted for comparison with the leaves of its attribute.
struct FilterValue {
    enum class Kind : uint8_t {
        none,
        null,
        boolean,
        integer,
        decimal,
        time,
        key
    } kind = Kind::none;
    bool boolean = false;
    int64_t integer = 0;  // integer, or microseconds for `time`
    double decimal = 0;
    std::string key;   // the key of a string (text.h) for the attribute's Matching
    std::string json;  // the literal as canonical JSON, from which index values are made
};

struct FilterNode {
    enum class Kind : uint8_t {
        conjunction,
        disjunction,
        negation,
        term,
        element
    } kind = Kind::term;
    // conjunction, disjunction: the operands `left` and `right`. negation: the operand `left`.
    // element: true if an element of the attribute `attr` satisfies `left`, whose terms are
    // evaluated for that element.
    uint32_t left = 0, right = 0;
    // term, element: the attribute. nullptr if the type does not have it: then it has no value (in
    // queries over more than one type, RFC 7644 3.4.2.1).
    const Attr *attr = nullptr;
    // The values of `attr` are computed by the server and are not leaves of a record. Other
    // readOnly attributes have the values of their leaves, usually none.
    bool computed = false;
    FilterOp op = FilterOp::pr;
    FilterValue value;
};

// The attributes of one resource that are not leaves of its record: groups, members, and the
// computed parts of manager.
class ComputedValues {
  public:
    // Gets the leaves of one element. Returning true ends the iteration.
    using Test = std::function<bool(const Leaf *begin, const Leaf *end)>;

    // True if an element of `top` satisfies `test`. `test` gets those parts of an element that are
    // in `parts` (part_bit()) and have a value, in canonical order. If `only` is given, only the
    // element with that id is tested.
    virtual bool some_element(const Attr &top, uint32_t parts, const Id *only,
                              const Test &test) = 0;

  protected:
    ~ComputedValues() = default;
};

// The bit of a part among those of its complex attribute; parts from the 31st on share one bit.
// REQUIRES: `part` has a parent.
inline uint32_t part_bit(const Attr &part) {
    int place = part.rank - part.parent->rank - 1;
    return place < 31 ? uint32_t(1) << place : uint32_t(1) << 31;
}

// True for the attributes of ComputedValues: groups and members with their parts, and the computed
// parts of manager.
inline bool is_of_rows(const TypeView &type, const Attr &attr) {
    const Attr *top = &attr.top();
    return top == type.groups || top == type.members || (top == type.manager && attr.computed);
}

// Buffers for unescaped and normalised texts of the current resource, reused for the next one. (Not
// thread_local: the first use of a thread_local variable on a thread allocates memory and ends the
// process if that fails.)
struct FilterBuffers {
    std::string text, key;
    KeyCache made;  // keys of the current resource

    // Called before another resource. Frees the memory of large values.
    void trim() {
        made.clear();
        constexpr size_t keep = 64 * 1024;  // bytes
        if (text.capacity() > keep) std::string().swap(text);
        if (key.capacity() > keep) std::string().swap(key);
    }
};

// The resource for which a filter is evaluated. Used by one thread at a time.
struct FilterSubject {
    const TypeView *type = nullptr;
    // In canonical order; at least the leaves of the attributes in Filter::stored().
    const std::vector<Leaf> *leaves = nullptr;
    // Needed if the filter needs_rows(); nullptr: those attributes have no values.
    ComputedValues *computed = nullptr;
    Id id{};
    uint64_t version = 0;
    int64_t created = 0, modified = 0;  // milliseconds
    uint32_t extensions = 0;            // shown_extensions(), if the filter needs_schemas()
    std::string_view location_prefix;   // meta.location without the id: "https://…/Users/"
    mutable FilterBuffers buffers;
};

// An unknown attribute is refused, or, in queries over more than one type, has no value (RFC 7644
// 3.4.2.1).
enum class UnknownNames : uint8_t { refused, no_value };

class Filter {
  public:
    // Errors are 400 invalidFilter; the detail has the position (1-based, in characters) and what
    // was expected there. Also refused: unknown attributes, operators that do not apply to the type
    // of the attribute, literals of the wrong type, and attributes that are writeOnly or never
    // returned, because a filter would reveal their values.
    static Result<Filter> parse(const TypeView &type, std::string_view text,
                                const FilterLimits &limits, Dialect &dialect,
                                UnknownNames unknown = UnknownNames::refused);

    bool matches(const FilterSubject &subject) const;

    // For a filter `attr[…]`: true if the element of `attr` with the leaves [begin, end) satisfies
    // the filter in the brackets. REQUIRES: the root is an element node.
    bool matches_element(const TypeView &type, const Leaf *begin, const Leaf *end) const;

    const FilterNode &node(uint32_t index) const { return nodes_[index]; }
    uint32_t root() const { return root_; }
    size_t terms() const { return terms_; }
    // The stored attributes, by number, whose leaves matches() needs.
    const AttrSet &stored() const { return stored_; }
    bool needs_rows() const { return needs_rows_; }
    bool needs_version() const { return needs_version_; }
    bool needs_schemas() const { return needs_schemas_; }
    // True if matches() may iterate over all groups or members of a resource, or reads the name of
    // a manager.
    bool walks_rows() const { return walks_rows_; }
    // The paths in the filter that are not attributes of the type, as written.
    const std::vector<std::string> &unknown() const { return unknown_; }

  private:
    friend class FilterParser;
    void note_attributes(const TypeView &type);

    std::vector<FilterNode> nodes_;
    uint32_t root_ = 0;
    size_t terms_ = 0;
    AttrSet stored_;
    bool needs_rows_ = false, walks_rows_ = false, needs_version_ = false, needs_schemas_ = false;
    std::vector<std::string> unknown_;
};

}  // namespace scim
