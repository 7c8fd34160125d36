// The loader of Schema and ResourceType definitions.
//
// Operators write definitions, so the loader checks them for mistakes: it refuses what the server
// cannot enforce and reports the first problem in one sentence.

#include "scim/schema/schema.h"

#include <algorithm>
#include <optional>
#include <set>

#include "scim/schema/endpoint.h"
#include "scim/text/name.h"
#include "scim/text/nearest.h"
#include "scim/text/text.h"

namespace scim {

// Keywords

namespace {

template <class E>
struct Word {
    std::string_view text;
    E value;
};

constexpr Word<AttrType> type_words[] = {
    {"string", AttrType::string},       {"boolean", AttrType::boolean},
    {"decimal", AttrType::decimal},     {"integer", AttrType::integer},
    {"dateTime", AttrType::date_time},  {"binary", AttrType::binary},
    {"reference", AttrType::reference}, {"complex", AttrType::complex},
};
constexpr Word<Mutability> mutability_words[] = {
    {"readOnly", Mutability::read_only},
    {"readWrite", Mutability::read_write},
    {"immutable", Mutability::immutable},
    {"writeOnly", Mutability::write_only},
};
constexpr Word<Returned> returned_words[] = {
    {"always", Returned::always},
    {"never", Returned::never},
    {"default", Returned::by_default},
    {"request", Returned::on_request},
};
constexpr Word<Uniqueness> uniqueness_words[] = {
    {"none", Uniqueness::none},
    {"server", Uniqueness::server},
    {"global", Uniqueness::global},
};

template <class E, size_t N>
std::string_view word_of(const Word<E> (&words)[N], E value) {
    for (const auto &w : words)
        if (w.value == value) return w.text;
    return {};
}

}  // namespace

std::string_view to_string(AttrType type) { return word_of(type_words, type); }
std::string_view to_string(Mutability mutability) { return word_of(mutability_words, mutability); }
std::string_view to_string(Returned returned) { return word_of(returned_words, returned); }
std::string_view to_string(Uniqueness uniqueness) { return word_of(uniqueness_words, uniqueness); }

namespace {

constexpr size_t max_attributes = 256;
// Of URNs, names and endpoints, in bytes. A path of a URN, a name and the name of a part is thus
// shorter than PathLimits allows.
constexpr size_t max_name = 300;

// A URN (RFC 8141) or another URI, without characters that have a meaning in a filter, in a list of
// names or in a URL.
bool is_schema_uri(std::string_view text) {
    size_t colon = text.find(':');
    return !text.empty() && is_letter(text[0]) && colon != text.npos && colon + 1 < text.size() &&
           text.size() <= max_name && consists_of(text, ":-._~/+=@");
}

bool is_endpoint(std::string_view text) {
    return text.size() > 1 && text[0] == '/' && (is_letter(text[1]) || is_digit(text[1])) &&
           text.size() <= max_name && consists_of(text.substr(1), "-._~");
}

bool is_type_name(std::string_view text) {
    return text.size() <= max_name && is_attribute_name(text);
}

// The uniqueness of dateTime and binary attributes is published (RFC 7643 8.7), but it can only be
// "none" (RFC 7643 2.3.5, 2.3.6).
bool can_be_unique(AttrType type) {
    return has_uniqueness(type) && type != AttrType::date_time && type != AttrType::binary;
}

// Reading

// The first problem found while a definition is loaded. Later ones may only be its consequences and
// are dropped.
struct Loading {
    std::optional<Error> problem;

    void report(std::string_view where, std::string_view what) {
        if (problem) return;
        std::string detail(where);
        detail += ": ";
        detail += what;
        problem = Error{Refusal::configuration_invalid, std::move(detail)};
    }
};

std::string in_quotes(std::string_view keyword) { return '"' + std::string(keyword) + '"'; }

// Reads a JSON object of a definition by keyword. Keywords match in any case (RFC 7643 2.1); null
// is the same as an absent keyword (RFC 7643 2.5).
class Keywords {
  public:
    Keywords(Loading &loading, const json_t *object, std::string where)
        : loading_(loading), object_(object), where_(std::move(where)) {
        if (!json_is_object(object)) {
            loading_.report(where_, "expected an object, found " + std::string(kind_of(object)));
            object_ = nullptr;
        }
    }

    void locate(std::string where) { where_ = std::move(where); }
    void report(std::string_view what) { loading_.report(where_, what); }

    // The value, if `is` is true for it; otherwise reports that `expected` was expected.
    const json_t *get(std::string_view keyword, bool (*is)(const json_t *),
                      std::string_view expected) {
        const json_t *value = find(keyword);
        if (!value || is(value)) return value;
        report(in_quotes(keyword) + " is " + std::string(kind_of(value)) + ", expected " +
               std::string(expected));
        return nullptr;
    }

    std::string text(std::string_view keyword) {
        const json_t *value = get(
            keyword, [](const json_t *j) -> bool { return json_is_string(j); }, "a string");
        return value ? std::string(text_of(value)) : std::string();
    }

    bool flag(std::string_view keyword) {
        const json_t *value = get(
            keyword, [](const json_t *j) -> bool { return json_is_boolean(j); }, "true or false");
        return value && json_is_true(value);
    }

    const json_t *array(std::string_view keyword, std::string_view expected) {
        return get(
            keyword, [](const json_t *j) -> bool { return json_is_array(j); }, expected);
    }

    std::vector<std::string> texts(std::string_view keyword) {
        std::vector<std::string> all;
        const json_t *values = array(keyword, "an array of strings");
        for (size_t i = 0; i < json_array_size(values); i++) {
            const json_t *value = json_array_get(values, i);
            if (!json_is_string(value)) {
                report(in_quotes(keyword) + " contains " + std::string(kind_of(value)) +
                       ", expected an array of strings");
                break;
            }
            all.emplace_back(text_of(value));
        }
        return all;
    }

    // The value of one of `words`, `otherwise` if the keyword is absent.
    template <class E, size_t N>
    E word(std::string_view keyword, const Word<E> (&words)[N], E otherwise) {
        if (!find(keyword)) return otherwise;
        std::string found = text(keyword), expected;
        for (const auto &w : words) {
            if (w.text == found) return w.value;
            expected += expected.empty() ? "" : ", ";
            expected += w.text;
        }
        report(in_quotes(keyword) + " is " + quoted(found) + ", expected one of " + expected);
        return otherwise;
    }

    // A string that is required and for which `is` must be true.
    std::string needed(std::string_view keyword, bool (*is)(std::string_view),
                       std::string_view expected) {
        std::string value = text(keyword);
        if (!find(keyword))
            report(in_quotes(keyword) + " is missing, expected " + std::string(expected));
        else if (!is(value))
            report(in_quotes(keyword) + " is " + quoted(value) + ", expected " +
                   std::string(expected));
        return value;
    }

    // Reports unknown keywords: a misspelt one would have no effect.
    void allow_only(const std::vector<std::string_view> &keywords) {
        auto *object = const_cast<json_t *>(object_);
        for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
            const std::string_view key = json_object_iter_key(i);
            if (std::any_of(keywords.begin(), keywords.end(),
                            [&](std::string_view k) { return ascii_iequals(k, key); }))
                continue;
            report("the member " + quoted(key) + " is unknown" + did_you_mean(key, keywords));
        }
    }

    const json_t *find(std::string_view keyword) const {
        const json_t *value = member_of(object_, keyword);
        return json_is_null(value) ? nullptr : value;
    }

  private:
    Loading &loading_;
    const json_t *object_;
    std::string where_;
};

std::string at_attribute(std::string_view path) { return "attribute " + quoted(path); }

std::string with_article(AttrType type) {
    return (type == AttrType::integer ? "an " : "a ") + std::string(to_string(type));
}

// Characteristics that contradict each other are refused, not ignored.
void check_characteristics(Keywords &in, const Attribute &def) {
    if (def.type != AttrType::reference && !def.reference_types.empty())
        in.report("\"referenceTypes\" belong to a reference, expected none for " +
                  with_article(def.type));
    if (def.type != AttrType::string && !def.canonical_values.empty())
        in.report("\"canonicalValues\" belong to a string, expected none for " +
                  with_article(def.type));
    if (!can_be_unique(def.type) && def.uniqueness != Uniqueness::none)
        in.report("\"uniqueness\" is " + quoted(to_string(def.uniqueness)) + ", but " +
                  with_article(def.type) + " is never unique, expected none");
    if (def.mutability == Mutability::write_only && def.returned != Returned::never)
        in.report("\"returned\" is " + quoted(to_string(def.returned)) +
                  ", but a writeOnly attribute is never returned, expected never");
}

void load_characteristics(Keywords &in, Attribute &def) {
    def.type = in.word("type", type_words, AttrType::string);
    def.multi_valued = in.flag("multiValued");
    def.description = in.text("description");
    def.required = in.flag("required");
    def.canonical_values = in.texts("canonicalValues");
    def.case_exact = in.flag("caseExact");
    // RFC 7643 2.3.6, 2.3.7: binary and reference are caseExact.
    if (def.type != AttrType::string) def.case_exact = has_case(def.type);
    def.mutability = in.word("mutability", mutability_words, Mutability::read_write);
    // A writeOnly attribute is never returned, also if its definition does not say so.
    bool secret = def.mutability == Mutability::write_only;
    Returned otherwise = secret ? Returned::never : Returned::by_default;
    def.returned = in.word("returned", returned_words, otherwise);
    def.uniqueness = in.word("uniqueness", uniqueness_words, Uniqueness::none);
    def.reference_types = in.texts("referenceTypes");
}

// Attributes are at level 0, their sub-attributes at level 1. Only the Schema schema has level 2.
class AttributeLoader {
  public:
    AttributeLoader(Loading &loading, bool nests) : loading_(loading), deepest_(nests ? 1 : 0) {}

    // `owner`: the path of their complex attribute, empty at level 0.
    std::vector<Attribute> load_all(const json_t *array, const std::string &owner, int level);

  private:
    Attribute load(const json_t *object, std::string where, const std::string &owner, int level);
    void load_parts(Keywords &in, Attribute &def, const std::string &path, int level);

    Loading &loading_;
    int deepest_;  // level at which an attribute may be complex
    size_t count_ = 0;
};

std::vector<Attribute> AttributeLoader::load_all(const json_t *array, const std::string &owner,
                                                 int level) {
    std::vector<Attribute> all;
    std::set<std::string> names;
    for (size_t i = 0; i < json_array_size(array) && !loading_.problem; i++) {
        std::string where = "element " + std::to_string(i) + " of ";
        where += owner.empty() ? "\"attributes\"" : "\"subAttributes\" of " + quoted(owner);
        all.push_back(load(json_array_get(array, i), std::move(where), owner, level));
        const std::string &name = all.back().name;
        if (!names.insert(ascii_lower(name)).second)
            loading_.report(at_attribute(owner.empty() ? name : owner + "." + name),
                            "the name occurs twice, expected names that differ by more than case");
    }
    return all;
}

// `where` locates the attribute in errors until its name is known.
Attribute AttributeLoader::load(const json_t *object, std::string where, const std::string &owner,
                                int level) {
    Attribute def;
    Keywords in(loading_, object, std::move(where));
    if (++count_ > max_attributes)
        in.report("the schema has too many attributes, expected at most " +
                  std::to_string(max_attributes) + ", sub-attributes included");
    def.name = in.text("name");
    if (def.name.empty()) in.report("\"name\" is missing, expected the name of an attribute");
    std::string path = owner.empty() ? def.name : owner + "." + def.name;
    in.locate(at_attribute(path));
    if (level > 0 ? !is_sub_attribute_name(def.name) : !is_attribute_name(def.name))
        in.report(
            "the name is invalid, expected a letter followed by letters, digits, \"$\", \"-\" or "
            "\"_\"");
    if (def.name.size() > max_name)
        in.report("the name has " + std::to_string(def.name.size()) +
                  " characters, expected at most " + std::to_string(max_name));
    in.allow_only({"name", "type", "multiValued", "description", "required", "canonicalValues",
                   "caseExact", "mutability", "returned", "uniqueness", "referenceTypes",
                   "subAttributes"});
    load_characteristics(in, def);
    load_parts(in, def, path, level);
    check_characteristics(in, def);
    return def;
}

void AttributeLoader::load_parts(Keywords &in, Attribute &def, const std::string &path, int level) {
    const json_t *parts = in.array("subAttributes", "an array of objects");
    bool complex = def.type == AttrType::complex;
    if (complex && level > deepest_)
        in.report("a sub-attribute cannot be complex (RFC 7643 2.3.8), expected a simple type");
    if (complex && json_array_size(parts) == 0)
        in.report(
            "\"subAttributes\" is missing or empty, expected the parts of a complex attribute");
    if (!complex && json_array_size(parts) != 0)
        in.report("\"subAttributes\" belong to a complex attribute, expected none for " +
                  with_article(def.type));
    if (!loading_.problem) def.sub_attributes = load_all(parts, path, level + 1);
}

}  // namespace

Result<Schema> load_schema(const json_t *definition) {
    Loading loading;
    Keywords in(loading, definition, "the schema");
    Schema schema;
    in.allow_only({"schemas", "id", "externalId", "meta", "name", "description", "attributes"});
    schema.id = in.needed("id", is_schema_uri, "the URN of the schema");
    schema.name = in.text("name");
    if (schema.name.empty()) schema.name = schema.id.substr(schema.id.rfind(':') + 1);
    schema.description = in.text("description");
    const json_t *attributes = in.array("attributes", "an array of objects");
    if (json_array_size(attributes) == 0)
        in.report("\"attributes\" is missing or empty, expected at least one attribute");
    // The Schema schema describes schemas: its sub-attributes have sub-attributes (RFC 7643 7).
    bool nests = ascii_iequals(schema.id, schema_urn);
    schema.attributes = AttributeLoader(loading, nests).load_all(attributes, "", 0);
    if (loading.problem) return std::move(*loading.problem);
    return schema;
}

namespace {

std::vector<SchemaExtension> load_extensions(Loading &loading, Keywords &in,
                                             const std::string &base) {
    std::vector<SchemaExtension> all;
    std::set<std::string> seen{ascii_lower(base)};
    const json_t *array = in.array("schemaExtensions", "an array of objects");
    for (size_t i = 0; i < json_array_size(array); i++) {
        std::string where = "element " + std::to_string(i) + " of \"schemaExtensions\"";
        Keywords extension(loading, json_array_get(array, i), where);
        extension.allow_only({"schema", "required"});
        std::string urn = extension.needed("schema", is_schema_uri, "the URN of a schema");
        if (!seen.insert(ascii_lower(urn)).second)
            extension.report("the resource type has the schema " + quoted(urn) +
                             " already, expected it once");
        all.push_back({std::move(urn), extension.flag("required")});
    }
    return all;
}

}  // namespace

Result<ResourceType> load_resource_type(const json_t *definition) {
    Loading loading;
    Keywords in(loading, definition, "the resource type");
    ResourceType type;
    in.allow_only({"schemas", "id", "externalId", "meta", "name", "description", "endpoint",
                   "schema", "schemaExtensions"});
    type.name = in.needed("name", is_type_name, "a name such as \"Device\"");
    if (std::string id = in.text("id"); !id.empty() && id != type.name)
        in.report("\"id\" is " + quoted(id) + ", expected it to be equal to \"name\"");
    type.description = in.text("description");
    type.endpoint = in.needed("endpoint", is_endpoint, "one segment such as \"/Devices\"");
    if (!loading.problem && is_protocol_endpoint(std::string_view(type.endpoint).substr(1)))
        in.report("\"endpoint\" is " + quoted(type.endpoint) +
                  ", which the protocol uses itself, expected another");
    type.schema = in.needed("schema", is_schema_uri, "the URN of a schema");
    type.extensions = load_extensions(loading, in, type.schema);
    if (loading.problem) return std::move(*loading.problem);
    return type;
}

namespace {

// Whether a definition is a Schema or a ResourceType. `schemas` decides if it contains exactly one
// of the two URNs, otherwise the members do.
std::optional<Definition::Kind> kind_of_definition(const json_t *root) {
    Loading loading;
    Keywords in(loading, root, "");
    bool schema = false, type = false;
    for (const std::string &urn : in.texts("schemas")) {
        schema |= ascii_iequals(urn, schema_urn);
        type |= ascii_iequals(urn, resource_type_urn);
    }
    if (schema == type) {
        schema = in.find("attributes");
        type = in.find("endpoint");
    }
    if (schema == type) return {};
    return schema ? Definition::Kind::schema : Definition::Kind::resource_type;
}

}  // namespace

Result<Definition> load_definition(std::string_view bytes) {
    if (bytes.find_first_not_of(" \t\r\n") == bytes.npos)
        return Error{Refusal::configuration_invalid,
                     "the file is empty, expected a Schema or a ResourceType in JSON"};
    Result<Json> root = parse_json(bytes, JsonLimits());
    if (!root) {
        // The errors of parse_json() say "the body".
        std::string &detail = root.error().detail;
        if (size_t at = detail.find("the body"); at != detail.npos)
            detail.replace(at, 8, "the file");
        return std::move(root.error());
    }

    std::optional<Definition::Kind> kind = kind_of_definition(root->get());
    if (!kind)
        return Error{Refusal::configuration_invalid,
                     "this is neither a Schema nor a ResourceType, expected an object with "
                     "\"attributes\" or with \"endpoint\""};
    Definition definition;
    definition.kind = *kind;
    if (*kind == Definition::Kind::schema) {
        Result<Schema> schema = load_schema(root->get());
        RETURN_IF_ERROR(schema);
        definition.schema = std::move(*schema);
    } else {
        Result<ResourceType> type = load_resource_type(root->get());
        RETURN_IF_ERROR(type);
        definition.resource_type = std::move(*type);
    }
    return definition;
}

}  // namespace scim
