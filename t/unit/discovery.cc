// Proves that the discovery resources are well-formed, complete and about what the catalog declares
// and nothing else.

#include "scim/discovery.h"

#include "scim/json.h"
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

// "meta.location", "Resources.0.id": the value as text, "-" if there is none.
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
        {"bulk", R"({"supported":false,"maxOperations":0,"maxPayloadSize":0})"},
        {"filter", R"({"supported":true,"maxResults":1000})"},
        {"changePassword", R"({"supported":false})"},
        {"sort", R"({"supported":true})"},
        {"etag", R"({"supported":true})"},
        {"authenticationSchemes.0.type", "oauthbearertoken"},
        {"authenticationSchemes.0.primary", "true"},
        {"authenticationSchemes.1", "-"},
        {"pagination",
         R"({"cursor":false,"index":true,"defaultPaginationMethod":"index","defaultPageSize":100,)"
         R"("maxPageSize":1000})"},
        {"meta.resourceType", "ServiceProviderConfig"},
        {"meta.location", "https://id.example.com/scim/v2/ServiceProviderConfig"},
    };
    for (const auto &m : members) is(at(config.get(), m.path), m.value, m.path);

    text.clear();
    write_service_provider_config(text, Features{20, false}, base);
    config = parsed(text);
    is(at(config.get(), "filter.maxResults"), "20", "maxResults is the location's");
    is(at(config.get(), "pagination.maxPageSize"), "20", "and so is maxPageSize");
    is(at(config.get(), "pagination.defaultPageSize"), "20", "the default page fits in");
    is(at(config.get(), "authenticationSchemes"), "[]", "no scheme without bearer tokens");
}

// Every required attribute that the published schema names is in the resource, and nothing else is.
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
            if (a.type == Type::complex && object)
                conforms(object, a.sub_attributes, what + "." + a.name);
        }
        if (!known) wrong += " +" + std::string(key);
    }
    is(wrong, "", what + " is as its schema says");
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
    ok(bool(write_resource_type(type, catalog, "User", base)), "User is there");
    ok(bool(write_schema(schema, catalog, schema_urn, base)), "Schema is there");
    check(config, "ServiceProviderConfig");
    check(type, "ResourceType");
    check(schema, "Schema");
}

static void test_lists(const Catalog &catalog) {
    std::string text;
    write_resource_types(text, catalog, base);
    Json list = parsed(text);
    is(at(list.get(), "totalResults"), "2", "two resource types");
    is(at(list.get(), "itemsPerPage"), "2", "in one page");
    is(at(list.get(), "Resources.0.name"), "User", "User");
    is(at(list.get(), "Resources.1.name"), "Group", "Group");
    ok(!json_object_get(json_array_get(json_object_get(list.get(), "Resources"), 1),
                        "schemaExtensions"),
       "without extensions");
    is(at(list.get(), "Resources.0.schemaExtensions.0.required"), "false", "with its extension");
    is(at(list.get(), "Resources.0.meta.location"), base + "/ResourceTypes/User", "its location");
    is(at(list.get(), "Resources.0.meta.resourceType"), "ResourceType", "its resource type");
    ok(text.find("null") == text.npos, "no null");

    text.clear();
    write_schemas(text, catalog, base);
    list = parsed(text);
    is(at(list.get(), "totalResults"), std::to_string(catalog.schemas().size()), "all schemas");
    for (size_t i = 0; i < catalog.schemas().size(); i++) {
        std::string item = "Resources." + std::to_string(i), urn = catalog.schemas()[i]->id;
        is(at(list.get(), item + ".id"), urn, "in the order of declaration");
        is(at(list.get(), item + ".schemas.0"), schema_urn, "E8417: schemas");
        is(at(list.get(), item + ".meta.resourceType"), "Schema", "E8417: meta.resourceType");
        is(at(list.get(), item + ".meta.location"), base + "/Schemas/" + urn, "meta.location");
    }
    ok(text.find("null") == text.npos, "no null");
    ok(text.find("urn:ietf:params:scim:api:messages:2.0:ListResponse", 60) == text.npos,
       "the schemas of messages are not published");
}

static void test_single(const Catalog &catalog) {
    std::string text;
    ok(bool(write_schema(text, catalog, ascii_lower(user_urn), base)), "a URN in another case");
    Json schema = parsed(text);
    is(at(schema.get(), "id"), user_urn, "is answered in the declared one");
    is(at(schema.get(), "meta.location"), base + "/Schemas/" + std::string(user_urn), "everywhere");

    text.clear();
    ok(bool(write_resource_type(text, catalog, "User", base)), "a resource type by its name");
    Json type = parsed(text);
    is(at(type.get(), "endpoint"), "/Users", "is the one asked for");
    is(at(type.get(), "meta.location"), base + "/ResourceTypes/User", "with its location");

    text.clear();
    Outcome unknown = write_schema(text, catalog, "urn:acme:none", base);
    ok(!unknown && unknown.error().status == 404, "an unknown schema is 404");
    is(unknown.error().detail,
       "there is no schema \"urn:acme:none\" here; /Schemas lists those there are", "and says so");
    ok(!write_resource_type(text, catalog, "user", base), "a resource type's name is caseExact");
    unknown = write_resource_type(text, catalog, "Device", base);
    ok(!unknown && unknown.error().status == 404, "an unknown resource type is 404");
    is(text, "", "nothing is written then");
}

static void test_only_declared() {
    auto extension = load_definition(R"({"id":"urn:acme:params:scim:schemas:Tiny:User",
        "attributes":[{"name":"badge"}]})");
    auto declaration = make_declaration(1, {*extension});
    if (!ok(bool(declaration), "an extension is declared")) return;
    auto catalog = catalog_of(*declaration);
    std::string text;
    write_resource_types(text, *catalog, base);
    ok(text.find(R"({"schema":"urn:acme:params:scim:schemas:Tiny:User","required":false})") !=
           text.npos,
       "the type publishes it");
    text.clear();
    ok(bool(write_schema(text, *catalog, "urn:acme:params:scim:schemas:Tiny:User", base)),
       "and so does /Schemas");

    auto rows = declare(catalog->rows(), *make_declaration(2, {}));
    auto without = Catalog::build(std::move(**rows));
    text.clear();
    write_resource_types(text, **without, base);
    write_schemas(text, **without, base);
    ok(text.find("urn:acme") == text.npos, "what is no longer declared is no longer published");
}

int main() {
    auto catalog = catalog_of(*make_declaration(1, {}));
    if (!ok(bool(catalog), "the built-in catalog")) return tap::done();
    test_service_provider_config();
    test_conformance(*catalog);
    test_lists(*catalog);
    test_single(*catalog);
    test_only_declared();
    return tap::done();
}
