// Tests that forms that clients send against RFC 7643 are read as what they mean, reported by name,
// and refused under scim_profile rfc.

#include "scim/resource/dialect.h"

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

// Returns a User body in the form of RFC 7643 with these members.
std::string body(const std::string &members) {
    return R"({"schemas":[")" + core + R"("],)" + members + "}";
}

// Returns the members that would be stored, or the error. `report` gets the deviations.
std::string read(const std::string &json, bool strict = false, std::string *report = nullptr) {
    auto tree = parse_json(json, JsonLimits{});
    if (!tree) return "not JSON: " + tree.error().detail;
    DeviationReport rewrites;
    auto resource = read_resource(user(), tree->get(), strict, rewrites);
    if (report) *report = rewrites.summary();
    if (!resource)
        return std::string(to_string(resource.error().type())) + ": " + resource.error().detail;
    std::string out;
    write_members(out, user(), resource->leaves, nullptr, nullptr);
    return out;
}

// Tests that `members` are read as `want` and reported as `form`, and that scim_profile rfc refuses
// them with `refusal`.
void rewrites(const std::string &members, const std::string &want, const std::string &form,
              const std::string &refusal, const std::string &name) {
    std::string report;
    is(read(body(members), false, &report), want, name + " is read as what it means");
    is(report, form, name + " is reported");
    std::string strict = read(body(members), true, &report);
    ok(strict.find(refusal) != strict.npos, name + " is refused under scim_profile rfc");
    if (strict.find(refusal) == strict.npos) diag(strict);
}

void dialects() {
    rewrites(R"("active":"False")", R"("active":false)", "string-boolean", "must be true or false",
             "a boolean in a string");
    rewrites(R"("emails":[{"value":"x","primary":"TRUE"}])",
             R"("emails":[{"value":"x","primary":true}])", "string-boolean",
             "\"emails[0].primary\" must be true or false", "a boolean in a string in an element");
    rewrites(R"("emails":{"value":"x"})", R"("emails":[{"value":"x"}])", "single-value",
             "\"emails\" must be an array, not an object", "an object for an array");
    rewrites(R"("roles":"{\"value\":\"x\"}")", R"("roles":[{"value":"x"}])",
             "single-value,json-text", "\"roles\" must be an array", "the JSON text of an object");
    rewrites(R"("emails":["\t{\"VALUE\":\"x\"}"])", R"("emails":[{"value":"x"}])", "json-text",
             "\"emails[0]\" must be an object, not a string",
             "[L-json-text] the JSON text of an object in an element");
    for (const char *text : {"{", "{}", "{\\\"x\\\":1}"})
        rewrites(R"("roles":[")" + std::string(text) + R"("])",
                 R"("roles":[{"value":")" + std::string(text) + R"("}])", "bare-value",
                 "must be an object, not a string",
                 "the string " + std::string(text) + ", which is no JSON text of an element,");
    const std::string refused = read(body(R"("roles":["[{\"value\":\"x\"}]"])"));
    ok(refused.find("\"roles[0]\" must be an object, not a string") != refused.npos,
       "the JSON text of an array in an element is refused");
    is(read(body(R"("roles":["[x]"])")), R"("roles":[{"value":"[x]"}])",
       "a string in brackets that is not JSON is read as a value");
    rewrites(R"("roles":["x","y"])", R"("roles":[{"value":"x"},{"value":"y"}])", "bare-value*2",
             "\"roles[0]\" must be an object, not a string",
             "an array of strings for an array of objects");
    rewrites(R"("roles":"x")", R"("roles":[{"value":"x"}])", "single-value,bare-value",
             "\"roles\" must be an array", "a string for an array of objects");
    rewrites(R"("favouriteColour":"red")", "", "unknown-attribute:favouriteColour",
             "invalidSyntax: User has no attribute \"favouriteColour\"", "an unknown attribute");
    rewrites(R"("name":{"nick":"x"})", "", "unknown-attribute:name.nick", "\"name.nick\"",
             "an unknown sub-attribute");
    rewrites(R"("name.givenName":"x")", "", "unknown-attribute:name.givenName", "no attribute",
             "a dotted path as a member name");
    rewrites("\"" + core + R"(:title":"x")", "", "unknown-attribute:" + core + ":title",
             "no attribute", "a path with a URN as a member name");
    rewrites(R"("urn:x:y":{"a":1})", "", "unknown-attribute:urn:x:y", "\"urn:x:y\"",
             "an undeclared extension");
    rewrites("\"" + enterprise + R"(":{"department":"d"})",
             "\"" + enterprise + R"(":{"department":"d"})", "extension-not-in-schemas",
             "invalidSyntax: the body has an object",
             "[L-extension-not-in-schemas] an extension that schemas does not name");
}

void managers() {
    auto manager = [](const std::string &value, const std::string &want, const std::string &form) {
        std::string members = R"({"schemas":[")" + core + R"(",")" + enterprise + R"("],")" +
                              ascii_lower(enterprise) + R"(":{"manager":)" + value + "}}";
        std::string report;
        is(read(members, false, &report),
           want.empty() ? "" : "\"" + enterprise + "\":{\"manager\":" + want + "}",
           "manager " + value + " is read as " + (want.empty() ? "no value" : want));
        is(report, form, "manager " + value + " is reported as '" + form + "'");
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
       "an empty value in a multi-valued attribute is kept");
}

void schemas() {
    auto check = [](const std::string &value, const std::string &form, const std::string &strict) {
        std::string json =
            "{" + (value.empty() ? "" : "\"schemas\":" + value + ",") + R"("title":"t"})";
        std::string report;
        is(read(json, false, &report), R"("title":"t")",
           "a body with schemas '" + value + "' is accepted");
        is(report, form, "schemas '" + value + "' is reported as '" + form + "'");
        std::string got = read(json, true);
        if (!ok(got.find(strict) != got.npos,
                "schemas '" + value + "' under scim_profile rfc gives '" + strict + "'"))
            diag(got);
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
           std::string("a SCIM 1.1 schema is refused with the URN to send") +
               (strict ? ", scim_profile rfc" : ""));
        is(read(R"({"schemas":[5]})", strict),
           "invalidSyntax: \"schemas\" must contain strings, not a number",
           std::string("a number in schemas is refused") + (strict ? ", scim_profile rfc" : ""));
    }
}

}  // namespace

int main() {
    dialects();
    managers();
    schemas();
    return tap::done();
}
