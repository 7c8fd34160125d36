// Tests the form of a PATCH message, the errors of malformed messages, and the time that long
// messages take.

#include "scim/patch/patch.h"

#include <algorithm>
#include <ctime>

#include "patch_fixture.h"

using namespace fixture;

namespace {

void messages() {
    auto sent = [](const std::string &body, bool strict = false) {
        return patch_body(user(), "", body, strict);
    };
    auto accepted = [&](const std::string &body, const std::string &report,
                        const std::string &name) {
        is(sent(body), R"("title":"T")", "a PATCH with " + name + " is accepted");
        is(summary, report, "a PATCH with " + name + " is reported as '" + report + "'");
        ok(has(sent(body, true), "invalidSyntax: "),
           "a PATCH with " + name + " is refused under scim_profile rfc");
    };
    auto wrong = [&](const std::string &body, const std::string &want, const std::string &name) {
        std::string got = sent(body);
        if (!ok(has(got, want), name + " is refused")) diag(got);
    };
    const std::string one = R"({"op":"add","path":"title","value":"T"})";
    accepted(R"({"Operations":[)" + one + "]}", "schemas-missing",
             "[S-112 L-schemas-missing] no schemas");
    accepted(R"({"schemas":[],"Operations":[)" + one + "]}", "schemas-missing", "empty schemas");
    accepted(R"({"schemas":["urn:x"],"Operations":[)" + one + "]}",
             "unknown-schema,schemas-incomplete",
             "[S-112 L-schemas-incomplete L-unknown-schema] other schemas");
    accepted(R"({"schemas":[")" + std::string(patch_op_urn) + R"("],"operations":[)" + one + "]}",
             "operations-case", "[S-112 L-operations-case] operations in lower case");
    accepted(R"({"schemas":[")" + std::string(patch_op_urn) + R"("],"Operations":)" + one + "}",
             "single-value", "one operation without brackets");
    accepted(message(R"({"Op":"add","Path":"title","VALUE":"T"})"), "operations-case*3",
             "names in any case");
    is(sent(message("")), "", "[L-operations-empty] a PATCH with no operations is accepted");
    is(summary, "operations-empty", "a PATCH with no operations is reported");
    ok(has(sent(message(""), true), "invalidSyntax: "),
       "[S-112 L-operations-empty] a PATCH with no operations is refused under scim_profile rfc");

    wrong("{}", "invalidSyntax: a PATCH must have \"Operations\"",
          "[S-113] a PATCH without Operations");
    wrong(R"({"title":"T"})", "a whole resource is sent with PUT", "a whole resource in a PATCH");
    wrong(R"({"members":[{"value":"x","operation":"delete"}]})", "SCIM 1.1",
          "a PATCH of a group in the form of SCIM 1.1");
    wrong(R"({"meta":{"attributes":["title"]}})", "SCIM 1.1",
          "a PATCH of a user in the form of SCIM 1.1");
    wrong(R"({"schemas":["urn:scim:schemas:core:1.0"],"Operations":[]})",
          "invalidSyntax: \"urn:scim:schemas:core:1.0\" in \"schemas\" is SCIM 1.1",
          "a PATCH with a schema of SCIM 1.1");
    wrong(R"({"schemas":[5],"Operations":[]})", "invalidSyntax: \"schemas\" must contain strings",
          "a number in schemas");
    wrong(R"({"Operations":null})", "invalidSyntax: a PATCH must have", "null for Operations");
    wrong(R"({"Operations":"x"})", "invalidSyntax: \"Operations\" must be an array, not a string",
          "a string for Operations");
    wrong(message("5"), "invalidSyntax: Operations[0]: an operation must be an object",
          "a number for an operation");
    wrong(
        message("{}"),
        "invalidSyntax: Operations[0].op: must be \"add\", \"replace\" or \"remove\", not nothing",
        "an operation without op");
    wrong(message(one + R"(,{"op":"move"})"),
          "invalidSyntax: Operations[1].op: ", "[S-113] an unknown op");
    wrong(message(R"({"op":"add","path":5,"value":1})"),
          "invalidPath: Operations[0].path: must be a string", "a number for path");
    wrong(message(R"({"op":"add","path":"user name","value":1})"),
          "invalidPath: Operations[0].path: the path \"user name\" is wrong at character 5",
          "[S-115] a malformed path");
    wrong(message(R"({"op":"add","path":"emails[x]","value":1})"),
          "invalidFilter: Operations[0].path: ", "[S-115] a path with a malformed filter");
    wrong(message(R"({"op":"remove"})"),
          "noTarget: Operations[0]: ", "[S-115 S-124] a remove without a path");
    wrong(message(R"({"op":"remove","path":null,"value":{"title":"T"}})"),
          "noTarget: ", "a remove with path null");
    wrong(message(R"({"op":"add","path":"title"})"),
          "invalidValue: Operations[0]: \"value\" is missing for \"title\"",
          "[S-115] an add without value");
    wrong(message(R"({"op":"replace"})"), "invalidValue: Operations[0]: \"value\" is missing",
          "a replace without path and value");
    for (const char *path :
         {"id", "meta", "meta.created", "groups", "groups[value eq \\\"x\\\"]", "groups.value"})
        for (const char *what : {"add", "replace", "remove"})
            wrong(message(std::string(R"({"op":")") + what + R"(","path":")" + path +
                          R"(","value":"x"})"),
                  "mutability: Operations[0].path: \"",
                  "[S-24 S-34 S-127 S-132] " + std::string(what) + " of the readOnly " + path);
    wrong(message(op("remove", "userName")),
          "mutability: Operations[0].path: \"userName\" is required and cannot be removed",
          "[S-21 S-127] a remove of userName");
    wrong(message(op("replace", "userName", "null")),
          "invalidValue: Operations[0].value: \"userName\" is required",
          "[S-21] a replace of userName by null");
    is(patched(R"("userName":"u")", op("add", "userName", "null")), R"("userName":"u")",
       "add of null to userName changes nothing");
    is(patched("", op("add", "password", "\"x\"") + "," + op("remove", "password")), "",
       "add and remove of password store nothing");

    for (const std::string &value : {std::string(R"({"$ref":"../Groups/m"})"), std::string()}) {
        const std::string path = std::string(enterprise_user_urn) + ":manager";
        is(value.empty() ? patched("", op("replace", path + ".$ref", "\"../Groups/m\""))
                         : patched("", op("replace", path, value)),
           "", "a manager's $ref that is not the URI of a User changes nothing");
        ok(has(summary, "unknown-attribute:") && has(summary, ":User:manager.$ref"),
           "a manager's $ref that is not the URI of a User is reported");
    }

    PatchLimits limits;
    limits.operations = 2;
    std::string three = message(one + "," + one + "," + one);
    std::string got = patch_body(user(), "", three, false, limits);
    ok(has(got, "413: ") && has(got, "scim_max_operations (2)"),
       "more operations than scim_max_operations are refused with 413");
    got = patch_body(
        user(), "",
        message(op(
            "add", "",
            R"({"emails[type eq \"a\"].value":"a","emails[type eq \"b\"].value":"b","emails[type eq \"c\"].value":"c"})")),
        false, limits);
    ok(has(got, "413: ") && has(got, "scim_max_operations"),
       "more value paths than scim_max_operations in a value are refused with 413");
    limits = PatchLimits();
    limits.path = 10;
    got = patch_body(user(), "", message(op("add", "displayName", "\"x\"")), false, limits);
    ok(has(got, "invalidPath: Operations[0].path: the path has 11 bytes"),
       "a path above the limit is refused");
}

// Returns the CPU time of this process, which excludes the time of other processes.
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
    DeviationReport report;
    double ms = milliseconds([&] {
        Patch patch = must(Patch::parse(group(), json.get(), PatchLimits(), false, report));
        ok(patch.members().add.size() == 1000, "1,000 adds of a member are joined to one list");
    });
    ok(ms < 1000, "1,000 adds of a member are read within 1 s: " + std::to_string(ms) + " ms");

    std::string emails, adds;
    for (int i = 0; i < 5000; i++)
        emails += (i ? ",\"" : "\"") + std::string("user") + std::to_string(i) + "@x.example\"";
    for (int i = 0; i < 1000; i++)
        adds +=
            (i ? "," : "") +
            op("add", "emails", "[\"new" + std::to_string(i) + "@x.example\",\"user5@x.example\"]");
    std::string after;
    ms = milliseconds([&] { after = patched("\"emails\":[" + emails + "]", adds); });
    ok(std::count(after.begin(), after.end(), '{') == 6000 && ms < 6000,
       "1,000 adds to 5,000 elements are done within 6 s: " + std::to_string(ms) + " ms");
    after = patched("\"emails\":[" + emails + "]",
                    op("add", "emails", "[" + emails + R"(,{"type":"x"}])") + "," +
                        op(
                            "add", "emails", "[" + [&] {
                                std::string more;
                                for (int i = 0; i < 5001; i++)
                                    more += (i ? ",\"" : "\"") + std::to_string(i) + "\"";
                                return more;
                            }() + "]"));
    ok(has(after,
           "invalidValue: Operations[1]: \"emails\" would have 10002 elements; 10000 are allowed"),
       "an add to more than 10,000 elements is refused");
}

}  // namespace

int main() {
    messages();
    speed();
    return tap::done();
}
