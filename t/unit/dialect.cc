// Forms that real clients send although RFC 7643 has others are read as what they mean, reported by
// name, and refused under scim_profile rfc.

#include "scim/dialect.h"

#include "tap.h"

using namespace scim;

namespace {

const std::string core = std::string(user_urn);
const std::string enterprise = std::string(enterprise_user_urn);

const std::string links = "urn:example:links:2.0:User";
const char links_schema[] = R"({"id":"urn:example:links:2.0:User","name":"L","attributes":[
  {"name":"links","type":"complex","multiValued":true,"subAttributes":[
    {"name":"value","type":"string","multiValued":false},
    {"name":"$ref","type":"reference","multiValued":false,"referenceTypes":["uri"]}]}]})";

const TypeView &user() {
    static const auto catalog =
        *Catalog::build(**declare({}, *make_declaration(1, {*load_definition(links_schema)})));
    return *catalog->type_by_name("User");
}

// The RFC form of a body with these members.
std::string body(const std::string &members) {
    return R"({"schemas":[")" + core + R"("],)" + members + "}";
}

// The body as it would be stored, or the error.
std::string read(const std::string &json, bool strict = false, std::string *report = nullptr) {
    auto tree = parse_json(json, JsonLimits{});
    if (!tree) return "not JSON: " + tree.error().detail;
    Report rewrites;
    auto resource = read_resource(user(), tree->get(), strict, rewrites);
    if (report) *report = rewrites.summary();
    if (!resource)
        return std::string(to_string(resource.error().type)) + ": " + resource.error().detail;
    std::string out;
    write_members(out, user(), resource->leaves, nullptr, nullptr);
    return out;
}

// Accepted and reported as `form`, refused with `refusal` by scim_profile rfc.
void rewrites(const std::string &members, const std::string &want, const std::string &form,
              const std::string &refusal, const std::string &name) {
    std::string report;
    is(read(body(members), false, &report), want, name);
    is(report, form, name + ": reported");
    std::string strict = read(body(members), true, &report);
    ok(strict.find(refusal) != strict.npos, name + ": refused if strict");
    if (strict.find(refusal) == strict.npos) diag(strict);
}

void dialects() {
    rewrites(R"("active":"False")", R"("active":false)", "string-boolean", "must be true or false",
             "a boolean in a string");
    rewrites(R"("emails":[{"value":"x","primary":"TRUE"}])",
             R"("emails":[{"value":"x","primary":true}])", "string-boolean",
             "\"emails[0].primary\" must be true or false", "in an element");
    rewrites(R"("emails":{"value":"x"})", R"("emails":[{"value":"x"}])", "single-value",
             "\"emails\" must be an array, not an object", "an object for an array");
    rewrites(R"("roles":"{\"value\":\"x\"}")", R"("roles":[{"value":"x"}])",
             "single-value,json-text", "\"roles\" must be an array", "JSON text for an object");
    rewrites(R"("emails":["\t{\"VALUE\":\"x\"}"])", R"("emails":[{"value":"x"}])", "json-text",
             "\"emails[0]\" must be an object, not a string", "JSON text for an element");
    for (const char *text : {"{", "{}", "{\\\"x\\\":1}"})
        rewrites(R"("roles":[")" + std::string(text) + R"("])",
                 R"("roles":[{"value":")" + std::string(text) + R"("}])", "bare-value",
                 "must be an object, not a string",
                 std::string("no object of the attribute: ") + text);
    const std::string refused = read(body(R"("roles":["[{\"value\":\"x\"}]"])"));
    ok(refused.find("\"roles[0]\" must be an object, not a string") != refused.npos,
       "the JSON of an array in a string is refused");
    is(read(body(R"("roles":["[x]"])")), R"("roles":[{"value":"[x]"}])", "other brackets are text");
    rewrites(R"("roles":["x","y"])", R"("roles":[{"value":"x"},{"value":"y"}])", "bare-value*2",
             "\"roles[0]\" must be an object, not a string", "strings for objects");
    rewrites(R"("roles":"x")", R"("roles":[{"value":"x"}])", "single-value,bare-value",
             "\"roles\" must be an array", "a string for an array of objects");
    rewrites(R"("favouriteColour":"red")", "", "unknown-attribute:favouriteColour",
             "invalidSyntax: User has no attribute \"favouriteColour\"", "an unknown attribute");
    rewrites(R"("name":{"nick":"x"})", "", "unknown-attribute:name.nick", "\"name.nick\"",
             "an unknown part");
    rewrites(R"("name.givenName":"x")", "", "unknown-attribute:name.givenName", "no attribute",
             "a path is no name");
    rewrites("\"" + core + R"(:title":"x")", "", "unknown-attribute:" + core + ":title",
             "no attribute", "nor with a URN");
    rewrites(R"("urn:x:y":{"a":1})", "", "unknown-attribute:urn:x:y", "\"urn:x:y\"",
             "an extension nobody declared");
    rewrites("\"" + enterprise + R"(":{"department":"d"})",
             "\"" + enterprise + R"(":{"department":"d"})", "extension-not-in-schemas",
             "invalidSyntax: the body has an object", "an extension that schemas does not name");
}

void managers() {
    auto manager = [](const std::string &value, const std::string &want, const std::string &form) {
        std::string members = R"({"schemas":[")" + core + R"(",")" + enterprise + R"("],")" +
                              ascii_lower(enterprise) + R"(":{"manager":)" + value + "}}";
        std::string report;
        is(read(members, false, &report),
           want.empty() ? "" : "\"" + enterprise + "\":{\"manager\":" + want + "}",
           "manager " + value);
        is(report, form, "manager " + value + ": reported");
    };
    manager(R"({"value":"m","displayName":"M"})", R"({"value":"m"})", "");
    manager(R"("m")", R"({"value":"m"})", "bare-value");
    manager(R"([{"value":"m","$REF":"../Groups/m"}])", R"({"value":"m"})", "array-of-one");
    manager(R"(["m"])", R"({"value":"m"})", "array-of-one,bare-value");
    manager(R"("")", "", "bare-value,empty-reference");
    manager(R"({"value":"","$ref":"x"})", "", "empty-reference");
    const std::string ref =
        "unknown-attribute:urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.$ref";
    manager(R"({"$ref":"../Groups/m"})", "", ref);
    manager(R"({"$ref":"../Groups/m","displayName":"M"})", "", ref);
    manager(R"({"$ref":null})", "", "");
    manager(R"({"displayName":"M"})", "", "");
    manager("null", "", "");
    manager("[]", "", "");
    manager("{}", "", "");

    const std::string many = "\"" + links + R"(":{"links":[{"value":"","$ref":"x"}]})";
    is(read(R"({"schemas":[")" + core + R"(",")" + links + R"("],)" + many + "}"), many,
       "an empty string in a list unassigns nothing");
}

void schemas() {
    auto check = [](const std::string &value, const std::string &form, const std::string &strict) {
        std::string json =
            "{" + (value.empty() ? "" : "\"schemas\":" + value + ",") + R"("title":"t"})";
        std::string report;
        is(read(json, false, &report), R"("title":"t")", "schemas: " + value);
        is(report, form, "schemas: " + value + ": reported");
        std::string got = read(json, true);
        if (!ok(got.find(strict) != got.npos, "schemas: " + value + ": if strict")) diag(got);
    };
    check("[\"" + core + "\"]", "", R"("title":"t")");
    check("[\"" + ascii_lower(core) + "\",\"" + enterprise + "\"]", "", R"("title":"t")");
    check("", "schemas-missing", "invalidSyntax: \"schemas\" must be an array");
    check("[]", "schemas-missing", "and it is missing");
    check("null", "schemas-missing", "and it is missing");
    check("\"" + core + "\"", "single-value", "not a string");
    check("[\"" + enterprise + "\"]", "schemas-incomplete", "contains \"" + core + "\"");
    check("[\"" + core + "\",\"urn:x\"]", "unknown-schema", "\"urn:x\" in \"schemas\" is not");
    check("[\"" + core + "\",\"" + core + "\"]", "duplicate-schema", "twice");

    for (bool strict : {false, true}) {
        is(read(R"({"schemas":["urn:scim:schemas:core:1.0"]})", strict),
           "invalidSyntax: \"urn:scim:schemas:core:1.0\" in \"schemas\" is SCIM 1.1; this server "
           "speaks SCIM 2.0: send \"" +
               core + "\"",
           "SCIM 1.1 is told what to send");
        is(read(R"({"schemas":[5]})", strict),
           "invalidSyntax: \"schemas\" must contain strings, not a number", "no URN at all");
    }
}

}  // namespace

int main() {
    dialects();
    managers();
    schemas();
    return tap::done();
}
