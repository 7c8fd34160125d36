// Writes Schema and ResourceType resources.

#include <utility>

#include "scim/schema/schema.h"

namespace scim {

namespace {

// `before` is the text in front of the value: punctuation and key.
void put(std::string &out, std::string_view before, std::string_view text) {
    out += before;
    write_string(out, text);
}

void put(std::string &out, std::string_view before, bool value) {
    out += before;
    out += value ? "true" : "false";
}

// Unassigned attributes are left out (RFC 7643 2.5).
void put_some(std::string &out, std::string_view before, std::string_view text) {
    if (!text.empty()) put(out, before, text);
}

void put_some(std::string &out, std::string_view before, const std::vector<std::string> &texts) {
    if (texts.empty()) return;
    out += before;
    char separator = '[';
    for (const std::string &text : texts) {
        out += std::exchange(separator, ',');
        write_string(out, text);
    }
    out += ']';
}

void write_attributes(std::string &out, const std::vector<Attribute> &all);

void write_attribute(std::string &out, const Attribute &def) {
    put(out, R"({"name":)", def.name);
    put(out, R"(,"type":)", to_string(def.type));
    put(out, R"(,"multiValued":)", def.multi_valued);
    put_some(out, R"(,"description":)", def.description);
    put(out, R"(,"required":)", def.required);
    put_some(out, R"(,"canonicalValues":)", def.canonical_values);
    if (has_case(def.type)) put(out, R"(,"caseExact":)", def.case_exact);
    put(out, R"(,"mutability":)", to_string(def.mutability));
    put(out, R"(,"returned":)", to_string(def.returned));
    if (has_uniqueness(def.type)) put(out, R"(,"uniqueness":)", to_string(def.uniqueness));
    put_some(out, R"(,"referenceTypes":)", def.reference_types);
    if (!def.sub_attributes.empty()) {
        out += R"(,"subAttributes":)";
        write_attributes(out, def.sub_attributes);
    }
    out += '}';
}

void write_attributes(std::string &out, const std::vector<Attribute> &all) {
    out += '[';
    for (const Attribute &def : all) {
        if (&def != &all.front()) out += ',';
        write_attribute(out, def);
    }
    out += ']';
}

}  // namespace

void write_schema(std::string &out, const Schema &schema) {
    put(out, R"({"schemas":[)", schema_urn);
    put(out, R"(],"id":)", schema.id);
    put(out, R"(,"name":)", schema.name);
    put_some(out, R"(,"description":)", schema.description);
    out += R"(,"attributes":)";
    write_attributes(out, schema.attributes);
}

void write_resource_type(std::string &out, const ResourceType &type) {
    put(out, R"({"schemas":[)", resource_type_urn);
    put(out, R"(],"id":)", type.name);
    put(out, R"(,"name":)", type.name);
    put_some(out, R"(,"description":)", type.description);
    put(out, R"(,"endpoint":)", type.endpoint);
    put(out, R"(,"schema":)", type.schema);
    if (type.extensions.empty()) return;
    out += R"(,"schemaExtensions":[)";
    for (const SchemaExtension &extension : type.extensions) {
        if (&extension != &type.extensions.front()) out += ',';
        put(out, R"({"schema":)", extension.schema);
        put(out, R"(,"required":)", extension.required);
        out += '}';
    }
    out += ']';
}

}  // namespace scim
