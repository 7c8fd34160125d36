#include "scim/filter/path.h"

#include <algorithm>

#include "scim/schema/quoted_path.h"
#include "scim/text/json.h"
#include "scim/text/name.h"
#include "scim/text/text.h"

namespace scim {

namespace {

// The characters of URNs (RFC 8141) and of names.
bool is_urn_character(char c) { return consists_of(std::string_view(&c, 1), "-._~%!$&'*+,;=:@/"); }

class PathParser {
  public:
    PathParser(const TypeView &type, std::string_view text, const PathLimits &limits,
               Dialect &dialect)
        : type_(type), text_(text), limits_(limits), dialect_(dialect) {}

    Result<std::optional<Path>> parse();

  private:
    // False: the attribute is unknown and ignored.
    Result<bool> name(std::string_view name);
    Result<const Attr *> unprefixed(std::string_view name);
    Outcome check_form(std::string_view name) const;
    Result<bool> unknown(std::string_view path);
    Outcome read_brackets(size_t end);
    Outcome read_member_brackets(size_t end);
    bool member_id(const FilterNode &node);
    Result<bool> part(std::string_view name);
    Error wrong(Refusal refusal, size_t at, std::string_view sentence) const;

    const TypeView &type_;
    std::string_view text_;
    const PathLimits &limits_;
    Dialect &dialect_;
    Path path_;
};

Error PathParser::wrong(Refusal refusal, size_t at, std::string_view sentence) const {
    return Error(refusal, wrong_at("the path " + quoted_path(type_, text_), text_, at, sentence));
}

Result<std::optional<Path>> PathParser::parse() {
    if (text_.size() > limits_.length)
        return Error{Refusal::path_too_long, "the path has " + std::to_string(text_.size()) +
                                                 " bytes; " + std::to_string(limits_.length) +
                                                 " are allowed"};
    const size_t open = text_.find('[');
    auto known = name(text_.substr(0, open));
    RETURN_IF_ERROR(known);
    if (open == text_.npos) return *known ? std::optional(std::move(path_)) : std::nullopt;

    const Brackets brackets = find_brackets(text_, open);
    if (brackets.close == text_.size())
        return wrong(
            Refusal::path_syntax, brackets.close,
            brackets.in_string ? "expected a double quote that ends the string" : "expected \"]\"");
    const size_t end = brackets.close + 1;
    if (*known) RETURN_IF_ERROR(read_brackets(end));
    if (end == text_.size()) return *known ? std::optional(std::move(path_)) : std::nullopt;
    if (text_[end] != '.' || !is_sub_attribute_name(text_.substr(end + 1)))
        return wrong(Refusal::path_syntax, end,
                     "expected \".\" and the name of a part, or the end");
    if (!*known) return std::optional<Path>();
    known = part(text_.substr(end + 1));
    RETURN_IF_ERROR(known);
    return *known ? std::optional(std::move(path_)) : std::nullopt;
}

// Names

Result<bool> PathParser::name(std::string_view name) {
    const Attr *attr = type_.find(name);
    if (!attr) {
        path_.extension = type_.find_extension(name);
        if (path_.extension >= 0) return true;
        auto found = unprefixed(name);
        RETURN_IF_ERROR(found);
        attr = *found;
    }
    if (!attr) {
        RETURN_IF_ERROR(check_form(name));
        return unknown(name);
    }
    path_.attr = &attr->top();
    path_.part = attr->parent ? attr : nullptr;
    return true;
}

// An extension's attribute that is named without its URN; nullptr if there is none.
Result<const Attr *> PathParser::unprefixed(std::string_view name) {
    auto [found, ambiguous] = type_.find_unprefixed(name);
    if (ambiguous)
        return wrong(Refusal::path_ambiguous, 0,
                     "several extensions have an attribute " + quoted(name) +
                         ", expected one with its URN such as \"" + found->path + "\"");
    if (!found) return found;
    // If brackets follow, the filter is parsed together with the name, which reports the deviation.
    if (!dialect_.strict() && text_.find('[') != text_.npos) return found;
    RETURN_IF_ERROR(dialect_.deviation("unprefixed-extension",
                                       "the path " + quoted_path(type_, text_) +
                                           " lacks the URN of an extension: send \"" + found->path +
                                           "\"",
                                       Refusal::path_deviation));
    return found;
}

// Unknown attributes are ignored, so it is only checked that the name is well-formed.
Outcome PathParser::check_form(std::string_view name) const {
    if (name.empty()) return wrong(Refusal::path_syntax, 0, "expected the name of an attribute");
    const auto bad = std::find_if_not(name.begin(), name.end(), is_urn_character);
    if (bad != name.end())
        return wrong(Refusal::path_syntax, size_t(bad - name.begin()),
                     "this character is not allowed in the name of an attribute");
    const size_t colon = name.rfind(':');
    if (colon != name.npos) {
        if (!ascii_iequals(name.substr(0, 4), "urn:") || colon + 1 == name.size())
            return wrong(Refusal::path_syntax, 0, "expected the name of an attribute, or a URN");
        return Done{};
    }
    const size_t dot = name.find('.');
    if (!is_attribute_name(name.substr(0, dot)))
        return wrong(Refusal::path_syntax, 0, "expected the name of an attribute");
    if (dot != name.npos && !is_sub_attribute_name(name.substr(dot + 1)))
        return wrong(Refusal::path_syntax, dot + 1, "expected the name of a part");
    return Done{};
}

Result<bool> PathParser::unknown(std::string_view path) {
    if (auto r = dialect_.unknown_attribute(type_, path); !r)
        return Error{Refusal::path_unknown_attribute, r.error().detail};
    return false;
}

Result<bool> PathParser::part(std::string_view name) {
    const Attr *found = TypeView::find_part(*path_.attr, name);
    path_.part = found == path_.attr ? nullptr : found;
    if (found) return true;
    return unknown(path_.attr->path + "." + std::string(name));
}

// Brackets

// `end` is the position behind the closing bracket.
Outcome PathParser::read_brackets(size_t end) {
    const size_t open = text_.find('[');
    if (!path_.attr)
        return wrong(Refusal::path_brackets, open,
                     "brackets cannot follow the URN of an extension");
    if (path_.part ||
        !(path_.attr->def->type == AttrType::complex || path_.attr->has_simple_elements()))
        return wrong(
            Refusal::path_brackets, open,
            "brackets cannot follow " + quoted(text_.substr(0, open)) + ", which has no parts");
    if (path_.attr == type_.members) return read_member_brackets(end);
    if (!path_.attr->def->multi_valued)
        if (auto r = dialect_.deviation("filter-on-singular",
                                        "the path " + quoted_path(type_, text_) +
                                            " selects an element of \"" + path_.attr->path +
                                            "\", which is not multi-valued",
                                        Refusal::path_deviation);
            !r)
            return r;
    if (path_.attr->computed) return Done{};  // refused or ignored later, whatever the filter is
    // Parsed together with the attribute, so that positions in errors are those in the path.
    auto filter = Filter::parse(type_, text_.substr(0, end), limits_.filter, dialect_);
    RETURN_IF_ERROR(filter);
    path_.filter = std::move(*filter);
    return Done{};
}

// Adds the id in a node `value eq "…"`; false for any other node. Other terms, such as on `type`,
// depend on the stored members, which are not read here, and ignoring such a term would remove
// members that the filter excludes.
bool PathParser::member_id(const FilterNode &node) {
    std::string text;
    if (node.kind != FilterNode::Kind::term || node.op != FilterOp::eq || !node.attr ||
        node.attr->def->name != "value" || node.value.kind != FilterValue::Kind::key ||
        !read_string(node.value.json, text))
        return false;
    path_.member_ids->push_back(std::move(text));
    return true;
}

// Parses `value eq "…" or value eq "…"`.
Outcome PathParser::read_member_brackets(size_t end) {
    auto filter = Filter::parse(type_, text_.substr(0, end), limits_.filter, dialect_);
    RETURN_IF_ERROR(filter);
    path_.member_ids.emplace();
    std::vector<uint32_t> left{filter->node(filter->root()).left};
    while (!left.empty()) {
        const FilterNode &node = filter->node(left.back());
        left.pop_back();
        if (node.kind == FilterNode::Kind::disjunction)
            left.insert(left.end(), {node.right, node.left});
        else if (!member_id(node))
            return wrong(Refusal::member_filter, text_.find('[') + 1,
                         "members can only be selected by value, expected members[value eq \"…\"]");
    }
    return Done{};
}

}  // namespace

Result<std::optional<Path>> parse_path(const TypeView &type, std::string_view text,
                                       const PathLimits &limits, Dialect &dialect) {
    return PathParser(type, text, limits, dialect).parse();
}

}  // namespace scim
