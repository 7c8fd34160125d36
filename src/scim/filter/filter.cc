// Evaluating a filter for a resource. A search does this for up to millions of resources, so leaves
// are compared without copying them, and texts that must be made (keys of strings that are not
// ASCII, ids, URLs) are made in buffers that are reused.

#include "scim/filter/filter.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <optional>

#include "scim/text/datetime.h"
#include "scim/text/json.h"
#include "scim/text/text.h"

namespace scim {

std::string_view to_string(FilterOp op) {
    switch (op) {
        case FilterOp::pr: return "pr";
        case FilterOp::eq: return "eq";
        case FilterOp::ne: return "ne";
        case FilterOp::co: return "co";
        case FilterOp::sw: return "sw";
        case FilterOp::ew: return "ew";
        case FilterOp::gt: return "gt";
        case FilterOp::ge: return "ge";
        case FilterOp::lt: return "lt";
        case FilterOp::le: return "le";
    }
    return "";
}

namespace {

// ---- Values ----

// `order` is negative, 0 or positive if the value is less than, equal to or greater than the
// literal.
bool holds(FilterOp op, int order) {
    switch (op) {
        case FilterOp::eq: return order == 0;
        case FilterOp::gt: return order > 0;
        case FilterOp::ge: return order >= 0;
        case FilterOp::lt: return order < 0;
        case FilterOp::le: return order <= 0;
        default: return false;
    }
}

template <class T>
int order_of(T a, T b) {
    return a < b ? -1 : a > b;
}

// Compares exactly, without converting either number to the type of the other.
int order_of(int64_t i, double d) {
    constexpr double limit = 9223372036854775808.0;  // 2^63
    if (d >= limit) return -1;
    if (d < -limit) return 1;
    int64_t whole = int64_t(d);
    if (i != whole) return i < whole ? -1 : 1;
    return -order_of(d - double(whole), 0.0);
}

bool number_matches(FilterOp op, const FilterValue &value, std::string_view json) {
    bool to_integer = value.kind == FilterValue::Kind::integer;
    int64_t i;
    if (read_number(json, i))
        return holds(op, to_integer ? order_of(i, value.integer) : order_of(i, value.decimal));
    double d;
    if (!read_number(json, d)) return false;
    return holds(op, to_integer ? -order_of(value.integer, d) : order_of(d, value.decimal));
}

// memmem() is linear in the worst case; std::string_view::find() is quadratic.
bool contains(std::string_view text, std::string_view part) {
    return part.empty() || memmem(text.data(), text.size(), part.data(), part.size());
}

bool key_matches(FilterOp op, std::string_view key, std::string_view wanted) {
    switch (op) {
        case FilterOp::eq: return key == wanted;
        case FilterOp::co: return contains(key, wanted);
        case FilterOp::sw: return key.substr(0, wanted.size()) == wanted;
        case FilterOp::ew:
            return key.size() >= wanted.size() && key.substr(key.size() - wanted.size()) == wanted;
        default: return holds(op, key.compare(wanted));
    }
}

// True if `key` is the key of `text`. REQUIRES: `text` is ASCII: then its key is its lower case,
// for both Matching::folded and Matching::username (text.cc).
bool ascii_key_is(std::string_view text, std::string_view key) {
    return text.size() == key.size() &&
           std::equal(text.begin(), text.end(), key.begin(),
                      [](char c, char k) { return ascii_lower(c) == k; });
}

// ---- Evaluation ----

class Evaluation {
  public:
    // The leaves for which terms are evaluated: of a whole resource, or of one element.
    struct Leaves {
        const Leaf *begin, *end;
        // The complex attribute of the element, if the leaves include its computed parts.
        const Attr *element = nullptr;
    };

    Evaluation(const Filter &filter, const FilterSubject &subject)
        : filter_(filter), subject_(subject), type_(*subject.type), buffers_(subject.buffers) {}

    bool satisfies(uint32_t index, const Leaves &leaves) const;

  private:
    bool some_element(const FilterNode &element, Leaves leaves) const;
    bool some_manager(const FilterNode &element, Leaves leaves) const;
    bool some_simple_element(const FilterNode &element, Leaves leaves) const;
    bool satisfies_term(const FilterNode &term, Leaves leaves) const;
    bool some_value(const FilterNode &term, FilterOp op, Leaves leaves) const;

    // Stored attributes.
    bool is_part(const Leaf &leaf, const Attr &complex) const {
        const Attr *attr = type_.by_number(leaf.attr);
        return attr && attr->parent == &complex;
    }
    bool is_assigned(const Attr &attr, Leaves leaves) const;
    bool is_present(const Attr &attr, Leaves leaves) const;
    bool value_matches(const FilterNode &term, FilterOp op, std::string_view json) const;
    bool string_matches(const FilterNode &term, FilterOp op, std::string_view json) const;
    bool text_matches(const FilterNode &term, FilterOp op, std::string_view text) const;

    // Computed attributes.
    bool computed_matches(const FilterNode &term, FilterOp op) const;
    bool some_row(const Attr &top, uint32_t parts, const Id *only,
                  const ComputedValues::Test &test) const {
        return subject_.computed && subject_.computed->some_element(top, parts, only, test);
    }
    bool rows_satisfy_term(const FilterNode &term) const;
    bool some_row_element(const FilterNode &element) const;
    uint32_t parts_in(uint32_t index) const;
    std::optional<Id> wanted_id(uint32_t index, const Attr &top) const;
    bool some_schema(const FilterNode &term, FilterOp op) const;
    bool meta_matches(const FilterNode &term, FilterOp op) const;

    const Filter &filter_;
    const FilterSubject &subject_;
    const TypeView &type_;
    FilterBuffers &buffers_;
};

// The recursion is as deep as the parentheses and brackets of the filter, because chains nest to
// the right.
bool Evaluation::satisfies(uint32_t index, const Leaves &leaves) const {
    for (;;) {
        const FilterNode &node = filter_.node(index);
        switch (node.kind) {
            case FilterNode::Kind::term: return satisfies_term(node, leaves);
            case FilterNode::Kind::element: return some_element(node, leaves);
            case FilterNode::Kind::negation: return !satisfies(node.left, leaves);
            case FilterNode::Kind::conjunction:
                if (!satisfies(node.left, leaves)) return false;
                break;
            case FilterNode::Kind::disjunction:
                if (satisfies(node.left, leaves)) return true;
                break;
        }
        index = node.right;
    }
}

// In canonical order the leaves of an element are adjacent.
bool Evaluation::some_element(const FilterNode &element, Leaves leaves) const {
    if (!element.attr) return false;
    const Attr &attr = *element.attr;
    if (is_of_rows(type_, attr)) return some_row_element(element);
    if (element.computed) return satisfies(element.left, {nullptr, nullptr});  // meta
    if (&attr == type_.manager) return some_manager(element, leaves);
    if (attr.has_simple_elements()) return some_simple_element(element, leaves);
    for (const Leaf *leaf = leaves.begin; leaf != leaves.end;) {
        const Leaf *first = leaf++;
        if (!is_part(*first, attr)) continue;
        while (leaf != leaves.end && leaf->element == first->element && is_part(*leaf, attr))
            leaf++;
        if (satisfies(element.left, {first, leaf})) return true;
    }
    return false;
}

// Each leaf is an element.
bool Evaluation::some_simple_element(const FilterNode &element, Leaves leaves) const {
    return std::any_of(leaves.begin, leaves.end, [&](const Leaf &leaf) {
        return leaf.attr == element.attr->number && satisfies(element.left, {&leaf, &leaf + 1});
    });
}

bool Evaluation::satisfies_term(const FilterNode &term, Leaves leaves) const {
    bool to_null = term.value.kind == FilterValue::Kind::null;
    if (!term.attr) return term.op == FilterOp::ne ? !to_null : to_null;
    bool is_given = term.attr->parent && term.attr->parent == leaves.element;
    if (!is_given && is_of_rows(type_, *term.attr)) return rows_satisfy_term(term);
    // A computed attribute always has a value, unless it is a part of the element in `leaves`.
    if (to_null) {
        bool assigned = (term.computed && !is_given) || is_assigned(*term.attr, leaves);
        return assigned == (term.op == FilterOp::ne);
    }
    if (term.op == FilterOp::pr)
        return (term.computed && !is_given) || is_present(*term.attr, leaves);
    // `ne` is true if no value of the attribute is equal: the same as not (… eq …).
    if (term.op == FilterOp::ne) return !some_value(term, FilterOp::eq, leaves);
    return some_value(term, term.op, leaves);
}

bool Evaluation::some_value(const FilterNode &term, FilterOp op, Leaves leaves) const {
    bool is_given = term.attr->parent && term.attr->parent == leaves.element;
    if (term.computed && !is_given) return computed_matches(term, op);
    for (const Leaf *leaf = leaves.begin; leaf != leaves.end; leaf++)
        if (leaf->attr == term.attr->number && value_matches(term, op, leaf->json)) return true;
    return false;
}

// ---- Stored attributes ----

bool Evaluation::is_assigned(const Attr &attr, Leaves leaves) const {
    return std::any_of(leaves.begin, leaves.end, [&](const Leaf &leaf) {
        return leaf.attr == attr.number || is_part(leaf, attr);
    });
}

// `pr` (RFC 7644 table 3): a non-empty value, or for a complex attribute a non-empty part that may
// be returned.
bool Evaluation::is_present(const Attr &attr, Leaves leaves) const {
    auto is_filled = [](std::string_view json) { return json != "\"\""; };
    return std::any_of(leaves.begin, leaves.end, [&](const Leaf &leaf) {
        bool is_meant =
            leaf.attr == attr.number ||
            (is_part(leaf, attr) && type_.by_number(leaf.attr)->def->returned != Returned::never);
        return is_meant && some_value_of(leaf.json, is_filled);
    });
}

bool Evaluation::value_matches(const FilterNode &term, FilterOp op, std::string_view json) const {
    const FilterValue &value = term.value;
    return some_value_of(json, [&](std::string_view one) {
        switch (value.kind) {
            case FilterValue::Kind::boolean: return one == (value.boolean ? "true" : "false");
            case FilterValue::Kind::integer:
            case FilterValue::Kind::decimal: return number_matches(op, value, one);
            case FilterValue::Kind::time:
            case FilterValue::Kind::key: return string_matches(term, op, one);
            default: return false;
        }
    });
}

bool Evaluation::string_matches(const FilterNode &term, FilterOp op, std::string_view json) const {
    if (json.size() < 2 || json.front() != '"' || json.back() != '"') return false;
    std::string_view text = json.substr(1, json.size() - 2);
    if (has_escape(text)) {
        buffers_.text.clear();
        if (!read_string(json, buffers_.text)) return false;
        text = buffers_.text;
    }
    if (term.value.kind == FilterValue::Kind::key) {
        const Matching matching = term.attr->matching;
        if (!is_key_made(text, matching)) return text_matches(term, op, text);
        return key_matches(op, buffers_.made.key(json.data(), text, matching), term.value.key);
    }
    auto time = parse_datetime(text);
    return time && holds(op, order_of(*time, term.value.integer));
}

bool Evaluation::text_matches(const FilterNode &term, FilterOp op, std::string_view text) const {
    const std::string &wanted = term.value.key;
    if (term.attr->matching == Matching::exact) return key_matches(op, text, wanted);
    if (op == FilterOp::eq && is_ascii(text)) return ascii_key_is(text, wanted);
    buffers_.key.clear();
    append_key(buffers_.key, term.attr->matching, text);
    return key_matches(op, buffers_.key, wanted);
}

// ---- Attributes that depend on other resources ----

// A term outside of brackets is true if any element satisfies it.
bool Evaluation::rows_satisfy_term(const FilterNode &term) const {
    const Attr &attr = *term.attr;
    auto exists = [](const Leaf *, const Leaf *) { return true; };
    if (!attr.parent) {  // groups and members themselves: pr, eq null, ne null
        bool is_negated = term.value.kind == FilterValue::Kind::null && term.op == FilterOp::eq;
        return some_row(attr, 0, nullptr, exists) != is_negated;
    }
    const Attr &top = *attr.parent;
    const bool to_null = term.value.kind == FilterValue::Kind::null;
    const bool is_negated = term.op == (to_null ? FilterOp::eq : FilterOp::ne);
    const FilterOp op = term.op == FilterOp::ne ? FilterOp::eq : term.op;
    if (op == FilterOp::eq && !to_null && top.computed && attr.def->name == "value") {
        auto id = parse_id(term.value.key);
        return (id && some_row(top, 0, &*id, exists)) != is_negated;
    }
    auto test = [&](const Leaf *begin, const Leaf *end) {
        Leaves one{begin, end, &top};
        if (op == FilterOp::pr) return is_present(attr, one);
        return to_null ? is_assigned(attr, one) : some_value(term, op, one);
    };
    return some_row(top, part_bit(attr), nullptr, test) != is_negated;
}

bool Evaluation::some_row_element(const FilterNode &element) const {
    auto test = [&](const Leaf *begin, const Leaf *end) {
        return satisfies(element.left, {begin, end, element.attr});
    };
    auto only = wanted_id(element.left, *element.attr);
    return some_row(*element.attr, parts_in(element.left), only ? &*only : nullptr, test);
}

// The parts (part_bit()) in the terms below a node.
uint32_t Evaluation::parts_in(uint32_t index) const {
    uint32_t parts = 0;
    for (;;) {
        const FilterNode &node = filter_.node(index);
        if (node.kind == FilterNode::Kind::term)
            return node.attr && node.attr->parent ? parts | part_bit(*node.attr) : parts;
        parts |= parts_in(node.left);
        if (node.kind == FilterNode::Kind::negation) return parts;
        index = node.right;
    }
}

// The id that the `value` of an element must equal for the node to be true; nullopt if there is no
// such id.
std::optional<Id> Evaluation::wanted_id(uint32_t index, const Attr &top) const {
    for (;; index = filter_.node(index).right) {
        const FilterNode &node = filter_.node(index);
        const FilterNode &first =
            node.kind == FilterNode::Kind::conjunction ? filter_.node(node.left) : node;
        bool is_equality = first.kind == FilterNode::Kind::term && first.op == FilterOp::eq &&
                           first.attr && first.attr->parent == &top &&
                           first.attr->def->name == "value";
        // A text that is not an id cannot be looked up: unless another term names an id, every
        // element is tested.
        if (is_equality)
            if (auto id = parse_id(first.value.key)) return id;
        if (node.kind != FilterNode::Kind::conjunction) return std::nullopt;
    }
}

// An element node for manager, some of whose parts are stored and some computed.
bool Evaluation::some_manager(const FilterNode &element, Leaves leaves) const {
    const Attr &attr = *element.attr;
    std::vector<Leaf> all;
    std::copy_if(leaves.begin, leaves.end, std::back_inserter(all),
                 [&](const Leaf &leaf) { return is_part(leaf, attr); });
    if (all.empty()) return false;
    auto satisfied = [&] {
        return satisfies(element.left, {all.data(), all.data() + all.size(), &attr});
    };
    auto test = [&](const Leaf *begin, const Leaf *end) {
        all.insert(all.end(), begin, end);
        return satisfied();
    };
    size_t stored = all.size();
    if (some_row(attr, parts_in(element.left), nullptr, test)) return true;
    return all.size() == stored && satisfied();
}

// ---- Computed attributes ----

bool Evaluation::computed_matches(const FilterNode &term, FilterOp op) const {
    if (term.attr == type_.schemas) return some_schema(term, op);
    if (term.attr == type_.id) {
        buffers_.text.clear();
        append_id(buffers_.text, subject_.id);
        return text_matches(term, op, buffers_.text);
    }
    return term.attr->parent == type_.meta && meta_matches(term, op);
}

bool Evaluation::some_schema(const FilterNode &term, FilterOp op) const {
    if (text_matches(term, op, type_.type.schema)) return true;
    for (size_t bit = 0; bit < type_.extension_bits.size(); bit++) {
        const std::string &urn = type_.extension_bits[bit];
        bool is_shown = (subject_.extensions >> bit & 1) && type_.find_extension(urn) == int(bit);
        if (is_shown && text_matches(term, op, urn)) return true;
    }
    return false;
}

bool Evaluation::meta_matches(const FilterNode &term, FilterOp op) const {
    const std::string &name = term.attr->def->name;
    if (name == "created" || name == "lastModified") {
        // A damaged record may contain any number.
        constexpr int64_t limit = INT64_MAX / 1000;
        int64_t time = name == "created" ? subject_.created : subject_.modified;
        time = std::clamp(time, -limit, limit) * 1000;
        return holds(op, order_of(time, term.value.integer));
    }
    std::string &text = buffers_.text;
    if (name == "resourceType") {
        text = type_.type.name;
    } else if (name == "location") {
        text = subject_.location_prefix;
        append_id(text, subject_.id);
    } else if (name == "version") {  // the same text as the ETag header
        char digits[20];
        auto end = std::to_chars(digits, digits + sizeof digits, subject_.version).ptr;
        text = "W/\"";
        text.append(digits, size_t(end - digits)) += '"';
    } else {
        return false;
    }
    return text_matches(term, op, text);
}

}  // namespace

void Filter::note_attributes(const TypeView &type) {
    stored_ = AttrSet(type.numbers_end());
    for (const FilterNode &node : nodes_) {
        if (!node.attr) continue;
        needs_rows_ |= is_of_rows(type, *node.attr);
        const Attr *top = node.attr->parent;
        // Only one id, alone or in a conjunction, is looked up; other filters test every element.
        if (node.kind == FilterNode::Kind::element && is_of_rows(type, *node.attr)) {
            auto inner = nodes_[node.left].kind;
            walks_rows_ |=
                inner != FilterNode::Kind::term && inner != FilterNode::Kind::conjunction;
        }
        bool is_term = node.kind == FilterNode::Kind::term;
        bool to_null = node.value.kind == FilterValue::Kind::null;
        // An id is looked up, and null is decided by the first element.
        bool is_equality = node.op == FilterOp::eq || node.op == FilterOp::ne;
        bool is_look_up = to_null || (is_equality && node.attr->def->name == "value");
        walks_rows_ |= is_term && top && (top == type.groups || top == type.members) && !is_look_up;
        // The name of the manager is read from another record, which may be long.
        walks_rows_ |= is_term && top == type.manager && node.attr->computed && !is_look_up &&
                       node.op != FilterOp::pr;
        needs_schemas_ |= node.attr == type.schemas;
        needs_version_ |= node.attr->parent == type.meta && node.attr->def->name == "version";
        if (node.computed) continue;
        stored_.add(node.attr->number);
        for (const Attr *part : node.attr->subs) stored_.add(part->number);
    }
}

bool Filter::matches(const FilterSubject &subject) const {
    subject.buffers.trim();
    const std::vector<Leaf> &leaves = *subject.leaves;
    Evaluation::Leaves all{leaves.data(), leaves.data() + leaves.size()};
    return Evaluation(*this, subject).satisfies(root_, all);
}

bool Filter::matches_element(const TypeView &type, const Leaf *begin, const Leaf *end) const {
    FilterSubject subject;
    subject.type = &type;
    return Evaluation(*this, subject).satisfies(node(root_).left, {begin, end});
}

}  // namespace scim
