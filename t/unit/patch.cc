// Tests that PATCH does what RFC 7644 3.5.2 says and what identity providers mean, and that a
// refused PATCH changes nothing and has an error that names the operation: single-valued attributes,
// values without a path, and the order of operations. patch_elements.cc tests elements.

#include "scim/patch/patch.h"

#include "patch_fixture.h"

using namespace fixture;

namespace {

const std::string ent(enterprise_user_urn);
const std::string acme(acme_urn);

void singular() {
    rfc(R"("userName":"u")", op("add", "title", "\"T\""), R"("userName":"u","title":"T")",
        "[S-122] add sets a simple attribute");
    rfc(R"("title":"S")", op("add", "title", "\"T\""), R"("title":"T")",
        "[S-122] add replaces the value of a simple attribute");
    rfc(R"("title":"S")", op("replace", "TITLE", "\"T\""), R"("title":"T")",
        "[S-128] replace replaces the value of a simple attribute");
    rfc("", op("replace", "title", "\"T\""), R"("title":"T")",
        "[S-128] replace sets an unassigned attribute");
    rfc(R"("title":"S")", op("replace", "title", "null"), "",
        "[S-129] replace by null unassigns the attribute");
    rfc(R"("title":"S")", op("replace", "title", "[]"), "",
        "[S-17 S-129] replace by [] unassigns the attribute");
    rfc(R"("title":"S")", op("add", "title", "null"), R"("title":"S")",
        "add of null changes nothing");
    rfc(R"("title":"S")", op("remove", "title"), "", "[S-124] remove unassigns a simple attribute");
    rfc(R"("nickName":"S")", op("remove", "title"), R"("nickName":"S")",
        "[S-118] remove of an unassigned attribute changes nothing");
    rfc(R"("title":"S")", op("replace", "title", "\"\""), R"("title":"")",
        "replace by an empty string keeps the empty string");
    rfc("", op("add", "active", "false") + "," + op("add", acme + ":level", "7"),
        R"("active":false,")" + acme + R"(":{"level":7})", "add sets a boolean and an integer");
    is(patched("", op("Add", "title", "\"T\"") + "," + op("REPLACE", "nickName", "\"N\"")),
       R"("nickName":"N","title":"T")", "op is accepted in any case");
    dialect(R"("active":true)", op("replace", "active", "\"False\""), R"("active":false)",
            "string-boolean", "invalidValue", "[L-string-boolean] a boolean in a string");
    dialect("", op("Replace", "title", "\"T\""), R"("title":"T")", "op-case", "invalidSyntax",
            "[S-112 L-op-case] op in another case");
    dialect("", op("add", "department", "\"D\""), "\"" + ent + R"(":{"department":"D"})",
            "unprefixed-extension", "invalidPath",
            "[L-unprefixed-extension] an extension without its URN");
    dialect("", op("add", "colour", "\"D\""), "", "unknown-attribute:colour", "invalidPath",
            "[S-205 L-unknown-attribute] an unknown attribute");
    // A remove of a single-valued attribute removes it whatever value is sent.
    for (const char *value : {"\"S\"", "\"another\"", "5", "[\"another\"]", R"({"value":"S"})"})
        dialect(R"("title":"S")", op("remove", "title", value), "", "remove-with-value",
                "invalidValue",
                std::string("remove of a simple attribute with the value ") + value);
    rfc(R"("title":"S")", op("remove", "title", "null"), "",
        "remove of a simple attribute with the value null unassigns it");
}

void simple_elements() {
    const std::string xyz = "\"" + acme + R"(":{"words":["x","y","z"]})";
    const std::string xz = "\"" + acme + R"(":{"words":["x","z"]})";
    rfc(xyz, op("remove", acme + ":words[value eq \"Y\"]"), xz,
        "[E-7122] remove removes the simple value that the filter selects");
    rfc(xyz, op("remove", acme + ":words[value sw \"q\"]"), xyz,
        "remove with a filter that selects no simple value changes nothing");
    rfc(xyz, op("remove", acme + ":words[not (value eq \"y\")]"),
        "\"" + acme + R"(":{"words":["y"]})",
        "a filter is evaluated for each simple value separately");
    rfc(xyz, op("replace", acme + ":words[value eq \"y\"]", "\"w\""),
        "\"" + acme + R"(":{"words":["x","w","z"]})",
        "replace replaces the simple value that the filter selects");
    rfc(xyz, op("replace", acme + ":words[value eq \"y\"].value", "\"z\""), xz,
        "replace of a selected simple value by an existing one leaves one of the two");
    rfc(xz, op("add", acme + ":words.value", R"(["y"])"),
        "\"" + acme + R"(":{"words":["x","z","y"]})", "add to words.value adds simple values");
    refused(xyz, op("replace", acme + ":words[value eq \"q\"]", "\"w\""),
            "noTarget: ", "replace with a filter that selects no simple value");
    refused(xyz, op("remove", acme + ":words[type eq \"q\"]"),
            "invalidFilter: ", "a filter on a sub-attribute other than value of simple values");
    dialect(xz, op("add", acme + ":words", R"([{"value":"y"},{"value":null}])"),
            "\"" + acme + R"(":{"words":["x","z","y"]})", "value-object*2", "invalidValue",
            "[L-value-object] add of simple values in objects");
    dialect(xyz, op("remove", acme + ":words", R"([{"value":"y"}])"), xz,
            "remove-with-value,value-object", "invalidValue",
            "remove of a simple value in an object");
    dialect("", op("add", acme + ":words", R"([{"value":"y","display":"Y"}])"),
            "\"" + acme + R"(":{"words":["y"]})",
            "value-object,unknown-attribute:" + acme + ":words.display", "invalidValue",
            "add of a simple value in an object with another sub-attribute");
    dialect("", op("replace", acme + ":ranks", R"(["1",{"value":"2"}])"),
            "\"" + acme + R"(":{"ranks":[1,2]})", "string-number*2,value-object", "invalidValue",
            "[L-string-number] replace by integers in strings and objects");
    dialect("", op("replace", acme + ":score", "\"-12.50\""), "\"" + acme + R"(":{"score":-12.5})",
            "string-number", "invalidValue", "replace by a decimal in a string");
    dialect("", op("replace", acme + ":level", "\"-9223372036854775808\""),
            "\"" + acme + R"(":{"level":-9223372036854775808})", "string-number", "invalidValue",
            "replace by the smallest integer in a string");
    for (const char *text :
         {"9223372036854775808", "", " 1", "1 ", "+1", "01", "0x1", "1.5", "1e3", "one"})
        refused("", op("replace", acme + ":level", '"' + std::string(text) + '"'),
                "invalidValue: ", "the string \"" + std::string(text) + "\" for an integer");
    for (const char *text : {"1e999", "NaN", "inf", "1,5"})
        refused("", op("replace", acme + ":score", '"' + std::string(text) + '"'),
                "invalidValue: ", "the string \"" + std::string(text) + "\" for a decimal");
}

void complex() {
    const std::string name = R"("name":{"familyName":"F","givenName":"G"})";
    rfc(name, op("replace", "name", R"({"givenName":"H"})"),
        R"("name":{"familyName":"F","givenName":"H"})",
        "[S-128] replace of a complex attribute keeps the sub-attributes that are not sent");
    rfc(name, op("add", "name", R"({"givenName":"H","middleName":"M"})"),
        R"("name":{"familyName":"F","givenName":"H","middleName":"M"})",
        "[S-122] add to a complex attribute keeps the sub-attributes that are not sent");
    rfc(name, op("replace", "name", R"({"givenName":null,"familyName":"E"})"),
        R"("name":{"familyName":"E"})",
        "replace with null in the object unassigns the sub-attribute");
    rfc(name, op("add", "name", R"({"givenName":null,"familyName":"E"})"),
        R"("name":{"familyName":"E","givenName":"G"})",
        "add with null in the object keeps the sub-attribute");
    rfc(name, op("replace", "name", R"({"givenName":null,"familyName":null})"), "",
        "replace with null for all sub-attributes unassigns the complex attribute");
    rfc(name, op("replace", "name", "{}"), name,
        "replace of a complex attribute by an empty object changes nothing");
    rfc(name, op("replace", "name", "null"), "",
        "replace of a complex attribute by null unassigns it");
    rfc(name, op("remove", "name"), "", "remove unassigns a complex attribute");
    rfc(name, op("remove", "name.givenName"), R"("name":{"familyName":"F"})",
        "remove unassigns a sub-attribute");
    dialect(name, op("remove", "name.givenName", "\"H\""), R"("name":{"familyName":"F"})",
            "remove-with-value", "invalidValue", "remove of a sub-attribute with another value");
    dialect(name, op("remove", "name", R"({"givenName":"G"})"), "", "remove-with-value",
            "invalidValue", "remove of a complex attribute with the value of one sub-attribute");
    rfc(R"("name":{"givenName":"G"})", op("remove", "name.givenName"), "",
        "remove of the last sub-attribute unassigns the complex attribute");
    rfc("", op("replace", "name.familyName", "\"F\""), R"("name":{"familyName":"F"})",
        "replace sets a sub-attribute of an unassigned complex attribute");
    rfc(name, op("replace", "name.familyName", "null"), R"("name":{"givenName":"G"})",
        "replace of a sub-attribute by null unassigns it");
    rfc(name, op("add", "name.familyName", "null"), name,
        "add of null to a sub-attribute changes nothing");
    is(patched(name, op("replace", "name", R"({"nick":"x"})")), name,
       "replace by an object of unknown sub-attributes changes nothing");
    is(summary, "unknown-attribute:name.nick",
       "replace by an object of unknown sub-attributes is reported");
    refused(name, op("replace", "name", "\"x\""),
            "invalidValue: Operations[0].value: \"name\" must be an object, not a string",
            "a string for a complex attribute");
    refused("", op("add", "title", "\"T\"") + "," + op("replace", "name.familyName", "5"),
            "invalidValue: Operations[1].value: \"name.familyName\" must be a string, not a number",
            "a number for a string in the second operation");
}

// `active` cannot be unassigned: a deprovisioned user without it would count as active.
void active() {
    for (const std::string &operation :
         {op("remove", "active"), op("replace", "active", "null"), op("replace", "ACTIVE", "[]"),
          op("replace", "", R"({"active":null})")})
        dialect(R"("active":false)", operation, R"("active":false)", "active-kept", "mutability",
                "[L-active-kept] unassigning active false, which keeps it, by " + operation);
    rfc(R"("active":false)", op("add", "active", "null"), R"("active":false)",
        "add of null to active changes nothing");
    is(patched(R"("active":false)", op("remove", "active") + "," + op("add", "active", "true")),
       R"("active":true)", "add of active after its remove sets it");
}

void without_path() {
    rfc(R"("title":"S","nickName":"N")", op("replace", "", R"({"title":"T","active":false})"),
        R"("nickName":"N","title":"T","active":false)",
        "[S-128] replace without a path sets the attributes sent and keeps the others");
    rfc(R"("name":{"familyName":"F"})", op("replace", "", R"({"name":{"givenName":"G"}})"),
        R"("name":{"familyName":"F","givenName":"G"})",
        "replace without a path keeps the sub-attributes that are not sent");
    rfc(both, op("replace", "", R"({"emails":[{"value":"x"}]})"), R"("emails":[{"value":"x"}])",
        "replace without a path replaces all elements of a multi-valued attribute");
    rfc(work, op("add", "", R"({"emails":[{"value":"x"}],"title":"T"})"),
        R"("title":"T","emails":[{"value":"w","type":"work","primary":true},{"value":"x"}])",
        "[S-121] add without a path adds elements to a multi-valued attribute");
    rfc(R"("title":"T")", op("replace", "", R"({"title":null})"), "",
        "replace without a path unassigns attributes that are null");
    rfc(R"("title":"T")", op("add", "", R"({"title":null})"), R"("title":"T")",
        "add without a path keeps attributes that are null");
    const std::string dept = "\"" + ent + R"(":{"employeeNumber":"1","department":"D"})";
    rfc(dept, op("replace", "", "{\"" + ent + R"(":{"department":"E"}})"),
        "\"" + ent + R"(":{"employeeNumber":"1","department":"E"})",
        "replace without a path keeps the attributes of an extension that are not sent");
    rfc(dept, op("replace", "", "{\"" + ent + R"(":{"department":null}})"),
        "\"" + ent + R"(":{"employeeNumber":"1"})",
        "replace without a path unassigns an attribute of an extension that is null");
    rfc(dept, op("replace", "", "{\"" + ent + R"(":null})"), "",
        "replace without a path unassigns an extension that is null");
    rfc(dept, op("add", "", "{\"" + ent + R"(":null})"), dept,
        "add without a path keeps an extension that is null");
    rfc(dept, op("replace", ent, R"({"department":"E"})"),
        "\"" + ent + R"(":{"employeeNumber":"1","department":"E"})",
        "replace with an extension's URN as path keeps the attributes that are not sent");
    rfc(dept + ",\"" + acme + R"(":{"level":1})", op("remove", ent),
        "\"" + acme + R"(":{"level":1})",
        "[S-120] remove with an extension's URN as path unassigns all its attributes");
    rfc("", op("add", ent + ":department", "\"D\""), "\"" + ent + R"(":{"department":"D"})",
        "[S-120] add of an extension's attribute adds the extension");
    dialect(R"("name":{"familyName":"F"})",
            op("replace", "", R"({"name.givenName":"G","title":"T"})"),
            R"("name":{"familyName":"F","givenName":"G"},"title":"T")", "path-in-value",
            "invalidPath", "[S-121 L-path-in-value] a dotted path as a member of the value");
    dialect("", op("add", "", "{\"" + ent + R"(:department":"D"})"),
            "\"" + ent + R"(":{"department":"D"})", "path-in-value", "invalidPath",
            "a path with a URN as a member of the value");
    dialect(
        "",
        op("replace", "",
           R"({"emails[type eq \"work\"].value":"x","emails[type eq \"work\"].primary":"true"})"),
        R"("emails":[{"value":"x","type":"work","primary":true}])",
        "path-in-value*2,string-boolean,created-element", "invalidPath",
        "a path with a filter as a member of the value");
    dialect("", op("add", "", "{\"" + ent + R"(":{"manager.value":"m"}})"),
            "\"" + ent + R"(":{"manager":{"value":"m"}})", "path-in-value", "invalidPath",
            "a dotted path as a member of an extension in the value");
    dialect(R"("title":"S")", op("replace", "", R"({"title":"T","department":"D","x y":1})"),
            R"("title":"T")", "unknown-attribute:department,unknown-attribute:x?y", "invalidPath",
            "unknown attributes in the value");
    dialect("", R"({"op":"replace","path":null,"value":{"title":"T"}})", R"("title":"T")",
            "empty-path", "invalidPath", "[L-empty-path] a path that is null");
    dialect("", R"({"op":"replace","path":"","value":{"title":"T"}})", R"("title":"T")",
            "empty-path", "invalidPath", "an empty path");
    // The URN of the core schema as a path means the resource itself.
    const std::string core = "urn:ietf:params:scim:schemas:core:2.0:User";
    dialect(R"("title":"S")", op("replace", core, R"({"title":"T","active":false})"),
            R"("title":"T","active":false)", "core-urn", "invalidPath",
            "[L-core-urn] the core URN as path");
    dialect(R"("title":"S")",
            op("add", "", R"({"URN:ietf:params:scim:schemas:core:2.0:user":{"title":"T"}})"),
            R"("title":"T")", "core-urn", "invalidPath", "the core URN as a member of the value");
    is(patched("", op("add", core, R"({"id":"x","title":"T"})")), R"("title":"T")",
       "readOnly attributes are ignored in the value of the core URN");
    refused("", op("remove", core),
            "noTarget: Operations[0]: ", "remove with the core URN as path");
    refused("", op("replace", core, "null"),
            "invalidValue: Operations[0].value: ", "replace of the core URN by null");
    refused("", op("replace", "", "{\"" + core + "\":5}"),
            "invalidValue: Operations[0].value: ", "a number for the core URN in the value");
    dialect("",
            op("replace", "", R"({"id":"x","schemas":["y"],"meta":{},"groups":[],"title":"T"})"),
            R"("title":"T")", "read-only-value*4", "mutability",
            "[S-132 L-read-only-value] a value with readOnly attributes, which are ignored,");
    rfc("", op("replace", "", R"({"password":"s3cret","title":"T"})"), R"("title":"T")",
        "replace without a path accepts a password and does not store it");
    refused("", op("replace", "", "\"x\""),
            "invalidValue: Operations[0].value: without a \"path\" this must be an object of "
            "attributes, not a string",
            "replace without a path by a string");
    refused("", op("replace", "", R"({"emails[type eq \"work\"":"x"})"),
            "invalidPath: Operations[0].value: the path ",
            "a malformed path as a member of the value");
    refused("", op("replace", "", "{\"" + ent + R"(":"x"})"),
            "invalidValue: Operations[0].value: \"" + ent + "\" must be an object",
            "a string for an extension in the value");
    refused("", op("replace", "", R"({"title":5})"),
            "invalidValue: Operations[0].value: \"title\" must be a string",
            "a number for a string in the value");
    refused("", op("remove", ent, "{}"), "invalidValue: ", "remove of an extension with a value");
}

void manager() {
    const std::string path = ent + ":manager";
    auto boss = [](const std::string &id) {
        return "\"" + ent + R"(":{"manager":{"value":")" + id + "\"}}";
    };
    rfc("", op("add", path, R"({"value":"m"})"), boss("m"), "add sets the manager by an object");
    rfc(boss("m"), op("replace", path, R"({"value":"n","$ref":"x","displayName":"D"})"), boss("n"),
        "$ref and displayName of a manager are ignored beside its value");
    rfc(boss("m"), op("replace", path + ".value", "\"n\""), boss("n"),
        "replace of manager.value sets the manager");
    rfc(boss("m"), op("replace", path, "null"), "", "replace by null unassigns the manager");
    rfc(boss("m"), op("remove", path), "", "remove unassigns the manager");
    rfc(boss("m"), op("remove", path + ".value"), "",
        "remove of manager.value unassigns the manager");
    for (bool strict : {false, true})
        is(patched(boss("m"), op("replace", path + ".$ref", "\"x\""), strict), boss("m"),
           std::string("replace of manager.$ref changes nothing") +
               (strict ? ", under scim_profile rfc" : ""));
    const std::string alone[] = {op("add", path, R"({"$ref":"../Groups/m"})"),
                                 op("replace", path, R"({"$ref":"../Groups/m","displayName":"M"})"),
                                 op("add", path, R"([{"$ref":"../Groups/m"}])"),
                                 op("add", path + ".$ref", "\"../Groups/m\""),
                                 op("remove", path + ".$ref"),
                                 op("add", path + R"([value eq "m"].$ref)", "\"../Groups/m\""),
                                 op("add", "", "{\"" + ent + R"(":{"manager":{"$ref":"x"}}})"),
                                 op("add", "", "{\"" + ent + R"(:manager":{"$ref":"x"}})"),
                                 op("add", "", "{\"" + ent + R"(:manager.$ref":"x"})")};
    for (const auto &operation : alone) {
        patched(boss("m"), operation);
        ok(has(summary, "unknown-attribute:") && has(summary, "User:manager.$ref"),
           "a manager's $ref without value that is not the URI of a User is reported: " +
               operation);
    }
    dialect("", op("add", path, "\"m\""), boss("m"), "bare-value", "invalidValue",
            "a string for the manager");
    dialect("", op("add", path, R"([{"$ref":"x","value":"m"}])"), boss("m"), "array-of-one",
            "invalidValue", "[L-array-of-one] an array of one manager");
    // An empty string for the manager's value unassigns the manager.
    for (const char *value : {R"({"value":""})", R"([{"value":""}])", "\"\""}) {
        is(patched(boss("m"), op("replace", path, value)), "",
           std::string("replace by ") + value + " unassigns the manager");
        is(patched(boss("m"), op("add", path, value)), "",
           std::string("add of ") + value + " unassigns the manager");
    }
    is(patched(boss("m"), op("replace", path + ".value", "\"\"")), "",
       "replace of manager.value by an empty string unassigns the manager");
    dialect(boss("m"), op("remove", path + R"([value eq "m"])"), "", "filter-on-singular",
            "invalidPath", "[L-filter-on-singular] remove of the manager with a filter");
    is(patched(boss("m"), op("remove", path + R"([value eq "n"])")), boss("m"),
       "remove of the manager with a filter for another value changes nothing");
    is(patched("", op("add", path + R"([value eq "m"])", R"({"value":"n"})")), boss("n"),
       "add of the manager with a filter sets it");
    is(patched(boss("m"), op("replace", path + R"([value eq "m"].value)", "\"n\"")), boss("n"),
       "replace of the manager with a filter sets it");
    refused(boss("x"), op("replace", path + R"([value eq "m"].value)", "\"n\""),
            "noTarget: ", "replace of the manager with a filter for another value");
    dialect("", op("add", "manager", R"({"value":"m"})"), boss("m"), "unprefixed-extension",
            "invalidPath", "the path manager without the URN of its extension");
    refused("", op("add", path + ".displayName", "\"x\""),
            "mutability: Operations[0].path: ", "add of the readOnly manager.displayName");
}

void order() {
    rfc("",
        op("add", "title", "\"T\"") + "," + op("remove", "title") + "," +
            op("add", "nickName", "\"N\""),
        R"("nickName":"N")", "[S-116] an operation sees the result of earlier ones");
    refused(R"("title":"T")",
            op("remove", "title") + "," + op("add", R"(emails[type sw "x"].value)", "\"x\""),
            "noTarget: Operations[1]: ", "[S-116] a PATCH whose second operation has no target");
    is(patched(R"("title":"T")", op("replace", "title", "\"T\"") + "," + op("add", "emails", "[]")),
       R"("title":"T")", "replace by the same value and add of [] change nothing");

    // Leaves of attributes that the type does not declare are kept.
    DeviationReport report;
    Json body = must(parse_json(R"({"userName":"u","title":"T"})", JsonLimits()));
    Resource resource = must(read_resource(user(), body.get(), false, report));
    resource.leaves.push_back({60000, 3, "\"old\""});
    Json json = must(parse_json(message(op("remove", "title")), JsonLimits()));
    Patch patch = must(Patch::parse(user(), json.get(), PatchLimits(), true, report));
    Work work;
    ok(bool(patch.apply(user(), resource, report, work)) && resource.leaves.size() == 2 &&
           resource.leaves[1].attr == 60000 && resource.leaves[1].element == 3 &&
           resource.leaves[1].json == "\"old\"",
       "PATCH keeps leaves of undeclared attributes");
    ok(!patch.empty() && patch.members().empty(),
       "a PATCH of another attribute is not empty and has no edits of members");
}

}  // namespace

int main() {
    singular();
    simple_elements();
    complex();
    active();
    without_path();
    manager();
    order();
    return tap::done();
}
