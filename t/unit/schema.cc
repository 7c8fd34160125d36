// Tests that a definition is loaded or refused with an error that names the attribute, that a
// written definition is loaded again unchanged, and that the built-in definitions are those of
// RFC 7643 and its errata.

#include "scim/schema/schema.h"

#include "tap.h"

using namespace scim;

static const std::string acme_urn = "urn:acme:params:scim:schemas:extension:acme:2.0:User";

// Returns the error of load_definition() for a schema with these attributes, or "".
static std::string problem_of(const std::string &attributes) {
    auto d = load_definition(R"({"id":")" + acme_urn + R"(","attributes":[)" + attributes + "]}");
    return d ? "" : d.error().detail;
}

static std::string problem_of_type(const std::string &members) {
    auto d = load_definition(R"({"name":"Device",)" + members + "}");
    return d ? "" : d.error().detail;
}

static bool contains(const std::string &text, std::string_view part) {
    return text.find(part) != text.npos;
}

static bool same(const Attribute &a, const Attribute &b);

static bool same(const std::vector<Attribute> &a, const std::vector<Attribute> &b) {
    bool equal = a.size() == b.size();
    for (size_t i = 0; equal && i < a.size(); i++) equal = same(a[i], b[i]);
    return equal;
}

static bool same(const Attribute &a, const Attribute &b) {
    return a.name == b.name && a.type == b.type && a.multi_valued == b.multi_valued &&
           a.description == b.description && a.required == b.required &&
           a.canonical_values == b.canonical_values && a.case_exact == b.case_exact &&
           a.mutability == b.mutability && a.returned == b.returned &&
           a.uniqueness == b.uniqueness && a.reference_types == b.reference_types &&
           same(a.sub_attributes, b.sub_attributes);
}

static bool round_trips(const Schema &schema) {
    std::string text;
    write_schema(text, schema);
    Result<Json> json = parse_json(text + "}", JsonLimits());
    if (!json) return false;
    Result<Schema> again = load_schema(json->get());
    return again && again->id == schema.id && again->name == schema.name &&
           again->description == schema.description && same(again->attributes, schema.attributes);
}

static const Attribute &find(const std::vector<Attribute> &all, std::string_view name) {
    for (const Attribute &a : all)
        if (a.name == name) return a;
    static const Attribute none;
    return none;
}

static const Attribute &find(const Schema &schema, std::string_view name,
                             std::string_view sub = "") {
    const Attribute &top = find(schema.attributes, name);
    if (sub.empty()) return top;
    return find(top.sub_attributes, sub);
}

static const char *const acme_json = R"({
"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
"id": "urn:acme:params:scim:schemas:extension:acme:2.0:User",
"name": "AcmeUser", "description": "What Acme knows of its people",
"attributes": [
  {"name": "badge", "type": "string", "caseExact": true, "uniqueness": "server"},
  {"name": "remote", "type": "boolean", "caseExact": true, "description": null},
  {"name": "floor", "type": "integer", "required": true},
  {"name": "desk-height", "type": "decimal", "returned": "request"},
  {"name": "hired", "type": "dateTime", "mutability": "immutable"},
  {"name": "homePage", "type": "reference", "referenceTypes": ["external"], "caseExact": false},
  {"name": "pin", "mutability": "writeOnly"},
  {"name": "key", "type": "binary"},
  {"name": "cars", "type": "complex", "multivalued": true, "uniqueness": "none", "subAttributes": [
    {"name": "plate"}, {"name": "kind", "canonicalValues": ["own", "leased"]},
    {"name": "tags", "multiValued": true}, {"name": "primary", "type": "boolean"},
    {"name": "$ref", "type": "reference", "referenceTypes": ["User"]}]}
]})";

static void test_extension() {
    auto d = load_definition(acme_json);
    if (!ok(bool(d), "a realistic extension loads")) return diag(d.error().detail);
    const Schema &s = d->schema;
    ok(d->kind == Definition::Kind::schema, "a definition with attributes is a schema");
    is(s.id, acme_urn, "a loaded schema has its URN");
    is(s.attributes.size(), 9u,
       "[S-200] a loaded schema has all its attributes; unknown keywords are ignored");

    ok(find(s, "badge").case_exact && find(s, "badge").uniqueness == Uniqueness::server,
       "caseExact and uniqueness are loaded");
    const Attribute &floor = find(s, "floor");
    ok(floor.type == AttrType::integer && floor.required && !floor.multi_valued &&
           floor.mutability == Mutability::read_write && floor.returned == Returned::by_default &&
           floor.uniqueness == Uniqueness::none,
       "[S-8] characteristics that are not given have the defaults of RFC 7643 2.2");
    is(to_string(find(s, "pin").type), "string", "the default type is string");
    ok(!find(s, "remote").case_exact, "a boolean has no case, whatever the definition says");
    ok(find(s, "homePage").case_exact && find(s, "key").case_exact,
       "[E-6001] references and binaries are caseExact, whatever the definition says");
    ok(find(s, "desk-height").returned == Returned::on_request, "returned request is loaded");
    ok(find(s, "hired").mutability == Mutability::immutable, "mutability immutable is loaded");
    ok(find(s, "pin").returned == Returned::never, "a writeOnly attribute is never returned");
    ok(find(s, "cars").multi_valued, "keywords of attributes match in any case");
    ok(find(s, "cars", "tags").multi_valued, "a sub-attribute may be multi-valued");
    is(find(s, "cars", "$ref").reference_types.size(), 1u, "a sub-attribute may be called $ref");
    ok(round_trips(s), "a written schema is loaded again unchanged");
}

static void test_writer() {
    auto d = load_definition(acme_json);
    std::string text;
    write_schema(text, d->schema);
    ok(!contains(text, "null"), "a written schema has no null");
    ok(contains(text, R"({"name":"badge","type":"string","multiValued":false,"required":false,)"
                      R"("caseExact":true,"mutability":"readWrite","returned":"default",)"
                      R"("uniqueness":"server"})"),
       "a string attribute is written with all its characteristics");
    ok(contains(text, R"({"name":"remote","type":"boolean","multiValued":false,"required":false,)"
                      R"("mutability":"readWrite","returned":"default"})"),
       "a boolean attribute is written without caseExact and uniqueness");
    ok(contains(text, R"("type":"integer","multiValued":false,"required":true,)"
                      R"("mutability":"readWrite","returned":"default","uniqueness":"none"})"),
       "an integer attribute is written without caseExact");
    ok(contains(text, R"({"name":"cars","type":"complex","multiValued":true,"required":false,)"
                      R"("mutability":"readWrite","returned":"default","subAttributes":[{)"),
       "[E-6004] a complex attribute is written without caseExact and uniqueness");
    ok(contains(text, R"("uniqueness":"none","referenceTypes":["User"]}])"),
       "a reference is written with its referenceTypes");
}

static void test_contradictions() {
    struct {
        const char *attributes, *named, *said;
    } const refused[] = {
        {R"({"name":"a","type":"text"})", "\"a\"", "one of string, boolean, decimal, integer"},
        {R"({"name":"a","type":7})", "\"a\"", "expected a string"},
        {R"({"name":"a","mutability":"readwrite"})", "\"a\"", "readOnly, readWrite, immutable"},
        {R"({"name":"a","returned":"sometimes"})", "\"a\"", "always, never, default, request"},
        {R"({"name":"a","uniqueness":"maybe"})", "\"a\"", "none, server, global"},
        {R"({"name":"a","required":"yes"})", "\"a\"", "expected true or false"},
        {R"({"name":"a","multiValued":1})", "\"a\"", "expected true or false"},
        {R"({"name":"a","canonicalValues":["x",2]})", "\"a\"", "an array of strings"},
        {R"({"name":"a","canonicalValues":"x"})", "\"a\"", "an array of strings"},
        {R"({"name":"a","subAttributes":[{"name":"b"}]})", "\"a\"", "belong to a complex"},
        {R"({"name":"a","type":"complex"})", "\"a\"", "parts of a complex attribute"},
        {R"({"name":"a","type":"complex","subAttributes":[]})", "\"a\"", "parts of a complex"},
        {R"({"name":"a","type":"complex","subAttributes":[{"name":"b","type":"complex",
            "subAttributes":[{"name":"c"}]}]})",
         "\"a.b\"", "cannot be complex"},
        {R"({"name":"a","type":"complex","subAttributes":[{"name":"b"},{"name":"B"}]})", "\"a.B\"",
         "differ by more than case"},
        {R"({"name":"a","type":"complex","subAttributes":[{"type":"string"}]})",
         "element 0 of \"subAttributes\" of \"a\"", "\"name\" is missing"},
        {R"({"name":"one"},{"name":"ONE"})", "\"ONE\"", "differ by more than case"},
        {R"({"name":"a"},{"type":"string"})", "element 1", "\"name\" is missing"},
        {R"({"name":"a"},"b")", "element 1", "expected an object, found a string"},
        {R"({"name":"1a"})", "\"1a\"", "expected a letter"},
        {R"({"name":"a.b"})", "\"a.b\"", "expected a letter"},
        {R"({"name":"a b"})", "\"a b\"", "expected a letter"},
        {R"({"name":"a:b"})", "\"a:b\"", "expected a letter"},
        {R"({"name":"straße"})", "\"straße\"", "expected a letter"},
        {R"({"name":"$ref"})", "\"$ref\"", "expected a letter"},
        {R"({"name":"a","type":"complex","subAttributes":[{"name":"$value"}]})", "\"a.$value\"",
         "expected a letter"},
        {R"({"name":"a","referenceTypes":["User"]})", "\"a\"", "belong to a reference"},
        {R"({"name":"a","type":"integer","canonicalValues":["1"]})", "\"a\"", "for an integer"},
        {R"({"name":"a","type":"boolean","uniqueness":"server"})", "\"a\"", "never unique"},
        {R"({"name":"a","mutability":"writeOnly","returned":"always"})", "\"a\"", "expected never"},
    };
    for (const auto &r : refused) {
        std::string problem = problem_of(r.attributes);
        if (!ok(contains(problem, r.named) && contains(problem, r.said) && problem.back() != '.',
                std::string(r.attributes) + " is refused: " + r.said))
            diag("error: " + problem);
    }
    is(problem_of(R"({"name":"a","type":"text"})"),
       "attribute \"a\": \"type\" is \"text\", expected one of string, boolean, decimal, integer, "
       "dateTime, binary, reference, complex",
       "[S-7 E-5606] the error of an unknown type lists the types");
}

static std::string many(size_t count) {
    std::string all;
    for (size_t i = 0; i < count; i++)
        all += (i ? "," : "") + (R"({"name":"a)" + std::to_string(i) + R"("})");
    return all;
}

static void test_bounds() {
    is(problem_of(many(256)), "", "256 attributes are accepted");
    ok(contains(problem_of(many(257)), "at most 256"), "257 attributes are refused");
    auto with_parts = [](size_t parts) {
        return R"({"name":"c","type":"complex","subAttributes":[)" + many(parts) + "]}";
    };
    is(problem_of(with_parts(255)), "", "an attribute with 255 sub-attributes is accepted");
    ok(contains(problem_of(with_parts(256)), "at most 256"),
       "sub-attributes count towards the limit of 256");
    std::string name(300, 'n');
    is(problem_of(R"({"name":")" + name + "\"}"), "", "a name of 300 characters is accepted");
    ok(contains(problem_of(R"({"name":"n)" + name + "\"}"), "301 characters, expected at most 300"),
       "a name of 301 characters is refused");
    const std::string endpoint = '/' + name.substr(1), urn = "urn:" + name.substr(4);
    auto type = [](const std::string &endpoint, const std::string &urn) {
        return problem_of_type(R"("endpoint":")" + endpoint + R"(","schema":")" + urn + '"');
    };
    is(type(endpoint, urn), "", "an endpoint and a URN of 300 characters are accepted");
    ok(contains(type(endpoint + 'n', urn), "\"endpoint\" is"),
       "an endpoint of 301 characters is refused");
    ok(contains(type(endpoint, urn + 'n'), "\"schema\" is"), "a URN of 301 characters is refused");
    auto named = load_definition(R"({"endpoint":"/N","schema":"urn:a:N","name":"n)" + name + "\"}");
    ok(!named && contains(named.error().detail, "\"name\" is"),
       "a resource type's name of 301 characters is refused");
    std::string problem = problem_of(R"({"name":")" + name + R"(","type":"x"})");
    ok(problem.size() < 250, "a name of 300 characters is cut in the error");
    ok(contains(problem_of(""), "at least one"), "a schema without attributes is refused");
}

static void test_definitions() {
    auto detail = [](const char *bytes) {
        auto d = load_definition(bytes);
        return d ? std::string("loaded") : d.error().detail;
    };
    ok(detail("") != "loaded" && detail("[]") != "loaded" && detail("{") != "loaded",
       "a definition that is not a JSON object is refused");
    ok(contains(detail(R"({"id":"a","ID":"b"})"), "ID"), "a repeated keyword is refused");
    ok(contains(detail("{}"), "neither a Schema nor a ResourceType"),
       "an empty definition is refused");
    ok(contains(detail(R"({"attributes":[{"name":"a"}]})"), "\"id\" is missing"),
       "a schema without id is refused");
    ok(contains(detail(R"({"id":"acme user","attributes":[{"name":"a"}]})"), "\"acme user\""),
       "a schema whose id is not a URN is refused");
    ok(contains(detail(R"({"id":"urn:a:b","attributes":{"name":"a"}})"), "an array of objects"),
       "a schema whose attributes are not an array is refused");
    is(detail(R"({"ID":"urn:a:b","Attributes":[{"NAME":"a"}]})"), "loaded",
       "keywords of a schema match in any case");
    is(load_definition(R"({"id":"urn:a:b:Thing","attributes":[{"name":"a"}]})")->schema.name,
       "Thing", "a schema without a name is named after the end of its URN");
    ok(contains(detail(R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
                           "id":"urn:a:b","attributes":[{"name":"a"}]})"),
                "the resource type"),
       "schemas decides whether a definition is a resource type");
    ok(!load_schema(nullptr) && !load_resource_type(nullptr),
       "a null pointer is refused as a definition");
}

static void test_resource_types() {
    auto d = load_definition(R"({"name":"Device","description":"a thing","endpoint":"/Devices",
        "schema":"urn:acme:Device","schemaExtensions":[{"schema":"urn:acme:Radio","required":true},
        {"schema":"urn:acme:Light"}]})");
    if (!ok(bool(d), "a resource type loads")) return diag(d.error().detail);
    ok(d->kind == Definition::Kind::resource_type,
       "a definition with an endpoint is a resource type");
    const ResourceType &type = d->resource_type;
    ok(type.extensions.size() == 2 && type.extensions[0].required && !type.extensions[1].required,
       "a loaded resource type has its extensions");
    std::string text;
    write_resource_type(text, type);
    is(text,
       R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"Device",)"
       R"("name":"Device","description":"a thing","endpoint":"/Devices","schema":"urn:acme:Device",)"
       R"("schemaExtensions":[{"schema":"urn:acme:Radio","required":true},)"
       R"({"schema":"urn:acme:Light","required":false}])",
       "a resource type is written with all its members");

    const std::string endpoint = R"("endpoint":"/Devices")", schema = R"("schema":"urn:a:D")";
    is(problem_of_type(endpoint + "," + schema), "",
       "a resource type of name, endpoint and schema is accepted");
    ok(contains(problem_of_type(endpoint), "\"schema\" is missing"),
       "a resource type without schema is refused");
    for (const char *bad : {"Devices", "/", "/a/b", "/a b", "/Schemas", "/me", "/v2", "/.search"})
        ok(contains(problem_of_type(R"("endpoint":")" + std::string(bad) + "\"," + schema),
                    quoted(bad)),
           std::string("the endpoint ") + bad + " is refused");
    ok(contains(problem_of_type(endpoint + R"(,"id":"Gadget",)" + schema), "equal to \"name\""),
       "a resource type whose id differs from its name is refused");
    ok(contains(problem_of_type(endpoint + "," + schema +
                                R"(,"schemaExtensions":[{"schema":"URN:A:D"}])"),
                "already"),
       "a resource type with its schema as an extension is refused");
    ok(contains(problem_of_type(endpoint + "," + schema + R"(,"schemaExtensions":[{}])"),
                "element 0 of \"schemaExtensions\""),
       "an extension without a schema is refused");
}

static void test_builtins() {
    const std::vector<Schema> &all = builtin_schemas();
    is(all.size(), 6u, "there are six built-in schemas");
    for (const Schema &s : all) ok(round_trips(s), s.id + " is loaded again unchanged");
    is(all[0].id, user_urn, "the first built-in schema is User");
    is(all[1].id, enterprise_user_urn, "the second built-in schema is the enterprise extension");
    is(all[2].id, group_urn, "the third built-in schema is Group");

    const Schema &user = all[0], &enterprise = all[1], &group = all[2];
    is(user.attributes.size(), 21u, "User has the attributes of RFC 7643 4.1");
    const Attribute &name = find(user, "userName");
    ok(name.required && name.uniqueness == Uniqueness::server && !name.case_exact,
       "userName is required, unique and not caseExact");
    const Attribute &password = find(user, "password");
    ok(password.mutability == Mutability::write_only && password.returned == Returned::never,
       "password is writeOnly and never returned");
    is(find(user, "groups", "$ref").reference_types.size(), 1u,
       "[E-8471] groups.$ref refers to Group only (RFC 7643 erratum 8471)");
    ok(find(user, "groups").mutability == Mutability::read_only, "groups is readOnly");
    ok(find(user, "addresses", "primary").type == AttrType::boolean,
       "addresses.primary is a boolean");
    ok(find(user, "profileUrl").case_exact,
       "[E-6001] the reference profileUrl is caseExact (RFC 7643 erratum 6001)");
    for (const char *typed : {"emails", "phoneNumbers", "ims", "photos", "addresses", "groups"})
        ok(!find(user, typed, "type").canonical_values.empty(),
           std::string(typed) + ".type has canonicalValues");
    for (const char *free : {"roles", "entitlements", "x509Certificates"})
        ok(find(user, free, "type").canonical_values.empty(),
           std::string(free) + ".type has no canonicalValues");
    for (const char *common : {"id", "externalId", "meta", "schemas"})
        ok(find(user, common).name.empty(),
           "[S-32] " + std::string(common) + " belongs to no schema");
    ok(find(enterprise, "manager", "value").case_exact,
       "[E-8472] manager.value is caseExact (RFC 7643 erratum 8472)");
    ok(find(enterprise, "manager", "displayName").mutability == Mutability::read_only,
       "manager.displayName is readOnly");

    const Attribute &display = find(group, "displayName");
    ok(display.required && display.uniqueness == Uniqueness::server,
       "[E-5368] a Group's displayName is required and unique");
    ok(find(group, "members").multi_valued && find(group, "members", "value").case_exact,
       "members is multi-valued and members.value caseExact");
    is(find(group, "members", "$ref").reference_types.size(), 2u,
       "members.$ref refers to User and Group");

    const Schema &config = all[3], &type = all[4], &schema = all[5];
    ok(find(config, "etag", "supported").required, "etag.supported is required");
    ok(find(config, "authenticationSchemes", "type").required,
       "[E-8011] authenticationSchemes.type is required (RFC 7643 erratum 8011)");
    is(find(config, "pagination").sub_attributes.size(), 6u,
       "pagination has the six sub-attributes of RFC 9865");
    ok(find(type, "schemaExtensions").multi_valued,
       "[E-7522] schemaExtensions is multi-valued (RFC 7643 erratum 7522)");
    ok(find(type, "endpoint").uniqueness == Uniqueness::server,
       "[E-8475] endpoint has uniqueness server (RFC 7643 erratum 8475)");
    const Attribute &parts = find(schema, "attributes", "subAttributes");
    is(find(parts.sub_attributes, "type").canonical_values.size(), 7u,
       "[S-28 E-8415] the types of sub-attributes exclude complex (RFC 7643 erratum 8415)");
    ok(find(parts.sub_attributes, "referenceTypes").multi_valued,
       "[E-5607] referenceTypes of sub-attributes is multi-valued (RFC 7643 erratum 5607)");

    is(builtin_resource_types().size(), 2u, "there are two built-in resource types");
    const ResourceType &users = builtin_resource_types()[0];
    ok(users.endpoint == "/Users" && users.schema == user_urn && users.extensions.size() == 1 &&
           users.extensions[0].schema == enterprise_user_urn && !users.extensions[0].required,
       "the built-in User has the enterprise extension, which is not required");
    const ResourceType &groups = builtin_resource_types()[1];
    ok(groups.endpoint == "/Groups" && groups.schema == group_urn && groups.extensions.empty(),
       "the built-in Group has no extensions");
}

int main() {
    test_extension();
    test_writer();
    test_contradictions();
    test_bounds();
    test_definitions();
    test_resource_types();
    test_builtins();
    return tap::done();
}
