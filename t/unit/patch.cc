// Tests that PATCH does what RFC 7644 3.5.2 says and what identity providers mean, and that a
// refused PATCH changes nothing and has an error that names the operation.

#include "scim/patch/patch.h"

#include <algorithm>
#include <ctime>

#include "patch_fixture.h"

using namespace fixture;

namespace {

const std::string ent(enterprise_user_urn);
const std::string acme(acme_urn);

const std::string work = R"("emails":[{"value":"w","type":"work","primary":true}])";
const std::string both =
    R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h","type":"home"}])";

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

void multi_valued() {
    rfc("", op("add", "emails", R"([{"value":"x"}])"), R"("emails":[{"value":"x"}])",
        "[S-122] add adds an element to an unassigned attribute");
    rfc(work, op("add", "emails", R"([{"value":"x"},{"value":"w","type":"work","primary":true}])"),
        R"("emails":[{"value":"w","type":"work","primary":true},{"value":"x"}])",
        "[S-118 S-122] add does not add an element that exists");
    rfc(work, op("add", "emails", "[]"), work, "add of [] changes nothing");
    rfc(both, op("replace", "emails", R"([{"value":"x"},{"value":"x"}])"),
        R"("emails":[{"value":"x"}])",
        "[S-128] replace of a multi-valued attribute replaces all elements");
    rfc(both, op("replace", "emails", "[]"), "",
        "replace of a multi-valued attribute by [] unassigns it");
    rfc(both, op("remove", "emails"), "", "[S-124] remove unassigns a multi-valued attribute");
    rfc("\"" + acme + R"(":{"words":["a"]})", op("add", acme + ":words", R"(["b","a"])"),
        "\"" + acme + R"(":{"words":["a","b"]})",
        "add adds only the simple values that do not exist");
    rfc("\"" + acme + R"(":{"words":["a"]})", op("replace", acme + ":words", R"(["b"])"),
        "\"" + acme + R"(":{"words":["b"]})", "replace replaces all simple values");
    rfc(work, op("add", "emails", R"([{"value":"x","primary":true}])"),
        R"("emails":[{"value":"w","type":"work","primary":false},{"value":"x","primary":true}])",
        "[S-12 S-119] add of a primary element makes the other elements not primary");
    refused(work,
            op("add", "emails", R"([{"value":"x","primary":true},{"value":"y","primary":true}])"),
            "invalidValue: Operations[0].value: \"emails[1]\" is the second",
            "[S-11] add of two primary elements");
    dialect("", op("add", "emails", R"({"value":"x"})"), R"("emails":[{"value":"x"}])",
            "single-value", "invalidValue",
            "[S-130 L-single-value] an object instead of the array");
    dialect("", op("add", "emails", R"(["x"])"), R"("emails":[{"value":"x"}])", "bare-value",
            "invalidValue", "[L-bare-value] a string instead of an element");
    rfc(both, op("replace", "emails.type", "\"other\""),
        R"("emails":[{"value":"w","type":"other","primary":true},{"value":"h","type":"other"}])",
        "replace of a sub-attribute without a filter changes all elements");
    rfc(both, op("remove", "emails.type"),
        R"("emails":[{"value":"w","primary":true},{"value":"h"}])",
        "remove of a sub-attribute without a filter changes all elements");
    rfc("", op("add", "emails.value", "\"x\""), R"("emails":[{"value":"x"}])",
        "add to a sub-attribute of an unassigned attribute adds an element");
    rfc(both,
        op("replace", "emails.value", "\"x\"") + "," + op("remove", "emails.type") + "," +
            op("remove", "emails.primary"),
        R"("emails":[{"value":"x"}])", "elements that became equal are merged");
    dialect(both, op("remove", "emails", R"([{"value":"H"}])"), work, "remove-with-value",
            "invalidValue", "[S-126 L-remove-with-value] remove with a list of elements");
    is(patched(both, op("remove", "emails",
                        R"([{"type":"work","value":"h"},{"type":"HOME","value":"h"}])")),
       work,
       "remove with a list removes the elements that equal a listed one in every sub-attribute "
       "sent");
    // Listed elements only select: they may have different sub-attributes, and several may be
    // primary.
    is(patched(both, op("remove", "emails", R"([{"value":"h","display":"D"},{"value":"h"}])")),
       work, "each listed element is compared separately");
    is(patched(both, op("remove", "emails",
                        R"([{"value":"w","primary":true},{"value":"h","primary":true}])")),
       R"("emails":[{"value":"h","type":"home"}])", "several listed elements may be primary");
    is(patched(both, op("remove", "emails", R"(["w"])")),
       R"("emails":[{"value":"h","type":"home"}])",
       "remove with a list of strings removes the elements with these values");
    is(patched(both, op("remove", "emails", "null")), both,
       "remove of a multi-valued attribute with null removes nothing");
    is(patched(both, op("remove", "emails", "[]")), both,
       "remove of a multi-valued attribute with [] removes nothing");
    is(patched(both, op("remove", "emails", "[{}]")), both,
       "remove of a multi-valued attribute with an empty element removes nothing");
    is(patched(both, op("remove", "emails.type", "\"home\"")),
       R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h"}])",
       "remove of a sub-attribute with a value removes it from the elements that have this value");
}

// A resource never has two elements of the same type and value (RFC 7643 2.4).
void same_elements() {
    const std::string mine =
        R"("emails":[{"value":"w","type":"work"},{"value":"h","type":"home","primary":true}])";
    auto add = [](const std::string &element) { return op("add", "emails", "[" + element + "]"); };
    rfc(mine, add(R"({"type":"work","value":"w","primary":true})"),
        R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h","type":"home","primary":false}])",
        "add of an existing element with primary true makes it primary");
    rfc(mine, add(R"({"value":"h","type":"home","display":"D"})"),
        R"("emails":[{"value":"w","type":"work"},{"value":"h","display":"D","type":"home","primary":true}])",
        "add of an existing element with display sets its display");
    rfc(mine, add(R"({"value":"h","type":"home","primary":false})"),
        R"("emails":[{"value":"w","type":"work"},{"value":"h","type":"home","primary":false}])",
        "add of an existing element with primary false makes it not primary");
    rfc(mine, add(R"({"value":"h","type":"home"})"), mine,
        "add of an existing element without further sub-attributes changes nothing");
    for (const char *other : {R"({"value":"w","type":"home"})", R"({"value":"w"})",
                              R"({"value":"W","type":"work"})", R"({"type":"work"})"})
        rfc(mine, add(other), mine.substr(0, mine.size() - 1) + "," + other + "]",
            std::string("add of an element of another type or value adds it: ") + other);
    rfc(mine,
        add(R"({"value":"w","type":"work","display":"D"})") + "," +
            op("replace", R"(emails[display eq "D"].value)", "\"x\""),
        R"("emails":[{"value":"x","display":"D","type":"work"},{"value":"h","type":"home","primary":true}])",
        "a later operation finds one element after an add of an existing one");
    rfc("",
        op("replace", "emails",
           R"([{"value":"w","display":"A","primary":true},{"value":"h"},)"
           R"({"value":"w","display":"B","primary":false}])"),
        R"("emails":[{"value":"w","display":"B","primary":true},{"value":"h"}])",
        "of equal elements in one value the last is kept, and it is primary if one of them is");
    rfc(mine, op("replace", "emails.type", "\"x\"") + "," + op("replace", "emails.value", "\"y\""),
        R"("emails":[{"value":"y","type":"x","primary":true}])",
        "elements that get the same type and value are merged, and the result is primary");
    rfc(R"("addresses":[{"locality":"L","primary":false},{"locality":"M","primary":true}])",
        op("add", "addresses", R"([{"locality":"L","primary":true}])"),
        R"("addresses":[{"locality":"L","primary":true},{"locality":"M","primary":false}])",
        "elements without value are equal if all sub-attributes but primary are");
}

void filtered() {
    rfc(both, op("replace", R"(emails[type eq "work"].value)", "\"x\""),
        R"("emails":[{"value":"x","type":"work","primary":true},{"value":"h","type":"home"}])",
        "replace of a sub-attribute changes the selected element");
    rfc(both, op("add", R"(emails[type eq "home"].display)", "\"D\""),
        R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h","display":"D","type":"home"}])",
        "add of a sub-attribute changes the selected element");
    rfc(both, op("remove", R"(emails[type eq "WORK"])"),
        R"("emails":[{"value":"h","type":"home"}])", "remove removes the selected element");
    rfc(both, op("remove", R"(emails[type eq "other"])"), both,
        "remove with a filter that selects nothing changes nothing");
    rfc(work, op("remove", R"(emails[type eq "work"])"), "",
        "[S-124] remove of the last element unassigns the attribute");
    rfc(both, op("remove", R"(emails[type eq "work"].type)"),
        R"("emails":[{"value":"w","primary":true},{"value":"h","type":"home"}])",
        "[S-124] remove of a sub-attribute changes the selected element");
    rfc(R"("emails":[{"type":"work"}])", op("remove", R"(emails[type eq "work"].type)"), "",
        "remove of an element's last sub-attribute removes the element");
    rfc(both, op("replace", R"(emails[type eq "work"])", R"({"value":"x"})"),
        R"("emails":[{"value":"x","type":"work"},{"value":"h","type":"home"}])",
        "[S-128] replace of the selected element keeps the sub-attributes that the filter compares "
        "by eq");
    rfc(both, op("replace", R"(emails[value ew "h" and type eq "home"])", R"({"type":"other"})"),
        R"("emails":[{"value":"w","type":"work","primary":true},{"type":"other"}])",
        "replace of the selected element sets a sub-attribute that the filter compares");
    rfc(both, op("add", R"(emails[type eq "work"])", R"({"display":"D"})"),
        R"("emails":[{"value":"w","display":"D","type":"work","primary":true},{"value":"h","type":"home"}])",
        "[S-122] add to the selected element keeps the sub-attributes that are not sent");
    rfc(both, op("replace", R"(emails[type eq "work"])", "null"),
        R"("emails":[{"value":"h","type":"home"}])",
        "replace of the selected element by null removes it");
    rfc(both, op("replace", R"(emails[type eq "work"])", "{}"), both,
        "replace of the selected element by {} changes nothing");
    rfc(both, op("replace", R"(emails[type eq "work"].type)", "null"),
        R"("emails":[{"value":"w","primary":true},{"value":"h","type":"home"}])",
        "replace of a sub-attribute of the selected element by null removes it");
    rfc(both, op("replace", R"(emails[type eq "home"].primary)", "true"),
        R"("emails":[{"value":"w","type":"work","primary":false},{"value":"h","type":"home","primary":true}])",
        "[S-12 S-119] replace of primary by true in one element makes the others not primary");
    rfc(both, op("replace", R"(emails[value pr].primary)", "true"),
        R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h","type":"home","primary":false}])",
        "replace of primary by true in several elements makes the first primary");
    rfc(both, op("replace", R"(emails[type eq "work" or type eq "home"].display)", "\"D\""),
        R"("emails":[{"value":"w","display":"D","type":"work","primary":true},{"value":"h","display":"D","type":"home"}])",
        "[S-128] replace of a sub-attribute changes all selected elements");
    is(patched(both, op("remove", R"(emails[type pr])", R"([{"value":"h"}])")), work,
       "remove with a filter and a list removes the elements that are in both");
    is(patched(both, op("remove", R"(emails[type eq "home"])", "null")), work,
       "remove with a filter and null removes the selected element");
    dialect(both, op("remove", R"(emails[type eq "home"])", R"([{"value":"other"}])"), both,
            "remove-with-value", "invalidValue",
            "remove with a filter and a list of another element");
    dialect(both, op("remove", R"(emails[type eq "home"].value)", "\"other\""), both,
            "remove-with-value", "invalidValue",
            "remove of a sub-attribute of the selected element with another value");
    const std::string seats =
        "\"" + acme + R"(":{"seat":[{"value":"a","floor":3,"tags":["x","y"]},{"value":"b"}]})";
    rfc(seats, op("add", acme + R"(:seat[floor gt 2].tags)", R"(["z","x"])"),
        "\"" + acme + R"(":{"seat":[{"value":"a","floor":3,"tags":["x","y","z"]},{"value":"b"}]})",
        "add to a multi-valued sub-attribute adds the values that do not exist");
    rfc(seats, op("replace", acme + R"(:seat[floor gt 2].tags)", R"(["z"])"),
        "\"" + acme + R"(":{"seat":[{"value":"a","floor":3,"tags":["z"]},{"value":"b"}]})",
        "replace of a multi-valued sub-attribute replaces all its values");
    is(patched(seats, op("remove", acme + R"(:seat[floor gt 2].tags)", R"(["X"])")),
       "\"" + acme + R"(":{"seat":[{"value":"a","floor":3,"tags":["y"]},{"value":"b"}]})",
       "remove of a multi-valued sub-attribute with a list removes the listed values");
    is(patched(seats, op("remove", acme + R"(:seat[floor gt 2].tags)", R"(["x","y"])")),
       "\"" + acme + R"(":{"seat":[{"value":"a","floor":3},{"value":"b"}]})",
       "remove of a multi-valued sub-attribute with a list of all its values unassigns it");
    rfc(R"("roles":[{"value":"{\"a\":1}"}])",
        op("replace", R"(roles[value eq "{\"a\":1}"].type)", "\"t\""),
        R"("roles":[{"value":"{\"a\":1}","type":"t"}])",
        "a filter with escaped quotes selects the element with these quotes");
}

void created() {
    auto creates = [](const std::string &before, const std::string &operations,
                      const std::string &after, const std::string &name) {
        dialect(before, operations, after, "created-element", "noTarget", name);
    };
    creates("", op("add", R"(emails[type eq "work"].value)", "\"x\""),
            R"("emails":[{"value":"x","type":"work"}])",
            "[S-123 L-created-element] add to a path whose filter selects nothing");
    creates(work, op("replace", R"(emails[type eq "home"].value)", "\"x\""),
            R"("emails":[{"value":"w","type":"work","primary":true},{"value":"x","type":"home"}])",
            "[S-123 S-128 L-created-element] replace of a path whose filter selects nothing");
    creates("",
            op("add", R"(emails[type eq "work"].primary)", "true") + "," +
                op("add", R"(emails[type eq "work"].type)", "\"work\"") + "," +
                op("add", R"(emails[type eq "work"].value)", "\"x\""),
            R"("emails":[{"value":"x","type":"work","primary":true}])",
            "a sequence of adds to one element that the first creates");
    creates(
        work, op("add", R"(emails[type eq "home" and primary eq true])", R"({"value":"x"})"),
        R"("emails":[{"value":"w","type":"work","primary":false},{"value":"x","type":"home","primary":true}])",
        "an element created from several eq terms, which becomes primary,");
    creates("",
            op("add", R"(emails[type eq "work" and (display eq null and value eq "v")].primary)",
               "false"),
            R"("emails":[{"value":"v","type":"work","primary":false}])",
            "an element created from a filter with eq null");
    creates("", op("add", acme + R"(:seat[floor eq 3 and tags eq "a"].value)", "\"x\""),
            "\"" + acme + R"(":{"seat":[{"value":"x","floor":3,"tags":["a"]}]})",
            "an element created from an integer and a multi-valued sub-attribute");
    is(patched("", op("Add", R"(roles[primary eq "True"].value)", "\"reader\"")),
       R"("roles":[{"value":"reader","primary":true}])",
       "add creates an element from a boolean in a string in the filter");
    is(patched("", op("replace", R"(emails[type eq "work"])", "null")), "",
       "replace by null with a filter that selects nothing creates nothing");
    for (const char *filter :
         {R"(emails[type ne "work"].value)", R"(emails[type eq "work" or type eq "home"].value)",
          R"(emails[not (type eq "x")].value)", R"(emails[type eq "a" and type eq "b"].value)",
          R"(emails[type eq "a" and value sw "b"].value)"})
        refused(R"("title":"T")",
                op("replace", "title", "\"U\"") + "," + op("add", filter, "\"x\""),
                "noTarget: Operations[1]: nothing matches the path \"emails[",
                std::string("add with a filter that selects nothing and describes no element, ") +
                    filter + ",");
    refused("", op("add", acme + ":seat[floor eq 1.5].value", "\"x\""),
            "noTarget: ", "add with a filter that compares an integer with 1.5");
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
    multi_valued();
    same_elements();
    filtered();
    created();
    manager();
    order();
    return tap::done();
}
