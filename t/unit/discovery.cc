// Tests that the discovery resources are well-formed, complete, and describe exactly what the
// catalog declares.

#include "scim/request/discovery.h"

#include "scim/text/json.h"
#include "tap.h"

using namespace scim;

static const std::string base = "https://id.example.com/scim/v2";

static std::shared_ptr<const Catalog> catalog_of(const Declaration &declaration) {
    auto rows = declare(CatalogRows(), declaration);
    if (!rows || !*rows) return nullptr;
    auto catalog = Catalog::build(std::move(**rows));
    return catalog ? *catalog : nullptr;
}

static Json parsed(const std::string &text) {
    auto json = parse_json(text, JsonLimits());
    if (!json) diag(json.error().detail);
    return json ? std::move(*json) : nullptr;
}

// Returns the value at a path such as "meta.location" or "Resources.0.id" as text, or "-" if there
// is none.
static std::string at(const json_t *value, std::string_view path) {
    while (value && !path.empty()) {
        std::string step(path.substr(0, path.find('.')));
        path.remove_prefix(std::min(path.size(), step.size() + 1));
        value = json_is_array(value) ? json_array_get(value, std::stoul(step))
                                     : json_object_get(value, step.c_str());
    }
    if (!value) return "-";
    if (json_is_string(value)) return std::string(text_of(value));
    std::string text;
    write_value(text, value);
    return text;
}

static void test_service_provider_config() {
    std::string text;
    write_service_provider_config(text, Features(), base);
    Json config = parsed(text);
    struct {
        const char *path, *value;
    } const members[] = {
        {"schemas", R"(["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"])"},
        {"patch", R"({"supported":true})"},
        {"bulk", R"({"supported":true,"maxOperations":1000,"maxPayloadSize":1048576})"},
        {"filter", R"({"supported":true,"maxResults":1000})"},
        {"changePassword", R"({"supported":false})"},
        {"sort", R"({"supported":true})"},
        {"etag", R"({"supported":true})"},
        {"authenticationSchemes.0.type", "oauthbearertoken"},
        {"authenticationSchemes.0.primary", "true"},
        {"authenticationSchemes.1", "-"},
        {"pagination",
         R"({"cursor":true,"index":true,"defaultPaginationMethod":"index","defaultPageSize":100,)"
         R"("maxPageSize":1000,"cursorTimeout":86400})"},
        {"meta.resourceType", "ServiceProviderConfig"},
        {"meta.location", "https://id.example.com/scim/v2/ServiceProviderConfig"},
    };
    for (const auto &m : members)
        is(at(config.get(), m.path), m.value,
           "ServiceProviderConfig has the expected " + std::string(m.path));

    text.clear();
    write_service_provider_config(text, Features{20, false, 3600, 30, 40}, base);
    config = parsed(text);
    is(at(config.get(), "filter.maxResults"), "20", "filter.maxResults is the configured one");
    is(at(config.get(), "bulk"), R"({"supported":true,"maxOperations":30,"maxPayloadSize":40})",
       "the limits of bulk are the configured ones");
    is(at(config.get(), "pagination.maxPageSize"), "20",
       "pagination.maxPageSize is the configured maximum of results");
    is(at(config.get(), "pagination.defaultPageSize"), "20",
       "pagination.defaultPageSize is at most the configured maximum of results");
    is(at(config.get(), "pagination.cursorTimeout"), "3600",
       "pagination.cursorTimeout is the configured one");
    is(at(config.get(), "authenticationSchemes"), "[]",
       "authenticationSchemes is empty without bearer tokens");
}

// Tests that the resource has every required attribute of its schema and no attribute that its
// schema does not define.
static void conforms(const json_t *resource, const std::vector<Attribute> &attributes,
                     const std::string &what) {
    std::string wrong;
    for (const Attribute &a : attributes)
        if (a.required && !json_object_get(resource, a.name.c_str())) wrong += " -" + a.name;
    const char *key;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(resource), key, value) {
        bool known = std::string_view(key) == "schemas" || std::string_view(key) == "meta";
        for (const Attribute &a : attributes) {
            if (a.name != key) continue;
            known = a.multi_valued == json_is_array(value);
            const json_t *object = json_is_array(value) ? json_array_get(value, 0) : value;
            if (a.type == AttrType::complex && object)
                conforms(object, a.sub_attributes, what + "." + a.name);
        }
        if (!known) wrong += " +" + std::string(key);
    }
    is(wrong, "", "[S-40 S-233] " + what + " conforms to its published schema");
}

static void test_conformance(const Catalog &catalog) {
    auto check = [&](const std::string &text, const char *name) {
        Json json = parsed(text);
        const Schema *schema =
            catalog.schema("urn:ietf:params:scim:schemas:core:2.0:" + std::string(name));
        if (ok(schema && json, std::string(name) + " has a schema"))
            conforms(json.get(), schema->attributes, name);
    };
    std::string config, type, schema;
    write_service_provider_config(config, Features(), base);
    ok(bool(write_resource_type(type, catalog, "User", base)), "the ResourceType User is written");
    ok(bool(write_schema(schema, catalog, schema_urn, base)), "the schema of Schema is written");
    check(config, "ServiceProviderConfig");
    check(type, "ResourceType");
    check(schema, "Schema");
}

static void test_lists(const Catalog &catalog) {
    std::string text;
    write_resource_types(text, catalog, base);
    Json list = parsed(text);
    is(at(list.get(), "totalResults"), "2", "the list of resource types has totalResults 2");
    is(at(list.get(), "itemsPerPage"), "2", "the list of resource types is one page");
    is(at(list.get(), "Resources.0.name"), "User", "the first resource type is User");
    is(at(list.get(), "Resources.1.name"), "Group", "the second resource type is Group");
    ok(!json_object_get(json_array_get(json_object_get(list.get(), "Resources"), 1),
                        "schemaExtensions"),
       "Group has no schemaExtensions");
    is(at(list.get(), "Resources.0.schemaExtensions.0.required"), "false",
       "the enterprise extension of User is not required");
    is(at(list.get(), "Resources.0.meta.location"), base + "/ResourceTypes/User",
       "the resource type User has its meta.location");
    is(at(list.get(), "Resources.0.meta.resourceType"), "ResourceType",
       "the resource type User has meta.resourceType ResourceType");
    ok(text.find("null") == text.npos, "the list of resource types has no null");

    text.clear();
    write_schemas(text, catalog, base);
    list = parsed(text);
    is(at(list.get(), "totalResults"), std::to_string(catalog.schemas().size()),
       "the list of schemas has all schemas of the catalog");
    for (size_t i = 0; i < catalog.schemas().size(); i++) {
        std::string item = "Resources." + std::to_string(i), urn = catalog.schemas()[i]->id;
        is(at(list.get(), item + ".id"), urn, urn + " is listed in the order of declaration");
        is(at(list.get(), item + ".schemas.0"), schema_urn, urn + " has schemas");
        is(at(list.get(), item + ".meta.resourceType"), "Schema",
           urn + " has meta.resourceType Schema");
        is(at(list.get(), item + ".meta.location"), base + "/Schemas/" + urn,
           urn + " has its meta.location");
    }
    ok(text.find("null") == text.npos, "the list of schemas has no null");
    ok(text.find("urn:ietf:params:scim:api:messages:2.0:ListResponse", 60) == text.npos,
       "[S-43] the list of schemas excludes those of protocol messages");
}

static void test_single(const Catalog &catalog) {
    std::string text;
    ok(bool(write_schema(text, catalog, ascii_lower(user_urn), base)),
       "a schema is found by its URN in another case");
    Json schema = parsed(text);
    is(at(schema.get(), "id"), user_urn, "a schema found in another case has its declared id");
    is(at(schema.get(), "meta.location"), base + "/Schemas/" + std::string(user_urn),
       "a schema found in another case has its declared meta.location");

    text.clear();
    ok(bool(write_resource_type(text, catalog, "User", base)),
       "a resource type is found by its name");
    Json type = parsed(text);
    is(at(type.get(), "endpoint"), "/Users", "the resource type found has the endpoint of User");
    is(at(type.get(), "meta.location"), base + "/ResourceTypes/User",
       "the resource type found has its meta.location");

    text.clear();
    Outcome unknown = write_schema(text, catalog, "urn:acme:none", base);
    ok(!unknown && unknown.error().status() == 404, "an unknown schema is refused with 404");
    is(unknown.error().detail, "there is no schema \"urn:acme:none\"; /Schemas lists all of them",
       "the 404 of an unknown schema names it and refers to /Schemas");
    ok(!write_resource_type(text, catalog, "user", base),
       "a resource type is not found by its name in another case");
    unknown = write_resource_type(text, catalog, "Device", base);
    ok(!unknown && unknown.error().status() == 404, "an unknown resource type is refused with 404");
    is(text, "", "a refused resource type writes no text");
}

static void test_only_declared() {
    auto extension = load_definition(R"({"id":"urn:acme:params:scim:schemas:Tiny:User",
        "attributes":[{"name":"badge"}]})");
    auto declaration = make_declaration(1, {*extension});
    if (!ok(bool(declaration), "a declaration with an extension is made")) return;
    auto catalog = catalog_of(*declaration);
    std::string text;
    write_resource_types(text, *catalog, base);
    ok(text.find(R"({"schema":"urn:acme:params:scim:schemas:Tiny:User","required":false})") !=
           text.npos,
       "the resource type User lists a declared extension");
    text.clear();
    ok(bool(write_schema(text, *catalog, "urn:acme:params:scim:schemas:Tiny:User", base)),
       "the schema of a declared extension is written");

    auto rows = declare(catalog->rows(), *make_declaration(2, {}));
    auto without = Catalog::build(std::move(**rows));
    text.clear();
    write_resource_types(text, **without, base);
    write_schemas(text, **without, base);
    ok(text.find("urn:acme") == text.npos, "a dropped extension is in neither list");
}

int main() {
    auto catalog = catalog_of(*make_declaration(1, {}));
    if (!ok(bool(catalog), "the built-in catalog is built")) return tap::done();
    test_service_provider_config();
    test_conformance(*catalog);
    test_lists(*catalog);
    test_single(*catalog);
    test_only_declared();
    return tap::done();
}
