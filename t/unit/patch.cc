// PATCH does what RFC 7644 3.5.2 says and what identity providers mean; what it refuses, it refuses
// as a whole and with a sentence that names the operation.

#include "scim/patch.h"

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
        "add a simple attribute");
    rfc(R"("title":"S")", op("add", "title", "\"T\""), R"("title":"T")", "add replaces a value");
    rfc(R"("title":"S")", op("replace", "TITLE", "\"T\""), R"("title":"T")", "replace");
    rfc("", op("replace", "title", "\"T\""), R"("title":"T")", "replace what is not there");
    rfc(R"("title":"S")", op("replace", "title", "null"), "", "replace by null unassigns");
    rfc(R"("title":"S")", op("replace", "title", "[]"), "", "and by []");
    rfc(R"("title":"S")", op("add", "title", "null"), R"("title":"S")", "add of null is nothing");
    rfc(R"("title":"S")", op("remove", "title"), "", "remove");
    rfc(R"("nickName":"S")", op("remove", "title"), R"("nickName":"S")",
        "remove what is not there");
    rfc(R"("title":"S")", op("replace", "title", "\"\""), R"("title":"")",
        "other strings may be empty");
    rfc("", op("add", "active", "false") + "," + op("add", acme + ":level", "7"),
        R"("active":false,")" + acme + R"(":{"level":7})", "other types");
    is(patched("", op("Add", "title", "\"T\"") + "," + op("REPLACE", "nickName", "\"N\"")),
       R"("nickName":"N","title":"T")", "ops in any case");
    dialect(R"("active":true)", op("replace", "active", "\"False\""), R"("active":false)",
            "string-boolean", "invalidValue", "string booleans");
    dialect("", op("Replace", "title", "\"T\""), R"("title":"T")", "op-case", "invalidSyntax",
            "op in another case");
    dialect("", op("add", "department", "\"D\""), "\"" + ent + R"(":{"department":"D"})",
            "unprefixed-extension", "invalidPath", "an extension without its URN");
    dialect("", op("add", "colour", "\"D\""), "", "unknown-attribute:colour", "invalidPath",
            "an unknown attribute");
    // The path means one value, and its sender takes that for gone.
    for (const char *value : {"\"S\"", "\"another\"", "5", "[\"another\"]", R"({"value":"S"})"})
        dialect(R"("title":"S")", op("remove", "title", value), "", "remove-with-value",
                "invalidValue", std::string("a value beside a remove: ") + value);
    rfc(R"("title":"S")", op("remove", "title", "null"), "", "null beside a remove of one value");
}

void simple_elements() {
    const std::string xyz = "\"" + acme + R"(":{"words":["x","y","z"]})";
    const std::string xz = "\"" + acme + R"(":{"words":["x","z"]})";
    rfc(xyz, op("remove", acme + ":words[value eq \"Y\"]"), xz,
        "remove the value that is selected");
    rfc(xyz, op("remove", acme + ":words[value sw \"q\"]"), xyz,
        "remove where nothing is selected");
    rfc(xyz, op("remove", acme + ":words[not (value eq \"y\")]"),
        "\"" + acme + R"(":{"words":["y"]})", "each value is looked at by itself");
    rfc(xyz, op("replace", acme + ":words[value eq \"y\"]", "\"w\""),
        "\"" + acme + R"(":{"words":["x","w","z"]})", "replace the value that is selected");
    rfc(xyz, op("replace", acme + ":words[value eq \"y\"].value", "\"z\""), xz,
        "replace it by one that is there");
    rfc(xz, op("add", acme + ":words.value", R"(["y"])"),
        "\"" + acme + R"(":{"words":["x","z","y"]})", "words.value are the words");
    refused(xyz, op("replace", acme + ":words[value eq \"q\"]", "\"w\""),
            "noTarget: ", "replace where nothing is selected");
    refused(xyz, op("remove", acme + ":words[type eq \"q\"]"),
            "invalidFilter: ", "simple values have no other part");
    dialect(xz, op("add", acme + ":words", R"([{"value":"y"},{"value":null}])"),
            "\"" + acme + R"(":{"words":["x","z","y"]})", "value-object*2", "invalidValue",
            "values in objects");
    dialect(xyz, op("remove", acme + ":words", R"([{"value":"y"}])"), xz,
            "remove-with-value,value-object", "invalidValue", "values in objects that go");
    dialect("", op("add", acme + ":words", R"([{"value":"y","display":"Y"}])"),
            "\"" + acme + R"(":{"words":["y"]})",
            "value-object,unknown-attribute:" + acme + ":words.display", "invalidValue",
            "other parts of such an object");
    dialect("", op("replace", acme + ":ranks", R"(["1",{"value":"2"}])"),
            "\"" + acme + R"(":{"ranks":[1,2]})", "string-number*2,value-object", "invalidValue",
            "numbers in strings");
    dialect("", op("replace", acme + ":score", "\"-12.50\""), "\"" + acme + R"(":{"score":-12.5})",
            "string-number", "invalidValue", "a decimal in a string");
    dialect("", op("replace", acme + ":level", "\"-9223372036854775808\""),
            "\"" + acme + R"(":{"level":-9223372036854775808})", "string-number", "invalidValue",
            "the least integer in a string");
    for (const char *text :
         {"9223372036854775808", "", " 1", "1 ", "+1", "01", "0x1", "1.5", "1e3", "one"})
        refused("", op("replace", acme + ":level", '"' + std::string(text) + '"'),
                "invalidValue: ", "no integer: \"" + std::string(text) + "\"");
    for (const char *text : {"1e999", "NaN", "inf", "1,5"})
        refused("", op("replace", acme + ":score", '"' + std::string(text) + '"'),
                "invalidValue: ", "no decimal: \"" + std::string(text) + "\"");
}

void complex() {
    const std::string name = R"("name":{"familyName":"F","givenName":"G"})";
    rfc(name, op("replace", "name", R"({"givenName":"H"})"),
        R"("name":{"familyName":"F","givenName":"H"})", "replace merges");
    rfc(name, op("add", "name", R"({"givenName":"H","middleName":"M"})"),
        R"("name":{"familyName":"F","givenName":"H","middleName":"M"})", "add merges");
    rfc(name, op("replace", "name", R"({"givenName":null,"familyName":"E"})"),
        R"("name":{"familyName":"E"})", "null unassigns a part");
    rfc(name, op("add", "name", R"({"givenName":null,"familyName":"E"})"),
        R"("name":{"familyName":"E","givenName":"G"})", "but not under add");
    rfc(name, op("replace", "name", R"({"givenName":null,"familyName":null})"), "",
        "no part left, no attribute left");
    rfc(name, op("replace", "name", "{}"), name, "an empty object changes nothing");
    rfc(name, op("replace", "name", "null"), "", "null unassigns all");
    rfc(name, op("remove", "name"), "", "remove");
    rfc(name, op("remove", "name.givenName"), R"("name":{"familyName":"F"})", "remove a part");
    dialect(name, op("remove", "name.givenName", "\"H\""), R"("name":{"familyName":"F"})",
            "remove-with-value", "invalidValue", "a part with another value");
    dialect(name, op("remove", "name", R"({"givenName":"G"})"), "", "remove-with-value",
            "invalidValue", "all parts with the value of one");
    rfc(R"("name":{"givenName":"G"})", op("remove", "name.givenName"), "", "the last part");
    rfc("", op("replace", "name.familyName", "\"F\""), R"("name":{"familyName":"F"})",
        "a part of what is not there");
    rfc(name, op("replace", "name.familyName", "null"), R"("name":{"givenName":"G"})",
        "null on a part");
    rfc(name, op("add", "name.familyName", "null"), name, "add of null on a part");
    is(patched(name, op("replace", "name", R"({"nick":"x"})")), name,
       "an object of unknown parts changes nothing");
    is(summary, "unknown-attribute:name.nick", "and is reported");
    refused(name, op("replace", "name", "\"x\""),
            "invalidValue: Operations[0].value: \"name\" must be an object, not a string",
            "a string for an object");
    refused("", op("add", "title", "\"T\"") + "," + op("replace", "name.familyName", "5"),
            "invalidValue: Operations[1].value: \"name.familyName\" must be a string, not a number",
            "a number for a string");
}

// A leaver who is neither active nor inactive could come back.
void active() {
    for (const std::string &operation :
         {op("remove", "active"), op("replace", "active", "null"), op("replace", "ACTIVE", "[]"),
          op("replace", "", R"({"active":null})")})
        dialect(R"("active":false)", operation, R"("active":false)", "active-kept", "mutability",
                "active is kept: " + operation);
    rfc(R"("active":false)", op("add", "active", "null"), R"("active":false)", "add of null");
    is(patched(R"("active":false)", op("remove", "active") + "," + op("add", "active", "true")),
       R"("active":true)", "what follows counts");
}

void without_path() {
    rfc(R"("title":"S","nickName":"N")", op("replace", "", R"({"title":"T","active":false})"),
        R"("nickName":"N","title":"T","active":false)", "replace without path");
    rfc(R"("name":{"familyName":"F"})", op("replace", "", R"({"name":{"givenName":"G"}})"),
        R"("name":{"familyName":"F","givenName":"G"})", "a complex attribute merges");
    rfc(both, op("replace", "", R"({"emails":[{"value":"x"}]})"), R"("emails":[{"value":"x"}])",
        "a multi-valued one is replaced");
    rfc(work, op("add", "", R"({"emails":[{"value":"x"}],"title":"T"})"),
        R"("title":"T","emails":[{"value":"w","type":"work","primary":true},{"value":"x"}])",
        "or added to");
    rfc(R"("title":"T")", op("replace", "", R"({"title":null})"), "", "null unassigns");
    rfc(R"("title":"T")", op("add", "", R"({"title":null})"), R"("title":"T")",
        "but not under add");
    const std::string dept = "\"" + ent + R"(":{"employeeNumber":"1","department":"D"})";
    rfc(dept, op("replace", "", "{\"" + ent + R"(":{"department":"E"}})"),
        "\"" + ent + R"(":{"employeeNumber":"1","department":"E"})", "an extension merges");
    rfc(dept, op("replace", "", "{\"" + ent + R"(":{"department":null}})"),
        "\"" + ent + R"(":{"employeeNumber":"1"})", "null in an extension");
    rfc(dept, op("replace", "", "{\"" + ent + R"(":null})"), "", "a whole extension is unassigned");
    rfc(dept, op("add", "", "{\"" + ent + R"(":null})"), dept, "but not under add");
    rfc(dept, op("replace", ent, R"({"department":"E"})"),
        "\"" + ent + R"(":{"employeeNumber":"1","department":"E"})", "an extension by its path");
    rfc(dept + ",\"" + acme + R"(":{"level":1})", op("remove", ent),
        "\"" + acme + R"(":{"level":1})", "remove an extension");
    rfc("", op("add", ent + ":department", "\"D\""), "\"" + ent + R"(":{"department":"D"})",
        "an attribute brings its extension");
    dialect(R"("name":{"familyName":"F"})",
            op("replace", "", R"({"name.givenName":"G","title":"T"})"),
            R"("name":{"familyName":"F","givenName":"G"},"title":"T")", "path-in-value",
            "invalidPath", "a dotted key");
    dialect("", op("add", "", "{\"" + ent + R"(:department":"D"})"),
            "\"" + ent + R"(":{"department":"D"})", "path-in-value", "invalidPath", "a URN key");
    dialect(
        "",
        op("replace", "",
           R"({"emails[type eq \"work\"].value":"x","emails[type eq \"work\"].primary":"true"})"),
        R"("emails":[{"value":"x","type":"work","primary":true}])",
        "path-in-value*2,string-boolean,created-element", "invalidPath", "value paths as keys");
    dialect("", op("add", "", "{\"" + ent + R"(":{"manager.value":"m"}})"),
            "\"" + ent + R"(":{"manager":{"value":"m"}})", "path-in-value", "invalidPath",
            "a dotted key in an extension");
    dialect(R"("title":"S")", op("replace", "", R"({"title":"T","department":"D","x y":1})"),
            R"("title":"T")", "unknown-attribute:department,unknown-attribute:x?y", "invalidPath",
            "unknown names");
    dialect("", R"({"op":"replace","path":null,"value":{"title":"T"}})", R"("title":"T")",
            "empty-path", "invalidPath", "path null");
    dialect("", R"({"op":"replace","path":"","value":{"title":"T"}})", R"("title":"T")",
            "empty-path", "invalidPath", "an empty path");
    // The URN of the core schema is the resource itself.
    const std::string core = "urn:ietf:params:scim:schemas:core:2.0:User";
    dialect(R"("title":"S")", op("replace", core, R"({"title":"T","active":false})"),
            R"("title":"T","active":false)", "core-urn", "invalidPath", "the core URN as path");
    dialect(R"("title":"S")",
            op("add", "", R"({"URN:ietf:params:scim:schemas:core:2.0:user":{"title":"T"}})"),
            R"("title":"T")", "core-urn", "invalidPath", "as a key");
    is(patched("", op("add", core, R"({"id":"x","title":"T"})")), R"("title":"T")",
       "what is readOnly is ignored in its value");
    refused("", op("remove", core), "noTarget: Operations[0]: ", "the resource is not removed");
    refused("", op("replace", core, "null"),
            "invalidValue: Operations[0].value: ", "nor is it null");
    refused("", op("replace", "", "{\"" + core + "\":5}"),
            "invalidValue: Operations[0].value: ", "nor a number");
    dialect("",
            op("replace", "", R"({"id":"x","schemas":["y"],"meta":{},"groups":[],"title":"T"})"),
            R"("title":"T")", "read-only-value*4", "mutability",
            "what is readOnly is ignored in a value");
    rfc("", op("replace", "", R"({"password":"s3cret","title":"T"})"), R"("title":"T")",
        "a password is accepted and forgotten");
    refused("", op("replace", "", "\"x\""),
            "invalidValue: Operations[0].value: without a \"path\" this must be an object of "
            "attributes, not a string",
            "not an object");
    refused("", op("replace", "", R"({"emails[type eq \"work\"":"x"})"),
            "invalidPath: Operations[0].value: the path ", "a malformed path as key");
    refused("", op("replace", "", "{\"" + ent + R"(":"x"})"),
            "invalidValue: Operations[0].value: \"" + ent + "\" must be an object",
            "an extension that is no object");
    refused("", op("replace", "", R"({"title":5})"),
            "invalidValue: Operations[0].value: \"title\" must be a string", "a wrong type");
    refused("", op("remove", ent, "{}"), "invalidValue: ", "an extension removed with a value");
}

void multi_valued() {
    rfc("", op("add", "emails", R"([{"value":"x"}])"), R"("emails":[{"value":"x"}])",
        "add to nothing");
    rfc(work, op("add", "emails", R"([{"value":"x"},{"value":"w","type":"work","primary":true}])"),
        R"("emails":[{"value":"w","type":"work","primary":true},{"value":"x"}])",
        "an equal element is not added twice");
    rfc(work, op("add", "emails", "[]"), work, "add of []");
    rfc(both, op("replace", "emails", R"([{"value":"x"},{"value":"x"}])"),
        R"("emails":[{"value":"x"}])", "replace");
    rfc(both, op("replace", "emails", "[]"), "", "replace by []");
    rfc(both, op("remove", "emails"), "", "remove");
    rfc("\"" + acme + R"(":{"words":["a"]})", op("add", acme + ":words", R"(["b","a"])"),
        "\"" + acme + R"(":{"words":["a","b"]})", "simple values");
    rfc("\"" + acme + R"(":{"words":["a"]})", op("replace", acme + ":words", R"(["b"])"),
        "\"" + acme + R"(":{"words":["b"]})", "replace simple values");
    rfc(work, op("add", "emails", R"([{"value":"x","primary":true}])"),
        R"("emails":[{"value":"w","type":"work","primary":false},{"value":"x","primary":true}])",
        "primary moves");
    refused(work,
            op("add", "emails", R"([{"value":"x","primary":true},{"value":"y","primary":true}])"),
            "invalidValue: Operations[0].value: \"emails[1]\" is the second", "two primaries");
    dialect("", op("add", "emails", R"({"value":"x"})"), R"("emails":[{"value":"x"}])",
            "single-value", "invalidValue", "one element without brackets");
    dialect("", op("add", "emails", R"(["x"])"), R"("emails":[{"value":"x"}])", "bare-value",
            "invalidValue", "a bare value");
    rfc(both, op("replace", "emails.type", "\"other\""),
        R"("emails":[{"value":"w","type":"other","primary":true},{"value":"h","type":"other"}])",
        "a part of all elements");
    rfc(both, op("remove", "emails.type"),
        R"("emails":[{"value":"w","primary":true},{"value":"h"}])", "removed from all");
    rfc("", op("add", "emails.value", "\"x\""), R"("emails":[{"value":"x"}])",
        "a part of no element makes one");
    rfc(both,
        op("replace", "emails.value", "\"x\"") + "," + op("remove", "emails.type") + "," +
            op("remove", "emails.primary"),
        R"("emails":[{"value":"x"}])", "elements that became equal are one");
    dialect(both, op("remove", "emails", R"([{"value":"H"}])"), work, "remove-with-value",
            "invalidValue", "remove with values");
    is(patched(both, op("remove", "emails",
                        R"([{"type":"work","value":"h"},{"type":"HOME","value":"h"}])")),
       work, "all that was sent must be equal");
    // They describe, so that one may say more than another, and any may be primary.
    is(patched(both, op("remove", "emails", R"([{"value":"h","display":"D"},{"value":"h"}])")),
       work, "each by itself");
    is(patched(both, op("remove", "emails",
                        R"([{"value":"w","primary":true},{"value":"h","primary":true}])")),
       R"("emails":[{"value":"h","type":"home"}])", "as they say");
    is(patched(both, op("remove", "emails", R"(["w"])")),
       R"("emails":[{"value":"h","type":"home"}])", "bare values");
    is(patched(both, op("remove", "emails", "null")), both, "null is not all");
    is(patched(both, op("remove", "emails", "[]")), both, "nor is []");
    is(patched(both, op("remove", "emails", "[{}]")), both, "nor is an empty element");
    is(patched(both, op("remove", "emails.type", "\"home\"")),
       R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h"}])",
       "a part, by its value");
}

// S-13: no two elements of one type and value.
void same_elements() {
    const std::string mine =
        R"("emails":[{"value":"w","type":"work"},{"value":"h","type":"home","primary":true}])";
    auto add = [](const std::string &element) { return op("add", "emails", "[" + element + "]"); };
    rfc(mine, add(R"({"type":"work","value":"w","primary":true})"),
        R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h","type":"home","primary":false}])",
        "add makes primary what is there");
    rfc(mine, add(R"({"value":"h","type":"home","display":"D"})"),
        R"("emails":[{"value":"w","type":"work"},{"value":"h","display":"D","type":"home","primary":true}])",
        "add gives it a name");
    rfc(mine, add(R"({"value":"h","type":"home","primary":false})"),
        R"("emails":[{"value":"w","type":"work"},{"value":"h","type":"home","primary":false}])",
        "and takes primary away if that is said");
    rfc(mine, add(R"({"value":"h","type":"home"})"), mine, "what says nothing new changes nothing");
    for (const char *other : {R"({"value":"w","type":"home"})", R"({"value":"w"})",
                              R"({"value":"W","type":"work"})", R"({"type":"work"})"})
        rfc(mine, add(other), mine.substr(0, mine.size() - 1) + "," + other + "]",
            std::string("others: ") + other);
    rfc(mine,
        add(R"({"value":"w","type":"work","display":"D"})") + "," +
            op("replace", R"(emails[display eq "D"].value)", "\"x\""),
        R"("emails":[{"value":"x","display":"D","type":"work"},{"value":"h","type":"home","primary":true}])",
        "what follows finds one element");
    rfc("",
        op("replace", "emails",
           R"([{"value":"w","display":"A","primary":true},{"value":"h"},)"
           R"({"value":"w","display":"B","primary":false}])"),
        R"("emails":[{"value":"w","display":"B","primary":true},{"value":"h"}])",
        "of the same in one value the last counts, but who is primary stays it");
    rfc(mine, op("replace", "emails.type", "\"x\"") + "," + op("replace", "emails.value", "\"y\""),
        R"("emails":[{"value":"y","type":"x","primary":true}])", "or what became the same");
    rfc(R"("addresses":[{"locality":"L","primary":false},{"locality":"M","primary":true}])",
        op("add", "addresses", R"([{"locality":"L","primary":true}])"),
        R"("addresses":[{"locality":"L","primary":true},{"locality":"M","primary":false}])",
        "without a value all but primary counts");
}

void filtered() {
    rfc(both, op("replace", R"(emails[type eq "work"].value)", "\"x\""),
        R"("emails":[{"value":"x","type":"work","primary":true},{"value":"h","type":"home"}])",
        "replace a part");
    rfc(both, op("add", R"(emails[type eq "home"].display)", "\"D\""),
        R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h","display":"D","type":"home"}])",
        "add a part");
    rfc(both, op("remove", R"(emails[type eq "WORK"])"),
        R"("emails":[{"value":"h","type":"home"}])", "remove");
    rfc(both, op("remove", R"(emails[type eq "other"])"), both, "remove what is not there");
    rfc(work, op("remove", R"(emails[type eq "work"])"), "", "the last element");
    rfc(both, op("remove", R"(emails[type eq "work"].type)"),
        R"("emails":[{"value":"w","primary":true},{"value":"h","type":"home"}])", "remove a part");
    rfc(R"("emails":[{"type":"work"}])", op("remove", R"(emails[type eq "work"].type)"), "",
        "the last part");
    rfc(both, op("replace", R"(emails[type eq "work"])", R"({"value":"x"})"),
        R"("emails":[{"value":"x","type":"work"},{"value":"h","type":"home"}])",
        "replace an element, but for what the filter pins");
    rfc(both, op("replace", R"(emails[value ew "h" and type eq "home"])", R"({"type":"other"})"),
        R"("emails":[{"value":"w","type":"work","primary":true},{"type":"other"}])",
        "the value wins over the filter");
    rfc(both, op("add", R"(emails[type eq "work"])", R"({"display":"D"})"),
        R"("emails":[{"value":"w","display":"D","type":"work","primary":true},{"value":"h","type":"home"}])",
        "add merges");
    rfc(both, op("replace", R"(emails[type eq "work"])", "null"),
        R"("emails":[{"value":"h","type":"home"}])", "replace by null");
    rfc(both, op("replace", R"(emails[type eq "work"])", "{}"), both,
        "replace by {} changes nothing");
    rfc(both, op("replace", R"(emails[type eq "work"].type)", "null"),
        R"("emails":[{"value":"w","primary":true},{"value":"h","type":"home"}])",
        "replace a part by null");
    rfc(both, op("replace", R"(emails[type eq "home"].primary)", "true"),
        R"("emails":[{"value":"w","type":"work","primary":false},{"value":"h","type":"home","primary":true}])",
        "primary moves");
    rfc(both, op("replace", R"(emails[value pr].primary)", "true"),
        R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h","type":"home","primary":false}])",
        "to the first of several");
    rfc(both, op("replace", R"(emails[type eq "work" or type eq "home"].display)", "\"D\""),
        R"("emails":[{"value":"w","display":"D","type":"work","primary":true},{"value":"h","display":"D","type":"home"}])",
        "all matches");
    is(patched(both, op("remove", R"(emails[type pr])", R"([{"value":"h"}])")), work,
       "of the matches those that are listed");
    is(patched(both, op("remove", R"(emails[type eq "home"])", "null")), work,
       "a filter says enough");
    dialect(both, op("remove", R"(emails[type eq "home"])", R"([{"value":"other"}])"), both,
            "remove-with-value", "invalidValue", "none of the matches is listed");
    dialect(both, op("remove", R"(emails[type eq "home"].value)", "\"other\""), both,
            "remove-with-value", "invalidValue", "nor has their part that value");
    const std::string seats =
        "\"" + acme + R"(":{"seat":[{"value":"a","floor":3,"tags":["x","y"]},{"value":"b"}]})";
    rfc(seats, op("add", acme + R"(:seat[floor gt 2].tags)", R"(["z","x"])"),
        "\"" + acme + R"(":{"seat":[{"value":"a","floor":3,"tags":["x","y","z"]},{"value":"b"}]})",
        "add to a multi-valued part");
    rfc(seats, op("replace", acme + R"(:seat[floor gt 2].tags)", R"(["z"])"),
        "\"" + acme + R"(":{"seat":[{"value":"a","floor":3,"tags":["z"]},{"value":"b"}]})",
        "replace one");
    is(patched(seats, op("remove", acme + R"(:seat[floor gt 2].tags)", R"(["X"])")),
       "\"" + acme + R"(":{"seat":[{"value":"a","floor":3,"tags":["y"]},{"value":"b"}]})",
       "remove from one");
    is(patched(seats, op("remove", acme + R"(:seat[floor gt 2].tags)", R"(["x","y"])")),
       "\"" + acme + R"(":{"seat":[{"value":"a","floor":3},{"value":"b"}]})", "remove all of one");
    rfc(R"("roles":[{"value":"{\"a\":1}"}])",
        op("replace", R"(roles[value eq "{\"a\":1}"].type)", "\"t\""),
        R"("roles":[{"value":"{\"a\":1}","type":"t"}])", "texts with quotes");
}

void created() {
    auto creates = [](const std::string &before, const std::string &operations,
                      const std::string &after, const std::string &name) {
        dialect(before, operations, after, "created-element", "noTarget", name);
    };
    creates("", op("add", R"(emails[type eq "work"].value)", "\"x\""),
            R"("emails":[{"value":"x","type":"work"}])", "add creates");
    creates(work, op("replace", R"(emails[type eq "home"].value)", "\"x\""),
            R"("emails":[{"value":"w","type":"work","primary":true},{"value":"x","type":"home"}])",
            "replace creates");
    creates("",
            op("add", R"(emails[type eq "work"].primary)", "true") + "," +
                op("add", R"(emails[type eq "work"].type)", "\"work\"") + "," +
                op("add", R"(emails[type eq "work"].value)", "\"x\""),
            R"("emails":[{"value":"x","type":"work","primary":true}])",
            "what follows lands in the same element");
    creates(
        work, op("add", R"(emails[type eq "home" and primary eq true])", R"({"value":"x"})"),
        R"("emails":[{"value":"w","type":"work","primary":false},{"value":"x","type":"home","primary":true}])",
        "all eq terms; primary moves");
    creates("",
            op("add", R"(emails[type eq "work" and (display eq null and value eq "v")].primary)",
               "false"),
            R"("emails":[{"value":"v","type":"work","primary":false}])",
            "null says that there is none");
    creates("", op("add", acme + R"(:seat[floor eq 3 and tags eq "a"].value)", "\"x\""),
            "\"" + acme + R"(":{"seat":[{"value":"x","floor":3,"tags":["a"]}]})", "other types");
    is(patched("", op("Add", R"(roles[primary eq "True"].value)", "\"reader\"")),
       R"("roles":[{"value":"reader","primary":true}])", "a string boolean in the filter");
    is(patched("", op("replace", R"(emails[type eq "work"])", "null")), "", "null creates nothing");
    for (const char *filter :
         {R"(emails[type ne "work"].value)", R"(emails[type eq "work" or type eq "home"].value)",
          R"(emails[not (type eq "x")].value)", R"(emails[type eq "a" and type eq "b"].value)",
          R"(emails[type eq "a" and value sw "b"].value)"})
        refused(R"("title":"T")",
                op("replace", "title", "\"U\"") + "," + op("add", filter, "\"x\""),
                "noTarget: Operations[1]: nothing matches the path \"emails[",
                std::string("no description: ") + filter);
    refused("", op("add", acme + ":seat[floor eq 1.5].value", "\"x\""),
            "noTarget: ", "a literal that no value equals");
}

void manager() {
    const std::string path = ent + ":manager";
    auto boss = [](const std::string &id) {
        return "\"" + ent + R"(":{"manager":{"value":")" + id + "\"}}";
    };
    rfc("", op("add", path, R"({"value":"m"})"), boss("m"), "an object");
    rfc(boss("m"), op("replace", path, R"({"value":"n","$ref":"x","displayName":"D"})"), boss("n"),
        "what is computed is ignored");
    rfc(boss("m"), op("replace", path + ".value", "\"n\""), boss("n"), "its value");
    rfc(boss("m"), op("replace", path, "null"), "", "null");
    rfc(boss("m"), op("remove", path), "", "remove");
    rfc(boss("m"), op("remove", path + ".value"), "", "remove its value");
    for (bool strict : {false, true})
        is(patched(boss("m"), op("replace", path + ".$ref", "\"x\""), strict), boss("m"),
           "its $ref follows from its value");
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
           "a $ref alone that is of no user is reported as ignored: " + operation);
    }
    dialect("", op("add", path, "\"m\""), boss("m"), "bare-value", "invalidValue", "a bare id");
    dialect("", op("add", path, R"([{"$ref":"x","value":"m"}])"), boss("m"), "array-of-one",
            "invalidValue", "an array of one");
    // "" stays "" where it is no dialect to unassign by it.
    for (const char *value : {R"({"value":""})", R"([{"value":""}])", "\"\""}) {
        is(patched(boss("m"), op("replace", path, value)), "",
           std::string("unassigned by ") + value);
        is(patched(boss("m"), op("add", path, value)), "",
           std::string("also under add by ") + value);
    }
    is(patched(boss("m"), op("replace", path + ".value", "\"\"")), "", "unassigned by its value");
    dialect(boss("m"), op("remove", path + R"([value eq "m"])"), "", "filter-on-singular",
            "invalidPath", "remove by filter");
    is(patched(boss("m"), op("remove", path + R"([value eq "n"])")), boss("m"), "of another");
    is(patched("", op("add", path + R"([value eq "m"])", R"({"value":"n"})")), boss("n"),
       "add by filter");
    is(patched(boss("m"), op("replace", path + R"([value eq "m"].value)", "\"n\"")), boss("n"),
       "replace by filter");
    refused(boss("x"), op("replace", path + R"([value eq "m"].value)", "\"n\""),
            "noTarget: ", "of another, replaced");
    dialect("", op("add", "manager", R"({"value":"m"})"), boss("m"), "unprefixed-extension",
            "invalidPath", "without the URN");
    refused("", op("add", path + ".displayName", "\"x\""),
            "mutability: Operations[0].path: ", "its displayName is readOnly");
}

void order() {
    rfc("",
        op("add", "title", "\"T\"") + "," + op("remove", "title") + "," +
            op("add", "nickName", "\"N\""),
        R"("nickName":"N")", "operations see earlier ones");
    refused(R"("title":"T")",
            op("remove", "title") + "," + op("add", R"(emails[type sw "x"].value)", "\"x\""),
            "noTarget: Operations[1]: ", "all or nothing");
    is(patched(R"("title":"T")", op("replace", "title", "\"T\"") + "," + op("add", "emails", "[]")),
       R"("title":"T")", "nothing changed");

    // What this type does not declare stays.
    Report report;
    Json body = must(parse_json(R"({"userName":"u","title":"T"})", JsonLimits()));
    Resource resource = must(read_resource(user(), body.get(), false, report));
    resource.leaves.push_back({60000, 3, "\"old\""});
    Json json = must(parse_json(message(op("remove", "title")), JsonLimits()));
    Patch patch = must(Patch::parse(user(), json.get(), PatchLimits(), true, report));
    Work work;
    ok(bool(patch.apply(user(), resource, report, work)) && resource.leaves.size() == 2 &&
           resource.leaves[1].attr == 60000 && resource.leaves[1].element == 3 &&
           resource.leaves[1].json == "\"old\"",
       "leaves of undeclared attributes stay");
    ok(!patch.empty() && patch.members().empty(), "it changes something, but no members");
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
