// Tests the edits that a PATCH makes to the members of a group, independent of the current members.

#include "scim/patch/patch.h"

#include "patch_fixture.h"

using namespace fixture;

namespace {

// Returns the edits as text, such as "clear +12-3", or the error.
std::string members(const std::string &operations, bool strict = false, size_t limit = 20000) {
    Json json = must(parse_json(message(operations), JsonLimits()));
    DeviationReport report;
    PatchLimits limits;
    limits.members = limit;
    auto patch = Patch::parse(group(), json.get(), limits, strict, report);
    summary = report.summary();
    if (!patch) return error_text(patch.error());
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
    is(members(op("add", "members", list("21")), true), "+12", "add adds members");
    is(members(op("add", "", "{\"members\":" + list("21") + "}"), true), "+12",
       "add without a path adds members");
    is(members(op("replace", "members", list("21")), true), "clear +12",
       "replace clears the members and adds the new ones");
    is(members(op("replace", "", "{\"members\":" + list("21") + "}"), true), "clear +12",
       "replace without a path clears the members and adds the new ones");
    is(members(op("replace", "members", "[]"), true), "clear ",
       "replace with an empty array clears the members");
    is(members(op("remove", "members"), true), "clear ", "remove of members clears them");
    is(members(op("remove", selected('3')), true), "-3",
       "remove with a value filter removes the member");
    is(members(op("remove", "members[value eq \"" + id_text('3') + "\" or value eq \"" +
                                id_text('1') + "\"]"),
               true),
       "-13", "remove with two value filters joined by or removes both members");
    is(members(op("replace", "displayName", "\"x\""), true), "",
       "an operation on another attribute makes no edits of members");
    is(members(op("remove", "members", list("31"))), "-13",
       "remove with a value removes the listed members");
    is(summary, "remove-with-value", "remove of members with a value is reported");
    ok(has(members(op("remove", "members", list("31")), true),
           "invalidValue: Operations[0].value: "),
       "remove of members with a value is refused under scim_profile rfc");
    // Of the members that the path selects, the listed ones are removed.
    is(members(op("remove", selected('3'), list("31"))), "-3",
       "remove with a filter and a value removes the members that are in both");
    is(summary, "remove-with-value", "remove with a filter and a value is reported");
    is(members(op("remove", selected('3'), list("1"))), "(empty)",
       "remove with a filter and another value removes nothing");
    is(members(op("remove", selected('3'), "null")), "-3",
       "remove with a filter and null removes the selected member");
    is(members(op("remove", selected('3'), "[]")), "-3",
       "remove with a filter and [] removes the selected member");
    is(summary, "", "remove with a filter and [] is not reported");
    ok(has(members(op("remove", selected('3'), list("3")), true),
           "invalidValue: Operations[0].value: "),
       "remove with a filter and a value is refused under scim_profile rfc");
    is(members(op("remove", "members", "[]")), "(empty)", "remove with [] removes no members");
    is(members(op("remove", "members", "null")), "(empty)", "remove with null removes no members");
    is(members(op("remove", "members", "\"" + id_text('5') + "\"")), "-5",
       "remove with a string removes the member of this id");
    is(members(op("remove", "members", R"([{"value":"bogus"}])")), "(empty)",
       "remove with an invalid id as value removes nothing");
    is(members(op("remove", "members[value eq \"bogus\"]")), "(empty)",
       "remove with a filter for an invalid id removes nothing");
    is(members(op("add", "members", "[\"" + id_text('5') + "\"]")), "+5",
       "add of a string adds the member of this id");
    is(members(op("add", "members", "[]")) + members(op("add", "members", "null")),
       "(empty)(empty)", "add of [] and of null add no members");
    is(members(op("add", "members", list("12")) + "," + op("remove", selected('2')) + "," +
               op("remove", selected('3')) + "," + op("add", "members", list("3"))),
       "+13-2", "a later operation on a member replaces an earlier one");
    is(members(op("add", "members", list("12")) + "," + op("remove", "members") + "," +
               op("add", "members", list("34")) + "," + op("remove", selected('4'))),
       "clear +3", "after members are cleared a remove only cancels later adds");
    for (const char *bad : {"remove", "add", "replace"}) {
        std::string got = members(op(bad, "members[type eq \"User\"]", "[]"));
        ok(has(got, "invalidFilter: Operations[0].path: ") &&
               has(got, "can only be selected by value"),
           std::string(bad) + " with a filter that is not on value is refused");
        ok(has(members(op(bad, "members.value", "\"x\"")), "mutability: "),
           std::string(bad) + " of members.value is refused");
    }
    ok(has(members(op("replace", selected('1'), "{}")), "mutability: "),
       "replace of a selected member by an empty object is refused");
    for (const char *same : {"add", "replace"}) {
        is(members(op(same, selected('1'), "{\"Value\":\"" + id_text('1') + "\"}"), true),
           "(empty)",
           "[S-131] " + std::string(same) + " of a selected member by itself changes nothing");
        is(members(op(same, selected('1') + ".value", "\"" + id_text('1') + "\""), true), "(empty)",
           std::string(same) + " of a selected member's value by itself changes nothing");
        ok(has(members(op(same, selected('1') + ".value", "\"" + id_text('2') + "\"")),
               "mutability: "),
           "[S-24 S-131] " + std::string(same) +
               " of a selected member's value by another id is refused");
        ok(has(members(op(same, selected('1') + ".display", "\"" + id_text('1') + "\"")),
               "mutability: "),
           std::string(same) + " of a selected member's display is refused");
    }
    for (const char *any : {"add", "replace", "remove"})
        ok(has(members(op(any, "members", "[null]")),
               "invalidValue: Operations[0].value: \"members[0]\" must be an object"),
           std::string(any) + " with null in the array of members is refused");
    ok(has(members(op("add", "members", R"([{"value":"bogus"}])")),
           "invalidValue: Operations[0].value: members: there is no User or Group with the id "
           "\"bogus\""),
       "add of an invalid id is refused with the id");
    ok(has(members(op("add", "members", "[{}]")),
           "invalidValue: Operations[0].value: \"members[0].value\""),
       "add of a member without value is refused");
    std::string got = members(
        op("add", "members", list("12")) + "," + op("remove", "members", list("34")), false, 3);
    ok(has(got, "413: ") && has(got, "scim_max_members (3)"),
       "more members in all operations than scim_max_members are refused with 413");
    ok(has(members(op("remove", "displayName")), "mutability: "),
       "remove of a Group's displayName is refused");
}

}  // namespace

int main() {
    groups();
    return tap::done();
}
