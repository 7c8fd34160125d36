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

std::string message(const std::string &operations) {
    return R"({"schemas":[")" + std::string(patch_op_urn) + R"("],"Operations":[)" + operations +
           "]}";
}

// The resource after the PATCH, or the error; the report is kept in `summary`.
std::string summary;

std::string patch_body(const TypeView &type, const std::string &before, const std::string &body,
                       bool strict, const PatchLimits &limits = PatchLimits()) {
    Json resource_body = must(parse_json("{" + before + "}", JsonLimits()));
    Report silent, report;
    Resource resource = must(read_resource(type, resource_body.get(), false, silent));
    Json json = must(parse_json(body, JsonLimits()));
    summary.clear();
    auto patch = Patch::parse(type, json.get(), limits, strict, report);
    if (!patch) return words(patch.error());
    std::string was;
    write_members(was, type, resource.leaves, nullptr, nullptr);
    auto done = patch->apply(type, resource, report);
    summary = report.summary();
    std::string out;
    write_members(out, type, resource.leaves, nullptr, nullptr);
    if (!done) return words(done.error()) + (was == out ? "" : " AND IT CHANGED: " + out);
    std::vector<Leaf> leaves = resource.leaves;
    canonical_order(type, leaves);
    for (size_t i = 0; i < leaves.size(); i++)
        if (leaves[i].attr != resource.leaves[i].attr ||
            leaves[i].element != resource.leaves[i].element)
            return "not in canonical order: " + out;
    return out;
}

std::string patched(const std::string &before, const std::string &operations, bool strict = false) {
    return patch_body(user(), before, message(operations), strict);
}

// The RFC's own: the same in both profiles, and nothing is reported.
void rfc(const std::string &before, const std::string &operations, const std::string &after,
         const std::string &name) {
    is(patched(before, operations, true), after, name + " (strict)");
    is(patched(before, operations) + (summary.empty() ? "" : "+" + summary), after, name);
}

// A dialect: done and reported, and refused under the strict profile.
void dialect(const std::string &before, const std::string &operations, const std::string &after,
             const std::string &report, const std::string &refusal, const std::string &name) {
    is(patched(before, operations), after, name);
    is(summary, report, name + ": reported");
    std::string strict = patched(before, operations, true);
    if (!ok(strict.rfind(refusal + ": ", 0) == 0, name + ": refused")) diag(strict);
}

// Accepted alike by both, and reported by the lenient one.
void refused(const std::string &before, const std::string &operations, const std::string &want,
             const std::string &name) {
    std::string got = patched(before, operations);
    if (!ok(has(got, want), name)) diag(got);
}

std::string op(const std::string &op, const std::string &path, const std::string &value = "") {
    std::string out = R"({"op":")" + op + "\"";
    std::string escaped;
    for (char c : path) escaped += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    if (!path.empty()) out += R"(,"path":")" + escaped + "\"";
    if (!value.empty()) out += R"(,"value":)" + value;
    return out + "}";
}

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
    dialect(R"("title":"S")", op("remove", "title", "\"x\""), "", "remove-with-value",
            "invalidValue", "a value beside a remove");
    rfc(R"("title":"S")", op("remove", "title", "null"), "", "null beside a remove of one value");
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
        for (bool strict : {false, true}) {
            is(patched(R"("active":false)", operation, strict), R"("active":false)",
               "active is kept: " + operation);
            is(summary, "active-kept", "and that is reported");
        }
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
        "path-in-value,string-boolean,created-element", "invalidPath", "a value path as key");
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
            R"("title":"T")", "read-only-value", "mutability",
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
    is(patched(both, op("remove", "emails", R"(["w"])")),
       R"("emails":[{"value":"h","type":"home"}])", "bare values");
    is(patched(both, op("remove", "emails", "null")), both, "null is not all");
    is(patched(both, op("remove", "emails", "[]")), both, "nor is []");
    is(patched(both, op("remove", "emails", "[{}]")), both, "nor is an empty element");
    is(patched(both, op("remove", "emails.type", "\"home\"")),
       R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h"}])",
       "a part, by its value");
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
    rfc(boss("m"), op("replace", path + ".$ref", "\"x\""), boss("m"),
        "its $ref follows from its value");
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
    ok(bool(patch.apply(user(), resource, report)) && resource.leaves.size() == 2 &&
           resource.leaves[1].attr == 60000 && resource.leaves[1].element == 3 &&
           resource.leaves[1].json == "\"old\"",
       "leaves of undeclared attributes stay");
    ok(!patch.empty() && patch.members().empty(), "it changes something, but no members");
}

void messages() {
    auto sent = [](const std::string &body, bool strict = false) {
        return patch_body(user(), "", body, strict);
    };
    auto accepted = [&](const std::string &body, const std::string &report,
                        const std::string &name) {
        is(sent(body), R"("title":"T")", name);
        is(summary, report, name + ": reported");
        ok(has(sent(body, true), "invalidSyntax: "), name + ": refused");
    };
    auto wrong = [&](const std::string &body, const std::string &want, const std::string &name) {
        std::string got = sent(body);
        if (!ok(has(got, want), name)) diag(got);
    };
    const std::string one = R"({"op":"add","path":"title","value":"T"})";
    accepted(R"({"Operations":[)" + one + "]}", "schemas-missing", "no schemas");
    accepted(R"({"schemas":[],"Operations":[)" + one + "]}", "schemas-missing", "empty schemas");
    accepted(R"({"schemas":["urn:x"],"Operations":[)" + one + "]}",
             "unknown-schema,schemas-incomplete", "other schemas");
    accepted(R"({"schemas":[")" + std::string(patch_op_urn) + R"("],"operations":[)" + one + "]}",
             "operations-case", "operations in lower case");
    accepted(R"({"schemas":[")" + std::string(patch_op_urn) + R"("],"Operations":)" + one + "}",
             "single-value", "one operation without brackets");
    accepted(message(R"({"Op":"add","Path":"title","VALUE":"T"})"), "operations-case",
             "names in any case");
    is(sent(message("")), "", "no operations");
    is(summary, "operations-empty", "no operations: reported");
    ok(has(sent(message(""), true), "invalidSyntax: "), "no operations: refused");

    wrong("{}", "invalidSyntax: a PATCH must have \"Operations\"", "Operations absent");
    wrong(R"({"title":"T"})", "a whole resource is sent with PUT", "a hint at PUT");
    wrong(R"({"members":[{"value":"x","operation":"delete"}]})", "SCIM 1.1", "a group of SCIM 1.1");
    wrong(R"({"meta":{"attributes":["title"]}})", "SCIM 1.1", "a user of SCIM 1.1");
    wrong(R"({"schemas":["urn:scim:schemas:core:1.0"],"Operations":[]})",
          "invalidSyntax: \"urn:scim:schemas:core:1.0\" in \"schemas\" is SCIM 1.1",
          "a URN of SCIM 1.1");
    wrong(R"({"schemas":[5],"Operations":[]})", "invalidSyntax: \"schemas\" must contain strings",
          "schemas of numbers");
    wrong(R"({"Operations":null})", "invalidSyntax: a PATCH must have", "null for Operations");
    wrong(R"({"Operations":"x"})", "invalidSyntax: \"Operations\" must be an array, not a string",
          "a string for Operations");
    wrong(message("5"), "invalidSyntax: Operations[0]: an operation must be an object",
          "a number for an operation");
    wrong(
        message("{}"),
        "invalidSyntax: Operations[0].op: must be \"add\", \"replace\" or \"remove\", not nothing",
        "no op");
    wrong(message(one + R"(,{"op":"move"})"), "invalidSyntax: Operations[1].op: ", "an unknown op");
    wrong(message(R"({"op":"add","path":5,"value":1})"),
          "invalidPath: Operations[0].path: must be a string", "a path of numbers");
    wrong(message(R"({"op":"add","path":"user name","value":1})"),
          "invalidPath: Operations[0].path: the path \"user name\" is wrong at character 5",
          "a malformed path");
    wrong(message(R"({"op":"add","path":"emails[x]","value":1})"),
          "invalidFilter: Operations[0].path: ", "a malformed filter");
    wrong(message(R"({"op":"remove"})"), "noTarget: Operations[0]: ", "remove without path");
    wrong(message(R"({"op":"remove","path":null,"value":{"title":"T"}})"),
          "noTarget: ", "remove with a null path");
    wrong(message(R"({"op":"add","path":"title"})"),
          "invalidValue: Operations[0]: \"value\" is missing for \"title\"", "no value");
    wrong(message(R"({"op":"replace"})"), "invalidValue: Operations[0]: \"value\" is missing",
          "neither path nor value");
    for (const char *path : {"id", "meta", "meta.created", "groups", "groups[value eq \\\"x\\\"]",
                             "schemas", "groups.value"})
        for (const char *what : {"add", "replace", "remove"})
            wrong(message(std::string(R"({"op":")") + what + R"(","path":")" + path +
                          R"(","value":"x"})"),
                  "mutability: Operations[0].path: \"", std::string(what) + " " + path);
    wrong(message(op("remove", "userName")),
          "mutability: Operations[0].path: \"userName\" is required and cannot be removed",
          "remove a required attribute");
    wrong(message(op("replace", "userName", "null")),
          "invalidValue: Operations[0].value: \"userName\" is required", "replace it by null");
    is(patched(R"("userName":"u")", op("add", "userName", "null")), R"("userName":"u")",
       "add null to it");
    is(patched("", op("add", "password", "\"x\"") + "," + op("remove", "password")), "",
       "a password is forgotten");

    PatchLimits limits;
    limits.operations = 2;
    std::string three = message(one + "," + one + "," + one);
    std::string got = patch_body(user(), "", three, false, limits);
    ok(has(got, "413: ") && has(got, "scim_max_operations (2)"), "too many operations");
    got = patch_body(
        user(), "",
        message(op(
            "add", "",
            R"({"emails[type eq \"a\"].value":"a","emails[type eq \"b\"].value":"b","emails[type eq \"c\"].value":"c"})")),
        false, limits);
    ok(has(got, "413: ") && has(got, "scim_max_operations"), "too many filters");
    limits = PatchLimits();
    limits.path = 10;
    got = patch_body(user(), "", message(op("add", "displayName", "\"x\"")), false, limits);
    ok(has(got, "invalidPath: Operations[0].path: the path has 11 bytes"), "too long a path");
}

// "clear +12 -3", or the error.
std::string members(const std::string &operations, bool strict = false, size_t limit = 20000) {
    Json json = must(parse_json(message(operations), JsonLimits()));
    Report report;
    PatchLimits limits;
    limits.members = limit;
    auto patch = Patch::parse(group(), json.get(), limits, strict, report);
    summary = report.summary();
    if (!patch) return words(patch.error());
    const MemberEdits &edits = patch->members();
    std::string out = edits.clear ? "clear " : "";
    if (!edits.add.empty()) out += "+" + digits(edits.add);
    if (!edits.remove.empty()) out += "-" + digits(edits.remove);
    if (patch->empty()) out += "(empty)";
    return out;
}

void groups() {
    auto list = [](const std::string &some) {
        std::string out;
        for (char c : some)
            out += (out.empty() ? "{\"value\":\"" : ",{\"value\":\"") + id_text(c) + "\"}";
        return "[" + out + "]";
    };
    auto selected = [](char c) { return "members[value eq \"" + id_text(c) + "\"]"; };
    is(members(op("add", "members", list("21")), true), "+12", "add");
    is(members(op("add", "", "{\"members\":" + list("21") + "}"), true), "+12", "add without path");
    is(members(op("replace", "members", list("21")), true), "clear +12", "replace");
    is(members(op("replace", "", "{\"members\":" + list("21") + "}"), true), "clear +12",
       "replace without path");
    is(members(op("replace", "members", "[]"), true), "clear ", "replace by nobody");
    is(members(op("remove", "members"), true), "clear ", "remove all");
    is(members(op("remove", selected('3')), true), "-3", "remove one");
    is(members(op("remove", "members[value eq \"" + id_text('3') + "\" or value eq \"" +
                                id_text('1') + "\"]"),
               true),
       "-13", "remove some");
    is(members(op("replace", "displayName", "\"x\""), true), "", "members that are not mentioned");
    is(members(op("remove", "members", list("31"))), "-13", "remove with values");
    is(summary, "remove-with-value", "reported");
    ok(has(members(op("remove", "members", list("31")), true),
           "invalidValue: Operations[0].value: "),
       "refused");
    // Of those that the path selects the listed ones.
    is(members(op("remove", selected('3'), list("31"))), "-3", "remove by a path and values");
    is(summary, "remove-with-value", "reported");
    is(members(op("remove", selected('3'), list("1"))), "(empty)", "another is listed");
    is(members(op("remove", selected('3'), "null")), "-3", "null beside a filter says nothing");
    is(members(op("remove", selected('3'), "[]")), "-3", "nor does []");
    is(summary, "", "neither is reported");
    ok(has(members(op("remove", selected('3'), list("3")), true),
           "invalidValue: Operations[0].value: "),
       "refused");
    is(members(op("remove", "members", "[]")), "(empty)", "[] is nobody");
    is(members(op("remove", "members", "null")), "(empty)", "null is nobody");
    is(members(op("remove", "members", "\"" + id_text('5') + "\"")), "-5", "a bare id");
    is(members(op("remove", "members", R"([{"value":"bogus"}])")), "(empty)",
       "who cannot be a member is not one");
    is(members(op("remove", "members[value eq \"bogus\"]")), "(empty)", "nor by a filter");
    is(members(op("add", "members", "[\"" + id_text('5') + "\"]")), "+5", "bare ids");
    is(members(op("add", "members", "[]")) + members(op("add", "members", "null")),
       "(empty)(empty)", "nobody is added");
    is(members(op("add", "members", list("12")) + "," + op("remove", selected('2')) + "," +
               op("remove", selected('3')) + "," + op("add", "members", list("3"))),
       "+13-2", "the last word counts");
    is(members(op("add", "members", list("12")) + "," + op("remove", "members") + "," +
               op("add", "members", list("34")) + "," + op("remove", selected('4'))),
       "clear +3", "after a clear nobody is left to be removed");
    for (const char *bad : {"remove", "add", "replace"}) {
        std::string got = members(op(bad, "members[type eq \"User\"]", "[]"));
        ok(has(got, "invalidFilter: Operations[0].path: ") && has(got, "selected by value"),
           std::string("another filter: ") + bad);
        ok(has(members(op(bad, "members.value", "\"x\"")), "mutability: "),
           std::string("a part: ") + bad);
    }
    ok(has(members(op("replace", selected('1'), "{}")), "mutability: "), "members are not changed");
    ok(has(members(op("add", "members", R"([{"value":"bogus"}])")),
           "invalidValue: Operations[0].value: members: there is no User or Group with the id "
           "\"bogus\""),
       "an unknown member");
    ok(has(members(op("add", "members", "[{}]")),
           "invalidValue: Operations[0].value: \"members[0].value\""),
       "a member without value");
    std::string got = members(
        op("add", "members", list("12")) + "," + op("remove", "members", list("34")), false, 3);
    ok(has(got, "413: ") && has(got, "scim_max_members (3)"), "too many members, all together");
    ok(has(members(op("remove", "displayName")), "mutability: "), "a group has a name");
}

// Of this process: the machine may have others to run.
template <class F>
double milliseconds(F f) {
    const std::clock_t start = std::clock();
    f();
    return 1000.0 * double(std::clock() - start) / CLOCKS_PER_SEC;
}

void speed() {
    std::string operations;
    for (int i = 0; i < 1000; i++) {
        std::string id = id_text('0');
        std::string tail = std::to_string(1000 + i);
        id.replace(id.size() - tail.size(), tail.size(), tail);
        operations += (i ? "," : "") + op("add", "members", "[{\"value\":\"" + id + "\"}]");
    }
    Json json = must(parse_json(message(operations), JsonLimits()));
    Report report;
    double ms = milliseconds([&] {
        Patch patch = must(Patch::parse(group(), json.get(), PatchLimits(), false, report));
        ok(patch.members().add.size() == 1000, "1,000 operations on members");
    });
    ok(ms < 1000, "in " + std::to_string(ms) + " ms");

    std::string emails, adds;
    for (int i = 0; i < 9000; i++)
        emails += (i ? ",\"" : "\"") + std::string("user") + std::to_string(i) + "@x.example\"";
    for (int i = 0; i < 1000; i++)
        adds +=
            (i ? "," : "") +
            op("add", "emails", "[\"new" + std::to_string(i) + "@x.example\",\"user5@x.example\"]");
    std::string after;
    ms = milliseconds([&] { after = patched("\"emails\":[" + emails + "]", adds); });
    ok(std::count(after.begin(), after.end(), '{') == 10000 && ms < 6000,
       "1,000 adds to 9,000 elements in " + std::to_string(ms) + " ms");
    after = patched("\"emails\":[" + emails + "]",
                    op("add", "emails", "[" + emails + R"(,{"type":"x"}])") + "," +
                        op(
                            "add", "emails", "[" + [&] {
                                std::string more;
                                for (int i = 0; i < 1001; i++)
                                    more += (i ? ",\"" : "\"") + std::to_string(i) + "\"";
                                return more;
                            }() + "]"));
    ok(has(after,
           "invalidValue: Operations[1]: \"emails\" would have 10002 elements; 10000 are allowed"),
       "elements are bounded");
}

}  // namespace

int main() {
    singular();
    complex();
    active();
    without_path();
    multi_valued();
    filtered();
    created();
    manager();
    order();
    messages();
    groups();
    speed();
    return tap::done();
}
