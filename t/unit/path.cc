// Tests that a PATCH path selects an attribute, a sub-attribute, elements or an extension, that a
// malformed path is refused with the position of the error, and that unknown names are ignored.

#include "scim/filter/path.h"

#include "patch_fixture.h"

using namespace fixture;

namespace {

const std::string ent(enterprise_user_urn);
const std::string acme(acme_urn);

// Returns the path as text, such as "emails[].value" or "extension 0", "nothing" for an unknown
// name, or the error; then "+" and the deviations, if any.
std::string read(const TypeView &type, const std::string &text, bool strict = false,
                 const PathLimits &limits = PathLimits()) {
    DeviationReport report;
    Dialect dialect(strict, report);
    auto path = parse_path(type, text, limits, dialect);
    if (!path) return error_text(path.error());
    std::string out = "nothing";
    if (*path) {
        const Path &p = **path;
        out = p.attr ? p.attr->path : "extension " + std::to_string(p.extension);
        if (p.filter) out += "[]";
        if (p.member_ids)
            for (const std::string &id : *p.member_ids) out += "[" + id + "]";
        if (p.part) out += "." + p.part->def->name;
    }
    std::string summary = report.summary();
    return out + (summary.empty() ? "" : "+" + summary);
}

std::string read(const std::string &text, bool strict = false) {
    return read(user(), text, strict);
}

void names() {
    is(read("userName", true), "userName", "[S-114] a path selects an attribute");
    is(read("USERNAME", true), "userName", "a path selects an attribute in any case");
    is(read("name.familyName", true), "name.familyName", "a path selects a sub-attribute");
    is(read("NAME.familyname", true), "name.familyName",
       "a path selects a sub-attribute in any case");
    is(read("emails.value", true), "emails.value",
       "a path selects a sub-attribute of all elements");
    is(read("urn:ietf:params:scim:schemas:core:2.0:User:userName", true), "userName",
       "a path with the URN of the core schema selects a core attribute");
    is(read("URN:ietf:params:scim:schemas:core:2.0:user:name.familyName", true), "name.familyName",
       "a path with the URN of the core schema selects a core sub-attribute in any case");
    is(read(ent + ":department", true), ent + ":department",
       "a path selects an attribute of an extension");
    is(read(ent + ":manager.value", true), ent + ":manager.value",
       "a path selects a sub-attribute of an extension");
    is(read(ent, true), "extension 0", "the URN of an extension selects the extension");
    is(read("urn:IETF:params:scim:schemas:extension:enterprise:2.0:USER"), "extension 0",
       "the URN of an extension selects the extension in any case");
    is(read("id", true), "id", "a path may select a readOnly attribute");
    is(read("manager.$ref"), ent + ":manager.$ref+unprefixed-extension",
       "[E-8924] a path may end with $ref");
    is(read("department"), ent + ":department+unprefixed-extension",
       "an extension's attribute without its URN is accepted and reported");
    is(read("Manager.Value"), ent + ":manager.value+unprefixed-extension",
       "an extension's sub-attribute without its URN is accepted and reported");
    ok(has(read("department", true), "invalidPath: ") && has(read("department", true), ent),
       "scim_profile rfc refuses an extension's attribute without its URN and names it");
    ok(has(read("division"),
           "invalidPath: the path \"division\" is wrong at character 1: several "),
       "a name that two extensions have is refused");
}

void unknown() {
    is(read("favouriteColour"), "nothing+unknown-attribute:favouriteColour",
       "an unknown attribute is ignored and reported");
    is(read("name.nick"), "nothing+unknown-attribute:name.nick",
       "an unknown sub-attribute is ignored and reported");
    is(read("userName.x"), "nothing+unknown-attribute:userName.x",
       "a sub-attribute of a simple attribute is ignored and reported");
    is(read("emails[type eq \"work\"].colour"), "nothing+unknown-attribute:emails.colour",
       "an unknown sub-attribute of elements is ignored and reported");
    is(read("colours[type eq \"]\" and x eq 5].value"), "nothing+unknown-attribute:colours",
       "elements of an unknown attribute are ignored and reported, whatever the filter");
    is(read("urn:example:x:1.0:User:a.b"), "nothing+unknown-attribute:urn:example:x:1.0:User:a.b",
       "an attribute of an unknown extension is ignored and reported");
    is(read(ent + ":nobody"), "nothing+unknown-attribute:" + ent + ":nobody",
       "an unknown attribute of a known extension is ignored and reported");
    for (const char *text : {"favouriteColour", "name.nick", "emails[type eq \"work\"].colour"})
        ok(has(read(text, true), "invalidPath: User has no attribute"),
           std::string("scim_profile rfc refuses the unknown path ") + text);
}

void brackets() {
    is(read("emails[type eq \"work\"]", true), "emails[]", "[S-114] brackets select elements");
    is(read("emails[type eq \"work\" and value ew \"]\"].value", true), "emails[].value",
       "a bracket in a string of the filter does not end the filter");
    is(read("EMAILS[TYPE EQ \"a\\\"]\"].VALUE", true), "emails[].value",
       "an escaped quote in the filter does not end the string");
    is(read("emails[primary eq \"True\"].value"), "emails[].value+string-boolean",
       "a boolean in a string in the filter is accepted and reported");
    is(read("emails[not (type eq \"work\")]", true), "emails[]", "a filter may have not");
    is(read(acme + ":seat[floor eq 3].tags", true), acme + ":seat[].tags",
       "a path selects a sub-attribute of an extension's elements");
    is(read("seat[floor gt 3]"), acme + ":seat[]+unprefixed-extension",
       "elements of an extension's attribute without its URN are accepted and reported");
    is(read(ent + ":manager[value eq \"x\"]"), ent + ":manager[]+filter-on-singular",
       "a filter on the manager is accepted and reported");
    ok(has(read(ent + ":manager[value eq \"x\"]", true), "invalidPath: "),
       "scim_profile rfc refuses a filter on the manager");

    DeviationReport report;
    Dialect dialect(false, report);
    auto path = must(parse_path(user(), "emails[type eq \"work\"]", PathLimits(), dialect));
    User u(
        R"({"userName":"u","emails":[{"value":"a","type":"home"},{"value":"b","type":"Work"}]})");
    std::vector<Leaf> home, work;
    for (const Leaf &leaf : u.resource.leaves) {
        if (leaf.attr == user().find("userName")->number) continue;
        (leaf.element == 0 ? home : work).push_back(leaf);
    }
    auto matches = [&](const std::vector<Leaf> &leaves) {
        return path->filter->matches_element(user(), leaves.data(), leaves.data() + leaves.size());
    };
    ok(!matches(home) && matches(work) && !matches({}),
       "the filter of a path matches single elements");
}

void malformed() {
    auto wrong = [](const std::string &text, const std::string &want) {
        std::string got = read(text);
        if (!ok(has(got, want), "[S-115] the malformed path '" + text + "' is refused: " + want))
            diag(got);
    };
    wrong("", "invalidPath: ");
    wrong("/userName", "invalidPath: the path \"/userName\" is wrong at character 1: ");
    wrong("user name",
          "invalidPath: the path \"user name\" is wrong at character 5: this character");
    wrong("\xc3\xa9\xc3\xa9 x", "at character 1: this character");
    wrong("abc\xc3\xa9\xc3\xa9 x", "at character 4: this character");
    wrong("name.", "invalidPath: ");
    wrong(".name", "invalidPath: ");
    wrong("name.familyName.x", "at character 6: expected the name of a part");
    wrong("5", "invalidPath: ");
    wrong("http:x", "invalidPath: ");
    wrong("urn:x:", "invalidPath: ");
    wrong("[type eq \"work\"]", "at character 1: expected the name of an attribute");
    wrong("emails[type eq \"work\"",
          "invalidPath: the path \"emails[type eq \"work\"\" is wrong at character 22: expected "
          "\"]\"");
    wrong("emails[type eq \"work]", "at character 22: expected a double quote");
    wrong("emails[type eq \"work\"]value", "at character 23: expected \".\"");
    wrong("emails[type eq \"work\"].", "at character 23: expected \".\"");
    wrong("emails[type eq \"work\"].value.x", "at character 23: ");
    wrong("emails[type eq \"work\"] ", "at character 23: ");
    wrong("emails[type eq \"work\"][type eq \"x\"]", "at character 23: ");
    wrong("userName[value eq \"x\"]", "at character 9: brackets cannot follow \"userName\"");
    wrong("emails.value[value eq \"x\"]", "brackets cannot follow \"emails.value\"");
    wrong(ent + "[x eq 1]", "brackets cannot follow the URN of an extension");
    wrong("colours[", "invalidPath: ");

    wrong("emails[type is \"work\"]", "invalidFilter: the filter is wrong at character 13: ");
    wrong("emails[]", "invalidFilter: ");
    wrong("emails[0]", "invalidFilter: ");
    wrong("emails[colour eq \"red\"]", "invalidFilter: ");
    wrong("emails[primary eq 5]", "invalidFilter: ");

    PathLimits limits;
    limits.length = 10;
    is(read(user(), "externalId", false, limits), "externalId",
       "a path as long as the limit is accepted");
    ok(has(read(user(), "displayName", false, limits),
           "invalidPath: the path has 11 bytes; 10 are"),
       "a path longer than the limit is refused");
    limits = PathLimits();
    limits.filter.terms = 1;
    ok(has(read(user(), "emails[type pr and value pr]", false, limits), "invalidFilter: "),
       "the limits of filters apply to the filter of a path");
}

void members() {
    is(read(group(), "members", true), "members", "a path selects all members");
    is(read(group(), "members[value eq \"a\"]", true), "members[a]",
       "a path selects a member by its value");
    is(read(group(), "MEMBERS[ VALUE  EQ\"a\" ]", true), "members[a]",
       "a path selects a member in any case and with any blanks");
    is(read(group(), "members[value eq \"a\\\"]\" or value eq \"b\" OR Value eq \"c\"].display"),
       "members[a\"]][b][c].display", "a path selects several members joined by or");
    const std::string uuid = "0192f7a0-0000-7000-8000-00000000000a";
    is(read(group(), "members[value eq " + uuid + "]"), "members[" + uuid + "]+bare-word",
       "the id of a member without quotes is accepted and reported");
    is(read(group(), "members[value eq bob or value eq 7]"), "members[bob][7]+bare-word*2",
       "words and numbers without quotes are accepted as ids and reported");
    is(read(group(), "members[(value eq \"a\")]", true), "members[a]",
       "a path selects a member with a filter in parentheses");
    is(read(group(), "members[((value eq \"a\" or value eq \"b\") or (value eq \"c\"))]", true),
       "members[a][b][c]", "a path selects members with a filter in nested parentheses");
    for (const char *text :
         {"members[type eq \"User\"]", "members[value ne \"a\"]", "members[value pr]",
          "members[value eq \"a\" and type eq \"User\"]",
          "members[type eq \"Group\" and value eq \"a\" or value eq \"b\"]",
          "members[value eq null]", "members[value eq \"a\" and type ne \"User\"]",
          "members[not (value eq \"a\")]", "members[value eq \"a\" and value eq \"b\"]",
          "members[display eq \"a\"]", "members[value eq \"a\" and display eq \"b\"]",
          "members[value eq \"a\" or type eq \"User\"]",
          "members[(value eq \"a\" or value eq \"b\") and type eq \"User\"]"}) {
        std::string got = read(group(), text);
        if (!ok(has(got, "invalidFilter: the path \"members[") &&
                    has(got, "at character 9: members can only be selected by value"),
                std::string(text) + " is refused: members are selected by value"))
            diag(got);
    }
    for (const char *text :
         {"members[]", "members[value eq \"a\" or]", "members[value eq \"a\" orvalue eq \"b\"]",
          "members[value eq \"\\x\"]", "members[colour eq \"a\"]"}) {
        std::string got = read(group(), text);
        if (!ok(has(got, "invalidFilter: the filter is wrong at character "),
                std::string(text) + " is refused as a malformed filter"))
            diag(got);
    }
    ok(has(read(group(), "members[value eq a]", true), "invalidFilter: "),
       "scim_profile rfc refuses the id of a member without quotes");
}

}  // namespace

int main() {
    names();
    unknown();
    brackets();
    malformed();
    members();
    return tap::done();
}
