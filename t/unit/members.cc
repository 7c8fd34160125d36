// Tests that a group's members are read as ids: the other sub-attributes of a member are ignored,
// unknown ids are named in the error, and more than scim_max_members are refused.

#include "scim/resource/members.h"

#include <ctime>

#include "patch_fixture.h"

using namespace fixture;

namespace {

// Returns the members of a Group's body as digits, "absent", or the error; then "+" and the
// deviations, if any.
std::string read(const std::string &members, bool strict = false, size_t limit = 20000) {
    std::string json = R"({"schemas":[")" + std::string(group_urn) + R"("],"displayName":"g")" +
                       (members.empty() ? "" : ",\"members\":" + members) + "}";
    Json body = must(parse_json(json, JsonLimits()));
    DeviationReport report;
    ReadLimits limits;
    limits.max_members = limit;
    auto resource = read_resource(group(), body.get(), strict, report, limits);
    if (!resource) return error_text(resource.error());
    if (!resource->members) return "absent";
    std::string rewrites = report.summary();
    return digits(*resource->members) + (rewrites.empty() ? "" : "+" + rewrites);
}

std::string member(char digit, const std::string &more = "") {
    return R"({"value":")" + id_text(digit) + "\"" + more + "}";
}

void forms() {
    is(read(""), "absent", "a body without members has none");
    is(read("[]"), "", "an empty array is an empty list of members");
    is(read("null"), "", "null is an empty list of members");
    is(read("[" + member('2') + "," + member('1') + "]"), "12", "members are sorted");
    is(read("[" + member('2') + "," + member('1') + "," + member('2') + "]"), "12",
       "a member sent twice is kept once");
    is(read("[" + member('1', R"(,"display":"d","$ref":null,"type":"user")") + "]", true), "1",
       "display, $ref and type of a member are ignored");
    is(read("[" + member('1', R"(,"favourite":1)") + "," + member('2', R"(,"favourite":2)") + "]"),
       "12+unknown-attribute:members.favourite*2",
       "an unknown sub-attribute of a member is ignored and reported");
    is(read("[" + member('1', R"(,"favourite":1)") + "]", true),
       "invalidSyntax: Group has no attribute \"members.favourite\"",
       "an unknown sub-attribute of a member is refused under scim_profile rfc");
    is(read("[{\"VALUE\":\"" + id_text('4') + "\",\"Type\":null}]"), "4",
       "names of sub-attributes match in any case");
    is(read("[" + member('1', R"(,"type":"GROUP")") + "]", true), "1",
       "the type of a member is accepted in any case");
    is(read("[\"" + id_text('1') + "\"]"), "1+bare-value",
       "a string in the array is read as an id and reported");
    is(read("\"" + id_text('1') + "\""), "1+single-value,bare-value",
       "a string instead of the array is read as one id and reported");
    is(read(member('1')), "1+single-value",
       "an object instead of the array is read as one member and reported");
}

void test_refusals() {
    auto refused = [](const std::string &members, const std::string &want, bool strict = false) {
        std::string got = read(members, strict);
        if (!ok(has(got, "invalidValue: ") && has(got, want),
                members.substr(0, 60) +
                    (strict ? " is refused under scim_profile rfc: " : " is refused: ") + want))
            diag(got);
    };
    refused("[{}]", "\"members[0].value\" must be the id of a User or Group; it is missing");
    refused("[" + member('1') + ",{\"value\":null}]", "\"members[1].value\" must be");
    for (bool strict : {false, true})
        refused("[null]",
                "\"members[0]\" must be an object with the id of a User or Group as \"value\", not "
                "null",
                strict);
    refused("[" + member('1') + ",null]", "\"members[1]\" must be");
    refused("[" + member('1') + ",{\"value\":\"\"}]",
            "\"members[1].value\" must be the id of a User or Group; it is empty");
    refused("[\"\"]", "\"members[0]\" must be the id of a User or Group; it is empty");
    refused("[{\"value\":5}]", "\"members[0].value\" must be a string, not a number");
    refused("[5]", "\"members[0]\" must be an object");
    refused("5", "\"members[0]\" must be an object");
    refused("[" + member('1', R"(,"type":7)") + "]", "\"members[0].type\"");
    refused("[{\"value\":\"7\"}," + member('1') + ",{\"value\":\"x y\"}]",
            "invalidValue: members: there is no User or Group with the id \"7\", \"x y\"");
    refused(R"(["a","b","c","d","e","f","g"])", "\"a\", \"b\", \"c\", \"d\", \"e\" and 2 more");
    refused("[{\"value\":\"0192F7A0-0000-7000-8000-00000000000a\"}]", "there is no User or Group");
    refused("[\"" + id_text('1') + "\"]", "\"members[0]\" must be an object", true);
    refused(member('1'), "\"members\" must be an array, not an object", true);
}

void bounds() {
    std::string three = "[" + member('1') + "," + member('2') + "," + member('3') + "]";
    is(read(three, false, 3), "123", "as many members as scim_max_members are accepted");
    std::string got = read(three, false, 2);
    if (!ok(has(got, "413: ") && has(got, "scim_max_members (2)"),
            "more members than scim_max_members are refused with 413"))
        diag(got);

    std::string many;
    for (int i = 0; i < 20000; i++) {
        std::string text = id_text('0');
        std::string tail = std::to_string(100000 + (i * 7919) % 20000);
        text.replace(text.size() - tail.size(), tail.size(), tail);
        many += (i ? ",{\"value\":\"" : "[{\"value\":\"") + text + "\"}";
    }
    Json json = must(parse_json("{\"m\":" + many + "]}", JsonLimits()));
    const std::clock_t start = std::clock();
    DeviationReport report;
    Dialect dialect(false, report);
    MemberReader reader(group(), 20000, dialect);
    auto ids = must(reader.read(json_object_get(json.get(), "m"), MemberReader::Unknown::refuse));
    sort_members(ids);
    const double ms = 1000.0 * double(std::clock() - start) / CLOCKS_PER_SEC;
    ok(ids.size() == 20000 && ms < 1000,
       "20,000 members are read within 1 s: " + std::to_string(ms) + " ms");
    ok(!reader.read(json_object_get(json.get(), "m"), MemberReader::Unknown::refuse),
       "the limit of a MemberReader applies to the sum of its reads");
}

void others() {
    DeviationReport report;
    Dialect dialect(false, report);
    MemberReader reader(group(), 5, dialect);
    auto texts = std::vector<std::string>{id_text('3'), "bogus", id_text('1')};
    is(digits(must(reader.read(texts, MemberReader::Unknown::skip))), "31",
       "ids are read in their order and unknown ones skipped");
    auto refused = reader.read({"bogus"}, MemberReader::Unknown::refuse);
    ok(!refused && has(refused.error().detail, "\"bogus\""), "an unknown id is refused by name");

    Json body = must(parse_json(R"({"userName":"u","members":[{"value":"x"}]})", JsonLimits()));
    auto user_resource = read_resource(user(), body.get(), false, report);
    ok(user_resource && !user_resource->members, "members in a User's body are ignored");
}

}  // namespace

int main() {
    forms();
    test_refusals();
    bounds();
    others();
    return tap::done();
}
