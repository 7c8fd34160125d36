#include "scim/resource/dialect.h"

#include "scim/text/text.h"

namespace scim {

namespace {

constexpr std::string_view scim_1_prefix = "urn:scim:schemas:";

bool has_prefix(std::string_view s, std::string_view prefix) {
    return ascii_iequals(s.substr(0, prefix.size()), prefix);
}

bool is_empty_string(const json_t *value) {
    return json_is_string(value) && json_string_length(value) == 0;
}

// True for the JSON of an array, which cannot be meant as a value.
bool is_array_text(std::string_view text) {
    const size_t start = text.find_first_not_of(" \t\r\n");
    if (start == text.npos || text[start] != '[') return false;
    return bool(parse_json("{\"array\":" + std::string(text) + "}", JsonLimits()));
}

// One URN of "schemas". SCIM 1.1 gives some attribute names another meaning, so its messages are
// refused; the error says to send `wanted`.
Result<std::string_view> read_urn(const json_t *urn, std::string_view wanted) {
    if (!json_is_string(urn))
        return Error{Refusal::schemas_form,
                     "\"schemas\" must contain strings, not " + std::string(kind_of(urn))};
    const std::string_view text = text_of(urn);
    if (has_prefix(text, scim_1_prefix))
        return Error{Refusal::scim_1,
                     quoted(text) +
                         " in \"schemas\" is SCIM 1.1; this server speaks SCIM 2.0: send \"" +
                         std::string(wanted) + "\""};
    return text;
}

const Attr *value_part(const Attr &complex) { return TypeView::find_sub(complex, "value"); }

}  // namespace

Outcome Dialect::deviation(std::string_view name, std::string detail, Refusal refusal) {
    if (!accepts(name)) return Error{refusal, std::move(detail)};
    return Done{};
}

bool Dialect::accepts(std::string_view name) {
    if (!strict_) report_.rewrote(name);
    return !strict_;
}

// "schemas"

Result<uint32_t> Dialect::schemas(const TypeView &type, const json_t *schemas) {
    auto refusal = [&](std::string rest) {
        return "\"schemas\" must be an array that contains \"" + type.type.schema + "\"" +
               std::move(rest);
    };
    uint32_t extensions = 0;
    bool base = false;
    if (!is_assigned(schemas)) {
        RETURN_IF_ERROR(deviation("schemas-missing", refusal(", and it is missing")));
        return extensions;
    }
    std::optional<Elements> urns = elements(schemas);
    if (!urns)
        return Error{Refusal::schemas_form, refusal(", not " + std::string(kind_of(schemas)))};
    for (size_t i = 0; i < urns->size(); i++)
        RETURN_IF_ERROR(one_schema(type, (*urns)[i], extensions, base));
    if (!base) RETURN_IF_ERROR(deviation("schemas-incomplete", refusal("")));
    return extensions;
}

Outcome Dialect::added_schemas(const TypeView &type, const json_t *schemas) {
    std::optional<Elements> urns = elements(schemas);
    if (!urns)
        return Error{Refusal::schemas_form,
                     "\"schemas\" must be an array, not " + std::string(kind_of(schemas))};
    uint32_t extensions = 0;
    bool base = false;
    for (size_t i = 0; i < urns->size(); i++)
        if (auto r = one_schema(type, (*urns)[i], extensions, base); !r) return r;
    return Done{};
}

bool Dialect::some_schema(const TypeView &type, const json_t *schemas) {
    const Elements urns(schemas);
    for (size_t i = 0; i < urns.size(); i++) {
        const std::string_view urn = text_of(urns[i]);
        if (ascii_iequals(urn, type.type.schema) || type.find_extension(urn) >= 0) return true;
    }
    return false;
}

Outcome Dialect::one_schema(const TypeView &type, const json_t *urn, uint32_t &extensions,
                            bool &base) {
    const auto read = read_urn(urn, type.type.schema);
    RETURN_IF_ERROR(read);
    const std::string_view text = *read;
    const int bit = type.find_extension(text);
    const bool is_base = ascii_iequals(text, type.type.schema);
    if (!is_base && bit < 0)
        return deviation("unknown-schema",
                         quoted(text) + " in \"schemas\" is not a schema of " + type.type.name);
    const bool seen = is_base ? base : (extensions >> bit & 1) != 0;
    if (is_base)
        base = true;
    else
        extensions |= uint32_t(1) << bit;
    if (seen) return deviation("duplicate-schema", quoted(text) + " is in \"schemas\" twice");
    return Done{};
}

Outcome Dialect::message_schemas(std::string_view urn, const json_t *schemas) {
    const std::string wanted =
        "\"schemas\" must be an array that contains \"" + std::string(urn) + "\"";
    if (!is_assigned(schemas)) return deviation("schemas-missing", wanted + ", and it is missing");
    std::optional<Elements> urns = elements(schemas);
    if (!urns)
        return Error{Refusal::schemas_form, wanted + ", not " + std::string(kind_of(schemas))};
    bool found = false;
    for (size_t i = 0; i < urns->size(); i++) {
        const auto read = read_urn((*urns)[i], urn);
        RETURN_IF_ERROR(read);
        if (ascii_iequals(*read, urn)) {
            found = true;
            continue;
        }
        if (auto r = deviation("unknown-schema",
                               quoted(*read) + " in \"schemas\" is not the schema of this message");
            !r)
            return r;
    }
    if (!found) return deviation("schemas-incomplete", wanted);
    return Done{};
}

Outcome Dialect::unannounced_extension(std::string_view urn) {
    return deviation("extension-not-in-schemas",
                     "the body has an object " + quoted(urn) + ", but \"schemas\" lacks that URN");
}

Outcome Dialect::unknown_attribute(const TypeView &type, std::string_view path) {
    if (strict_)
        return Error{Refusal::attribute_unknown,
                     type.type.name + " has no attribute " + quoted(path)};
    report_.ignored(path);
    return Done{};
}

// Values

std::optional<bool> Dialect::boolean(const json_t *value) {
    if (json_is_boolean(value)) return json_is_true(value);
    if (!json_is_string(value)) return std::nullopt;
    const bool yes = ascii_iequals(text_of(value), "true");
    if (!yes && !ascii_iequals(text_of(value), "false")) return std::nullopt;
    return accepts("string-boolean") ? std::optional(yes) : std::nullopt;
}

Json Dialect::number(AttrType type, const json_t *value) {
    if (!json_is_string(value) || !is_json_number(text_of(value))) return Json();
    const std::string_view text = text_of(value);
    int64_t integer;
    double decimal;
    Json number;
    if (read_number(text, integer))
        number = made(json_integer(integer));
    else if (type == AttrType::decimal && read_number(text, decimal))
        number = made(json_real(decimal));
    return number && accepts("string-number") ? std::move(number) : Json();
}

Json Dialect::object_in_text(const Attr &complex, const json_t *string) {
    constexpr size_t limit = 64 * 1024;  // bytes
    const std::string_view text = text_of(string);
    const size_t start = text.find_first_not_of(" \t\r\n");
    if (start == text.npos || text[start] != '{' || text.size() > limit) return Json();
    auto object = parse_json(text, JsonLimits());
    if (!object) return Json();
    const char *key;
    json_t *value;
    json_object_foreach(object->get(), key, value) {
        if (!TypeView::find_sub(complex, key)) continue;
        return accepts("json-text") ? std::move(*object) : Json();
    }
    return Json();
}

const json_t *Dialect::only_object(const json_t *value) {
    const json_t *only = json_array_size(value) == 1 ? json_array_get(value, 0) : nullptr;
    return json_is_object(only) && accepts("array-of-one") ? only : value;
}

std::optional<Elements> Dialect::elements(const json_t *value) {
    if (!json_is_array(value) && !accepts("single-value")) return std::nullopt;
    return Elements(value);
}

const json_t *Dialect::singular(const Attr &complex, const json_t *value) {
    const bool wrapped = json_is_array(value) && json_array_size(value) == 1;
    if (!wrapped || !value_part(complex) || !accepts("array-of-one")) return value;
    return json_array_get(value, 0);
}

const Attr *Dialect::bare_value(const Attr &complex, const json_t *value) {
    const Attr *part = json_is_string(value) ? value_part(complex) : nullptr;
    if (part && is_array_text(text_of(value))) return nullptr;
    return part && accepts("bare-value") ? part : nullptr;
}

Outcome Dialect::remove_with_value() {
    return deviation(
        "remove-with-value",
        "a remove must not have a \"value\": its path selects what is removed, with a filter if "
        "necessary",
        Refusal::value_deviation);
}

bool Dialect::unassigns(const Attr &part, const json_t *value) {
    if (!is_empty_string(value) || !part.parent) return false;
    const Attr &complex = *part.parent;
    const bool reference = !complex.def->multi_valued && &part == value_part(complex) &&
                           TypeView::find_sub(complex, "$ref");
    return reference && accepts("empty-reference");
}

}  // namespace scim
