// The reader follows the two levels of the schema; it does not recurse over the client's JSON.

#include "scim/resource/value_reader.h"

#include <algorithm>
#include <unordered_set>

#include "scim/resource/element_index.h"
#include "scim/resource/reference.h"
#include "scim/text/datetime.h"
#include "scim/text/text.h"
#include "scim/text/unicode.h"

namespace scim {

namespace {

// Bounds of one value in bytes. The size of the body is bounded before.
constexpr size_t max_string = 64 * 1024;
constexpr size_t max_large_string = 1024 * 1024;  // for binary values, and photos as data: URLs

}  // namespace

// The place of a value: "emails[0].value". Elements are counted from 0, nulls included.
struct ValueReader::Place {
    const Attr &attr;
    std::optional<size_t> element;

    std::string text() const {
        std::string out = "\"" + attr.top().path;
        if (element) out += "[" + std::to_string(*element) + "]";
        if (attr.parent) out += "." + attr.def->name;
        return out + "\"";
    }

    Error wrong(std::string_view expected, std::string_view got) const {
        return Error{Refusal::value_type,
                     text() + " must be " + std::string(expected) + ", not " + std::string(got)};
    }
    Error wrong(std::string_view expected, const json_t *got) const {
        return wrong(expected, kind_of(got));
    }
};

namespace {

std::string_view expected_form(AttrType type) {
    switch (type) {
        case AttrType::string: return "a string";
        case AttrType::boolean: return "true or false";
        case AttrType::decimal: return "a number";
        case AttrType::integer: return "a number without fraction and exponent";
        case AttrType::date_time:
            return "a string with date and time such as \"2026-11-21T10:00:00Z\", of a year from "
                   "-290000 to 290000";
        case AttrType::binary: return "a base64 string";
        case AttrType::reference: return "a string with a URI";
        case AttrType::complex: return "an object";
    }
    return "";
}

// How an error shows the value that was sent for a simple attribute. If a boolean or a number is
// expected, the value itself, which is neither long nor secret; otherwise, and for an attribute
// that is never returned, only its JSON type.
std::string shown(const Attr &attr, const json_t *value) {
    const AttrType type = attr.def->type;
    const bool plain =
        type == AttrType::boolean || type == AttrType::decimal || type == AttrType::integer;
    if (!plain || attr.never_returned()) return std::string(kind_of(value));
    if (json_is_string(value)) return quoted(text_of(value));
    if (!json_is_number(value)) return std::string(kind_of(value));
    std::string out;
    write_value(out, value);
    return out;
}

// RFC 4648 4; the padding may be omitted (RFC 7643 2.3.6).
bool is_base64(std::string_view s) {
    size_t padding = 0;
    while (padding < 2 && padding < s.size() && s[s.size() - 1 - padding] == '=') padding++;
    if (padding && s.size() % 4 != 0) return false;
    s.remove_suffix(padding);
    for (char c : s) {
        bool good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                    c == '+' || c == '/';
        if (!good) return false;
    }
    return s.size() % 4 != 1;
}

// True if the text has only characters of a URI reference, and "%" only before two hexadecimal digits
// (RFC 3986 2).
bool is_uri_reference(std::string_view s) {
    constexpr std::string_view punctuation = "-._~:/?#[]@!$&'()*+,;=";
    auto is_hex = [&](size_t i) { return i < s.size() && hex_value(ascii_lower(s[i])) >= 0; };
    for (size_t i = 0; i < s.size(); i++) {
        const bool is_escape = s[i] == '%' && is_hex(i + 1) && is_hex(i + 2);
        if (!is_letter(s[i]) && !is_digit(s[i]) && !is_escape &&
            punctuation.find(s[i]) == punctuation.npos)
            return false;
    }
    return true;
}

// Writes the value of a decimal attribute: equal numbers as equal texts.
void write_decimal_of(std::string &out, const json_t *number) {
    if (json_is_integer(number)) return write_integer_as_decimal(out, json_integer_value(number));
    const double value = json_real_value(number);
    write_decimal(out, value == 0 ? 0 : value);  // no -0.0
}

}  // namespace

Outcome ValueReader::collect_parts(const Attr &attr, const json_t *object) {
    const char *key;
    size_t size;
    json_t *value;
    json_object_keylen_foreach(const_cast<json_t *>(object), key, size, value) {
        const std::string_view name(key, size);
        if (const Attr *sub = TypeView::find_sub(attr, name)) {
            parts_[sub->rank] = value;
        } else {
            std::string path = attr.path + "." + std::string(name);
            if (auto r = dialect_.unknown_attribute(type_, path); !r) return r;
        }
    }
    return Done{};
}

Outcome ValueReader::read_attribute(const Attr &attr, const json_t *value) {
    // Ignored without a check of its type (RFC 7643 7, readOnly). A password is not stored.
    if (attr.computed || attr.discarded) return Done{};
    if (attr.def->multi_valued) return read_list(attr, value);
    element_ = 0;
    if (attr.def->type == AttrType::complex)
        return read_complex(attr, value, std::nullopt, nullptr);
    return read_part(attr, value, std::nullopt);
}

Outcome ValueReader::read_object(const Attr &attr, const json_t *value, Parts &parts) {
    element_ = 0;
    return read_complex(attr, value, std::nullopt, &parts);
}

Outcome ValueReader::read_simple(const Attr &attr, const json_t *value) {
    element_ = 0;
    return read_part(attr, value, std::nullopt);
}

Outcome ValueReader::check_size(const Attr &attr, const Elements &elements) const {
    if (elements.size() <= max_elements) return Done{};
    return Error{Refusal::too_many_elements, Place{attr, {}}.text() + " has " +
                                                 std::to_string(elements.size()) + " elements; " +
                                                 std::to_string(max_elements) + " are allowed"};
}

template <class Then>
Outcome ValueReader::each_element(const Attr &attr, const json_t *value, Then then) {
    const auto elements = dialect_.elements(value);
    if (!elements) return Place{attr, {}}.wrong("an array", value);
    if (auto r = check_size(attr, *elements); !r) return r;
    for (size_t i = 0; i < elements->size(); i++) {
        const json_t *element = (*elements)[i];
        if (json_is_null(element)) continue;
        const size_t first = out_.leaves.size();
        auto r = attr.def->type == AttrType::complex ? read_complex(attr, element, i, nullptr)
                                                     : read_part(attr, element, i);
        if (!r) return r;
        if (first == out_.leaves.size()) continue;  // no part is assigned: no element
        if (r = then(i, first); !r) return r;
    }
    return Done{};
}

Outcome ValueReader::read_list(const Attr &attr, const json_t *value) {
    element_ = 0;
    ElementIndex index(attr);
    auto is_primary = [&](const Leaf &leaf) { return index.is_primary(leaf); };
    std::optional<uint32_t> primary;
    auto r = each_element(attr, value, [&](size_t i, size_t first) -> Outcome {
        const uint32_t number = index.number_last(out_.leaves, first);
        const auto leaves = out_.leaves.begin() + std::ptrdiff_t(first);
        if (std::none_of(leaves, out_.leaves.end(), is_primary)) return Done{};
        if (primary && *primary != number)
            return Error{Refusal::primary_twice,
                         Place{attr, i}.text() +
                             " is the second element with \"primary\": true; at most one is "
                             "allowed"};
        primary = number;
        return Done{};
    });
    if (r) index.merge(type_, out_.leaves);
    return r;
}

Outcome ValueReader::read_descriptions(const Attr &attr, const json_t *value) {
    element_ = 0;
    return each_element(attr, value, [&](size_t, size_t) -> Outcome {
        element_++;
        return Done{};
    });
}

// The element of a simple multi-valued attribute in the object {"value": "x"}, in which Entra ID
// sends it. Any other element is returned unchanged.
Result<const json_t *> ValueReader::unwrap(const Attr &attr, const json_t *element) {
    const json_t *value = member_of(element, "value");
    if (!value || !dialect_.accepts("value-object")) return element;
    const char *key;
    json_t *one;
    json_object_foreach(const_cast<json_t *>(element), key, one) {
        if (one == value) continue;
        RETURN_IF_ERROR(dialect_.unknown_attribute(type_, attr.path + "." + key));
    }
    return value;
}

// Sets the part `value` from a `$ref` that is sent without it. parts_ points into the result.
Json ValueReader::read_reference(const Attr &attr) {
    const Attr *ref = TypeView::find_sub(attr, "$ref"), *value = TypeView::find_sub(attr, "value");
    if (!ref || !value || parts_[value->rank]) return Json();
    Json id = referenced_value(type_, *ref, parts_[ref->rank]);
    if (id) parts_[value->rank] = id.get();
    return id;
}

Outcome ValueReader::read_complex(const Attr &attr, const json_t *value,
                                  std::optional<size_t> place, Parts *parts) {
    if (!place) value = dialect_.singular(attr, value);
    Json in_text;
    if (json_is_string(value)) in_text = dialect_.object_in_text(attr, value);
    if (in_text) value = in_text.get();
    for (const Attr *sub : attr.subs) parts_[sub->rank] = nullptr;
    if (json_is_object(value)) {
        if (auto r = collect_parts(attr, value); !r) return r;
    } else if (const Attr *bare = dialect_.bare_value(attr, value)) {
        parts_[bare->rank] = value;
    } else if (!json_is_null(value)) {
        return Place{attr, place}.wrong(expected_form(AttrType::complex), value);
    }
    const Json referenced = read_reference(attr);
    report_unused(attr);
    const size_t first = out_.leaves.size();
    for (const Attr *sub : attr.subs) {
        const json_t *sent = parts_[sub->rank];
        if (!sent || !sub->stored()) continue;
        if (parts) parts->named = true;
        if (!is_assigned(sent)) {
            if (parts) parts->unassigned.push_back(sub);
            continue;
        }
        if (dialect_.unassigns(*sub, sent)) {
            out_.leaves.resize(first);
            if (parts) parts->emptied = true;
            return Done{};
        }
        if (auto r = read_part(*sub, sent, place); !r) return r;
    }
    return Done{};
}

// Reports a manager.$ref that contains no id, if no other stored part is sent. readOnly parts are
// not reported, because clients send back what they have read.
void ValueReader::report_unused(const Attr &attr) {
    const auto sent = [&](const Attr *sub) { return parts_[sub->rank] != nullptr; };
    for (const Attr *sub : attr.subs)
        if (sub->stored() && sent(sub)) return;
    for (const Attr *sub : attr.subs)
        if (sub->computed && sub->def->mutability != Mutability::read_only && sent(sub) &&
            is_assigned(parts_[sub->rank]))
            dialect_.report().ignored(sub->path);
}

// Reads one leaf: a simple value, or all values of a multi-valued sub-attribute.
Outcome ValueReader::read_part(const Attr &attr, const json_t *value, std::optional<size_t> place) {
    const Place at{attr, place};
    text_.clear();
    if (!attr.parent || !attr.def->multi_valued) {
        if (attr.def->multi_valued && json_is_object(value)) {
            auto element = unwrap(attr, value);
            RETURN_IF_ERROR(element);
            if (json_is_null(*element)) return Done{};
            value = *element;
        }
        if (auto r = read_scalar(at, value, text_); !r) return r;
        add_leaf(attr);
        return Done{};
    }
    const auto elements = dialect_.elements(value);
    if (!elements) return at.wrong("an array", value);
    if (auto r = check_size(attr, *elements); !r) return r;
    std::unordered_set<std::string> seen;
    std::string one;
    for (size_t i = 0; i < elements->size(); i++) {
        auto element = unwrap(attr, (*elements)[i]);
        RETURN_IF_ERROR(element);
        if (json_is_null(*element)) continue;
        one.clear();
        if (auto r = read_scalar(at, *element, one); !r) return r;
        if (!seen.insert(one).second) continue;
        text_ += text_.empty() ? '[' : ',';
        text_ += one;
    }
    if (text_.empty()) return Done{};
    text_ += ']';
    add_leaf(attr);
    return Done{};
}

// Simple values

Outcome ValueReader::read_scalar(const Place &place, const json_t *value, std::string &out) {
    const AttrType type = place.attr.def->type;
    Json number;
    if (type == AttrType::integer || type == AttrType::decimal)
        number = dialect_.number(type, value);
    if (number) value = number.get();
    if (type == AttrType::boolean) {
        if (const auto b = dialect_.boolean(value)) {
            out += *b ? "true" : "false";
            return Done{};
        }
    } else if (type == AttrType::integer && json_is_integer(value)) {
        write_integer(out, json_integer_value(value));
        return Done{};
    } else if (type == AttrType::decimal && json_is_number(value)) {
        write_decimal_of(out, value);
        return Done{};
    } else if (type != AttrType::integer && type != AttrType::decimal && json_is_string(value)) {
        if (auto r = check_string(place, text_of(value)); !r) return r;
        write_string(out, text_of(value));
        return Done{};
    }
    return place.wrong(expected_form(type), shown(place.attr, value));
}

Outcome ValueReader::check_string(const Place &place, std::string_view value) const {
    const Attr &attr = place.attr;
    const bool photo = attr.extension < 0 && attr.path == "photos.value";
    const size_t limit =
        photo || attr.def->type == AttrType::binary ? max_large_string : max_string;
    if (value.size() > limit)
        return Error{Refusal::value_too_long, place.text() + " has " +
                                                  std::to_string(value.size()) + " bytes; " +
                                                  std::to_string(limit) + " are allowed"};
    const bool must_not_be_blank =
        attr.def->required && attr.parent == nullptr && attr.def->type == AttrType::string;
    if (must_not_be_blank && is_blank(value))
        return Error{Refusal::required_missing,
                     place.text() + " is required and must not be blank"};
    const bool good = attr.def->type == AttrType::date_time ? parse_datetime(value).has_value()
                      : attr.def->type == AttrType::binary  ? is_base64(value)
                                                            : true;
    if (attr.def->type == AttrType::reference && !is_uri_reference(value))
        return dialect_.deviation("invalid-uri",
                                  place.text() + " must be a URI; " +
                                      (attr.never_returned() ? "it" : quoted(value)) +
                                      " has characters that must be percent-encoded",
                                  Refusal::value_deviation);
    if (good) return Done{};
    // Values that are never returned are not quoted in errors; binary values would not be readable.
    const bool silent = attr.def->type == AttrType::binary || attr.never_returned();
    const std::string got = silent ? "" : ", not " + quoted(value);
    return Error{Refusal::value_format,
                 place.text() + " must be " + std::string(expected_form(attr.def->type)) + got};
}

}  // namespace scim
