// What a PATCH does to the members of a group, as edits that do not depend on who is a member.

#include "scim/patch.h"

#include "patch_fixture.h"

using namespace fixture;

namespace {

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
    for (const char *same : {"add", "replace"}) {
        is(members(op(same, selected('1'), "{\"Value\":\"" + id_text('1') + "\"}"), true),
           "(empty)", std::string("a member by itself: ") + same);
        is(members(op(same, selected('1') + ".value", "\"" + id_text('1') + "\""), true), "(empty)",
           std::string("its id by itself: ") + same);
        ok(has(members(op(same, selected('1') + ".value", "\"" + id_text('2') + "\"")),
               "mutability: "),
           std::string("by another: ") + same);
        ok(has(members(op(same, selected('1') + ".display", "\"" + id_text('1') + "\"")),
               "mutability: "),
           std::string("another part: ") + same);
    }
    for (const char *any : {"add", "replace", "remove"})
        ok(has(members(op(any, "members", "[null]")),
               "invalidValue: Operations[0].value: \"members[0]\" must be an object"),
           std::string("null for a member: ") + any);
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

}  // namespace

int main() {
    groups();
    return tap::done();
}
