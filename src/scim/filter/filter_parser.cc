// A recursive descent parser for the grammar in filter.h. The depth of the recursion is counted and
// bounded. Chains of `and` and `or` are parsed in a loop, and nest to the right so that they can be
// evaluated in a loop.

#include <optional>

#include "scim/filter/filter.h"
#include "scim/filter/filter_literal.h"
#include "scim/schema/quoted_path.h"
#include "scim/text/json.h"
#include "scim/text/text.h"
#include "scim/text/unicode.h"

namespace scim {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool ends_word(char c) {
    return is_blank(c) || c == '(' || c == ')' || c == '[' || c == ']' || c == '"';
}

constexpr FilterOp all_ops[] = {FilterOp::pr, FilterOp::eq, FilterOp::ne, FilterOp::co,
                                FilterOp::sw, FilterOp::ew, FilterOp::gt, FilterOp::ge,
                                FilterOp::lt, FilterOp::le};

std::optional<FilterOp> op_of(std::string_view word) {
    for (FilterOp op : all_ops)
        if (ascii_iequals(word, to_string(op))) return op;
    return std::nullopt;
}

// The attributes whose values filter.cc computes or reads through ComputedValues.
bool is_computed(const TypeView &type, const Attr &attr) {
    return attr.computed && (is_of_rows(type, attr) || &attr == type.schemas || &attr == type.id ||
                             &attr == type.meta || (attr.parent && attr.parent == type.meta));
}

// True if brackets may follow the attribute. The values of `schemas` are not stored, so it cannot
// have brackets.
bool has_elements(const TypeView &type, const Attr &attr) {
    return attr.def->type == AttrType::complex ||
           (attr.has_simple_elements() && &attr != type.schemas);
}

}  // namespace

// Not in the anonymous namespace, because it is a friend of Filter.
class FilterParser {
  public:
    FilterParser(const TypeView &type, std::string_view text, const FilterLimits &limits,
                 Dialect &dialect, UnknownNames unknown)
        : type_(type), text_(text), limits_(limits), dialect_(dialect), unknown_(unknown) {}

    Result<Filter> parse();

  private:
    using Node = Result<uint32_t>;  // index of a node

    // The grammar.
    Node disjunction();
    Node conjunction();
    Node negation();
    Node group();
    Node term();
    Node element(const Attr *attr, std::string_view path);
    Node condition(const Attr *attr);
    Outcome compare(FilterNode &node, size_t op_at);
    Node chain(FilterNode::Kind kind, std::string_view keyword, Node (FilterParser::*operand)());
    Result<bool> accept_keyword(std::string_view keyword);
    Outcome enter();

    // Names.
    Result<const Attr *> attribute();
    Outcome check_filterable(const Attr &attr, size_t at) const;
    Result<const Attr *> unprefixed(std::string_view path, size_t at);
    Error unknown(std::string_view path, size_t at) const;
    Result<const Attr *> compared(const Attr &attr, FilterOp op, size_t at);

    // Literals.
    Result<FilterLiteral> literal();
    Outcome read_quoted(FilterLiteral &out);

    // Text.
    bool at_end() const { return at_ == text_.size(); }
    bool next_is(char c) const { return !at_end() && text_[at_] == c; }
    bool skip_blanks();
    std::string_view peek_word() const;
    std::string_view take_word();
    Error wrong(Refusal refusal, size_t at, std::string_view sentence) const;
    Error expected(std::string_view what) const;
    Error expected_at(size_t at, std::string_view what) const;

    uint32_t add(FilterNode node) {
        node.computed = node.attr && is_computed(type_, *node.attr);
        filter_.nodes_.push_back(std::move(node));
        return uint32_t(filter_.nodes_.size() - 1);
    }

    const TypeView &type_;
    std::string_view text_;
    const FilterLimits &limits_;
    Dialect &dialect_;
    UnknownNames unknown_;

    size_t at_ = 0;
    size_t depth_ = 0;
    // Inside brackets: the attribute before them (nullptr if it is unknown) and its name.
    const Attr *element_ = nullptr;
    std::string_view element_path_;
    Filter filter_;
};

Result<Filter> Filter::parse(const TypeView &type, std::string_view text,
                             const FilterLimits &limits, Dialect &dialect, UnknownNames unknown) {
    return FilterParser(type, text, limits, dialect, unknown).parse();
}

Result<Filter> FilterParser::parse() {
    if (text_.size() > limits_.length)
        return Error{Refusal::filter_too_long, "the filter has " + std::to_string(text_.size()) +
                                                   " bytes; " + std::to_string(limits_.length) +
                                                   " are allowed"};
    if (size_t valid = utf8_prefix(text_); valid < text_.size())
        return wrong(Refusal::filter_encoding, valid, "the text is not UTF-8");
    skip_blanks();
    auto root = disjunction();
    RETURN_IF_ERROR(root);
    skip_blanks();
    if (!at_end()) return expected("\"and\", \"or\" or the end");
    filter_.root_ = *root;
    filter_.note_attributes(type_);
    return std::move(filter_);
}

// ---- The grammar ----

FilterParser::Node FilterParser::disjunction() {
    return chain(FilterNode::Kind::disjunction, "or", &FilterParser::conjunction);
}

FilterParser::Node FilterParser::conjunction() {
    return chain(FilterNode::Kind::conjunction, "and", &FilterParser::negation);
}

FilterParser::Node FilterParser::chain(FilterNode::Kind kind, std::string_view keyword,
                                       Node (FilterParser::*operand)()) {
    std::vector<uint32_t> operands;
    for (;;) {
        Node one = (this->*operand)();
        if (!one) return one;
        operands.push_back(*one);
        auto more = accept_keyword(keyword);
        RETURN_IF_ERROR(more);
        if (!*more) break;
    }
    uint32_t last = operands.back();
    for (size_t i = operands.size() - 1; i-- > 0;) {
        FilterNode node;
        node.kind = kind;
        node.left = operands[i];
        node.right = last;
        last = add(std::move(node));
    }
    return last;
}

// Reads SP keyword SP. Reads nothing if no blank or another word follows.
Result<bool> FilterParser::accept_keyword(std::string_view keyword) {
    size_t start = at_;
    if (!skip_blanks() || !ascii_iequals(peek_word(), keyword)) {
        at_ = start;
        return false;
    }
    at_ += keyword.size();
    if (!skip_blanks()) return expected("a blank after \"" + std::string(keyword) + "\"");
    return true;
}

FilterParser::Node FilterParser::negation() {
    if (!ascii_iequals(peek_word(), "not")) return next_is('(') ? group() : term();
    take_word();
    skip_blanks();
    if (!next_is('(')) return expected("\"(\" after \"not\"");
    Node operand = group();
    if (!operand) return operand;
    FilterNode node;
    node.kind = FilterNode::Kind::negation;
    node.left = *operand;
    return add(std::move(node));
}

// Enters "(" or "[" at the current position. The caller does `depth_--` behind the closing one.
Outcome FilterParser::enter() {
    if (++depth_ > limits_.depth)
        return wrong(Refusal::filter_too_deep, at_,
                     "parentheses and brackets are nested deeper than scim_max_filter_depth (" +
                         std::to_string(limits_.depth) + ") allows");
    at_++;
    skip_blanks();
    return Done{};
}

FilterParser::Node FilterParser::group() {
    RETURN_IF_ERROR(enter());
    Node inner = disjunction();
    if (!inner) return inner;
    skip_blanks();
    if (!next_is(')')) return expected("\"and\", \"or\" or \")\"");
    at_++;
    depth_--;
    return inner;
}

FilterParser::Node FilterParser::term() {
    size_t start = at_;
    auto attr = attribute();
    RETURN_IF_ERROR(attr);
    if (!next_is('[')) return condition(*attr);
    std::string_view path = text_.substr(start, at_ - start);
    if (*attr && !has_elements(type_, **attr))
        return wrong(Refusal::filter_brackets, at_,
                     "brackets cannot follow " + quoted(path) + ", which has no parts");
    if (!element_path_.empty())
        return wrong(Refusal::filter_brackets, at_, "brackets cannot be nested");
    return element(*attr, path);
}

// Called at the "[" behind an attribute that has elements.
FilterParser::Node FilterParser::element(const Attr *attr, std::string_view path) {
    RETURN_IF_ERROR(enter());
    element_ = attr;
    element_path_ = path;
    Node inner = disjunction();
    if (!inner) return inner;
    skip_blanks();
    if (!next_is(']')) return expected("\"and\", \"or\" or \"]\"");
    at_++;
    depth_--;
    if (next_is('.') && dialect_.accepts("value-path")) {
        at_++;
        auto part = attribute();
        RETURN_IF_ERROR(part);
        Node last = condition(*part);
        if (!last) return last;
        FilterNode both;
        both.kind = FilterNode::Kind::conjunction;
        both.left = *inner;
        both.right = *last;
        inner = add(std::move(both));
    }
    element_ = nullptr;
    element_path_ = {};
    FilterNode node;
    node.kind = FilterNode::Kind::element;
    node.attr = attr;
    node.left = *inner;
    return add(std::move(node));
}

// SP "pr" | SP op SP literal
FilterParser::Node FilterParser::condition(const Attr *attr) {
    constexpr std::string_view operators = "an operator (eq, ne, co, sw, ew, gt, ge, lt, le or pr)";
    if (!skip_blanks()) return expected("a blank and " + std::string(operators));
    size_t op_at = at_;
    auto op = op_of(take_word());
    if (!op) return expected_at(op_at, operators);
    if (filter_.terms_ == limits_.terms)
        return wrong(Refusal::filter_too_long, op_at,
                     "the filter has too many comparisons; " + std::to_string(limits_.terms) +
                         " are allowed");
    filter_.terms_++;

    FilterNode node;
    node.op = *op;
    node.attr = attr;
    if (*op != FilterOp::pr) RETURN_IF_ERROR(compare(node, op_at));
    return add(std::move(node));
}

// Called behind the operator of `node`: reads the literal and converts it for the attribute.
Outcome FilterParser::compare(FilterNode &node, size_t op_at) {
    // No blank is needed before a double quote: an example in RFC 7644 3.4.2.2 has none.
    if (!skip_blanks() && !next_is('"')) return expected("a blank and a value");
    size_t value_at = at_;
    auto what = literal();
    RETURN_IF_ERROR(what);
    if (what->kind == FilterLiteral::Kind::null) {
        if (node.op != FilterOp::eq && node.op != FilterOp::ne)
            return wrong(Refusal::filter_operator, op_at,
                         "null can only be compared with eq and ne");
        node.value.kind = FilterValue::Kind::null;
        node.value.json = "null";
        return Done{};
    }
    if (!node.attr) return Done{};  // an unknown attribute has no value to compare
    auto target = compared(*node.attr, node.op, op_at);
    RETURN_IF_ERROR(target);
    node.attr = *target;
    auto value = to_value(**target, *what, dialect_);
    if (!value)
        return wrong(Refusal::filter_value, value_at,
                     "\"" + (*target)->path + "\" is compared with " +
                         std::string(expected_literal((*target)->def->type)) + ", not with " +
                         quoted(what->text));
    node.value = std::move(*value);
    return Done{};
}

// ---- Names ----

// nullptr for an unknown attribute, if unknown attributes have no value.
Result<const Attr *> FilterParser::attribute() {
    const bool is_part = !element_path_.empty();
    size_t start = at_;
    std::string_view path = take_word();
    if (path.empty())
        return expected_at(start, is_part ? "the name of a part" : "the name of an attribute");
    const Attr *attr = nullptr;
    if (!is_part)
        attr = type_.find(path);
    else if (element_)
        attr = TypeView::find_part(*element_, path);
    if (!attr && !is_part) {
        auto found = unprefixed(path, start);
        if (!found) return found;
        attr = *found;
    }
    if (attr) {
        RETURN_IF_ERROR(check_filterable(*attr, start));
        return attr;
    }
    if (unknown_ == UnknownNames::refused) return unknown(path, start);
    filter_.unknown_.push_back(is_part ? std::string(element_path_).append(".").append(path)
                                       : std::string(path));
    return attr;
}

Error FilterParser::unknown(std::string_view path, size_t at) const {
    std::string owner = element_ ? "\"" + element_->path + "\"" : type_.type.name;
    return wrong(
        Refusal::filter_unknown_attribute, at,
        owner + " has no " + (element_ ? "part " : "attribute ") + quoted_path(type_, path));
}

Outcome FilterParser::check_filterable(const Attr &attr, size_t at) const {
    if (attr.hidden())
        return wrong(Refusal::filter_hidden_attribute, at,
                     "\"" + attr.path + "\" is never returned and cannot be used in a filter");
    return Done{};
}

// An extension's attribute that is named without its URN; nullptr if there is none.
Result<const Attr *> FilterParser::unprefixed(std::string_view path, size_t at) {
    auto [found, ambiguous] = type_.find_unprefixed(path);
    if (ambiguous)
        return wrong(Refusal::filter_ambiguous, at,
                     "several extensions have an attribute " + quoted(path) +
                         ", expected one with its URN such as \"" + found->path + "\"");
    if (!found) return found;
    if (!dialect_.accepts("unprefixed-extension"))
        return wrong(Refusal::filter_deviation, at,
                     "an extension's attribute is named with its URN, expected \"" + found->path +
                         "\" instead of " + quoted(path));
    return found;
}

// The attribute to whose values an operator is applied: for a complex attribute its part `value`.
Result<const Attr *> FilterParser::compared(const Attr &attr, FilterOp op, size_t at) {
    const Attr *target = &attr;
    if (attr.def->type == AttrType::complex) {
        target = TypeView::find_sub(attr, "value");
        // RFC 7644 3.4.2.2 has examples such as `emails co "x"`, for multi-valued attributes only.
        if (!target || !(attr.def->multi_valued || dialect_.accepts("bare-value")))
            return wrong(Refusal::filter_complex_attribute, at,
                         "\"" + attr.path +
                             "\" has parts, expected the name of one of them before \"" +
                             std::string(to_string(op)) + "\"");
        RETURN_IF_ERROR(check_filterable(*target, at));
    }
    if (!applies(op, target->def->type))
        return wrong(Refusal::filter_operator, at,
                     "\"" + std::string(to_string(op)) + "\" does not apply to \"" + target->path +
                         "\", which is of type " + std::string(to_string(target->def->type)));
    return target;
}

// ---- Literals ----

Result<FilterLiteral> FilterParser::literal() {
    FilterLiteral out;
    size_t start = at_;
    if (next_is('"')) {
        RETURN_IF_ERROR(read_quoted(out));
        return out;
    }
    std::string_view word = take_word();
    if (word.empty()) return expected("a value");
    if (word[0] == '\'') return expected_at(start, "a value in double quotes, not single ones");
    out.text = word;
    bool is_boolean = ascii_iequals(word, "true") || ascii_iequals(word, "false");
    out.kind = ascii_iequals(word, "null") ? FilterLiteral::Kind::null
               : is_boolean                ? FilterLiteral::Kind::boolean
               : is_json_number(word)      ? FilterLiteral::Kind::number
                                           : FilterLiteral::Kind::word;
    return out;
}

Outcome FilterParser::read_quoted(FilterLiteral &out) {
    size_t start = at_, end = start + 1;
    while (end < text_.size() && text_[end] != '"') end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) {
        at_ = text_.size();
        return expected("a double quote that ends the string");
    }
    at_ = end + 1;
    out.kind = FilterLiteral::Kind::string;
    if (!read_string(text_.substr(start, at_ - start), out.text))
        return wrong(Refusal::filter_syntax, start,
                     "the string is not a JSON string: a backslash must be followed by \", \\, /, "
                     "b, f, n, r, t or u and four hexadecimal digits, and control characters must "
                     "be escaped in this way");
    // No stored value contains U+0000 (json.h), and it terminates keys on disk.
    if (out.text.find('\0') != std::string::npos)
        return wrong(Refusal::filter_encoding, start,
                     "the string contains the character U+0000, which is not allowed");
    return Done{};
}

// ---- Text ----

bool FilterParser::skip_blanks() {
    size_t start = at_;
    while (!at_end() && is_blank(text_[at_])) at_++;
    return at_ > start;
}

std::string_view FilterParser::peek_word() const {
    size_t end = at_;
    while (end < text_.size() && !ends_word(text_[end])) end++;
    return text_.substr(at_, end - at_);
}

std::string_view FilterParser::take_word() {
    std::string_view word = peek_word();
    at_ += word.size();
    return word;
}

Error FilterParser::wrong(Refusal refusal, size_t at, std::string_view sentence) const {
    return Error{refusal, wrong_at("the filter", text_, at, sentence)};
}

Error FilterParser::expected(std::string_view what) const { return expected_at(at_, what); }

Error FilterParser::expected_at(size_t at, std::string_view what) const {
    std::string found = "the end";
    if (at < text_.size()) {
        size_t end = at + 1;  // the end of the word, or of the character that ends a word
        while (end < text_.size() && !ends_word(text_[at]) && !ends_word(text_[end])) end++;
        found = quoted(text_.substr(at, end - at));
    }
    return wrong(Refusal::filter_syntax, at, "expected " + std::string(what) + ", found " + found);
}

}  // namespace scim
