#pragma once
// Filters (RFC 7644 3.4.2.2, S-68…88): parsed once into a flat tree,
// then asked about one resource after another.
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
// Rewritten and reported, unless strict: bare words for string attributes (bare-word),
// "True"/"False" strings for booleans (string-boolean), numbers as strings (string-number), names of an extension's attributes without
// the URN (unprefixed-extension), `manager eq "x"` for `manager.value eq "x"` (bare-value),
// `emails[…].value eq "x"` for `emails[… and value eq "x"]` (value-path).
//
// An element of a simple multi-valued attribute is its own part `value` (RFC 7643 2.4):
// `tags[value eq "x"]` and `tags.value eq "x"` mean `tags eq "x"`.
//
// What other resources say (groups, members, who a manager is) is asked of ComputedValues, and only
// when a filter speaks of it.
//
// Length, depth and terms are bounded while parsing. Nodes lie in one vector: nothing recurses when
// a filter dies. Chains lean to the right: `a and b and c` is a and (b and c).

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/catalog.h"
#include "scim/dialect.h"
#include "scim/id.h"
#include "scim/made_keys.h"
#include "scim/resource.h"
#include "scim/result.h"

namespace scim {

enum class FilterOp : uint8_t { pr, eq, ne, co, sw, ew, gt, ge, lt, le };
std::string_view to_string(FilterOp op);

struct FilterLimits {
    size_t length = 8192;  // bytes
    // Nested parentheses, with or without not, and brackets. Each level costs 2 KiB of stack.
    size_t depth = 32;
    size_t terms = 200;
};

// A literal, ready to be compared with a leaf of its attribute.
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
    std::string key;   // the normalised key of a string (text.h) under the attribute's matching
    std::string json;  // the literal as canonical JSON: what an index value is made of
};

struct FilterNode {
    enum class Kind : uint8_t {
        conjunction,
        disjunction,
        negation,
        term,
        element
    } kind = Kind::term;
    // conjunction, disjunction: children `left` and `right`; negation: `left`. element: some
    // element of the attribute `attr` satisfies `left` (terms in it speak of that element).
    uint32_t left = 0, right = 0;
    // term. An attribute that this type lacks is nullptr:
    // it has no value (multi-type queries, S-66).
    const Attr *attr = nullptr;
    // The server makes the values of `attr`: they are no leaves of a record. Other attributes that
    // are readOnly have the values that their leaves say, as a rule none.
    bool computed = false;
    FilterOp op = FilterOp::pr;
    FilterValue value;
};

// Attributes of one resource that are no leaves of its record: groups, members, and the parts of
// manager that the server makes.
class ComputedValues {
  public:
    // The leaves of one element. True ends the walk.
    using Test = std::function<bool(const Leaf *begin, const Leaf *end)>;

    // True if an element of `top` satisfies `test`. An element has a leaf for those of its parts
    // that are in `parts` (part_bit()) and that it has, in canonical order; the value of `only`, if
    // it is given, is the id of the only element there is to look at.
    virtual bool some_element(const Attr &top, uint32_t parts, const Id *only,
                              const Test &test) = 0;

  protected:
    ~ComputedValues() = default;
};

// The place of a part among those of its complex attribute. REQUIRES: a part.
inline uint32_t part_bit(const Attr &part) {
    int place = part.rank - part.parent->rank - 1;
    return place < 31 ? uint32_t(1) << place : uint32_t(1) << 31;
}

// True for what ComputedValues know: groups and members with their parts, manager's computed parts.
inline bool is_of_rows(const TypeView &type, const Attr &attr) {
    const Attr *top = attr.parent ? attr.parent : &attr;
    return top == type.groups || top == type.members || (top == type.manager && attr.computed);
}

// Memory for what is unescaped and folded while a resource is compared. It is used again for the next
// resource. (Not thread_local: a thread's first use of such a variable allocates, and ends the process
// if there is no memory.)
struct FilterBuffers {
    std::string text, key;
    MadeKeys made;  // of the resource that is compared

    // For another resource. What one large value took is given back.
    void trim() {
        made.clear();
        constexpr size_t keep = 64 * 1024;  // bytes
        if (text.capacity() > keep) std::string().swap(text);
        if (key.capacity() > keep) std::string().swap(key);
    }
};

// What a filter is asked about. For one thread.
struct FilterSubject {
    const TypeView *type = nullptr;
    // In canonical order; at least those of Filter::stored().
    const std::vector<Leaf> *leaves = nullptr;
    ComputedValues *computed = nullptr;  // if the filter needs_rows(); without it there are none
    Id id{};
    uint64_t version = 0;
    int64_t created = 0, modified = 0;  // milliseconds
    uint32_t extensions = 0;            // shown_extensions(), if the filter needs_schemas()
    std::string_view location_prefix;   // meta.location without the id: "https://…/Users/"
    mutable FilterBuffers buffers;
};

// What an unknown attribute means: a mistake (S-83), or, where several types are asked at once, no
// value (S-66).
enum class UnknownNames : uint8_t { refused, no_value };

class Filter {
  public:
    // 400 invalidFilter whose detail names the position (1-based, in characters) and what was
    // expected there; unknown attributes, operators that do not fit the type (S-78) and
    // literals of the wrong type (S-82) included.
    // Filtering on a writeOnly or never-returned attribute is refused (S-85).
    static Result<Filter> parse(const TypeView &type, std::string_view text,
                                const FilterLimits &limits, Dialect &dialect,
                                UnknownNames unknown = UnknownNames::refused);

    bool matches(const FilterSubject &subject) const;

    // Of a filter that is `attr[…]`: whether one element of that attribute, by its leaves, satisfies
    // what stands in the brackets. REQUIRES: the root is an element.
    bool matches_element(const TypeView &type, const Leaf *begin, const Leaf *end) const;

    const FilterNode &node(uint32_t index) const { return nodes_[index]; }
    uint32_t root() const { return root_; }
    size_t terms() const { return terms_; }
    // The stored attributes, by number, whose leaves it has to see.
    const AttrSet &stored() const { return stored_; }
    bool needs_rows() const { return needs_rows_; }
    bool needs_version() const { return needs_version_; }
    bool needs_schemas() const { return needs_schemas_; }
    // True if it may walk through all groups or members of a resource, or reads a manager's name.
    bool walks_rows() const { return walks_rows_; }
    // The paths that this type lacks, as they were written.
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
