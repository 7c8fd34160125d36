// A PATCH path names an attribute, a part, elements or an extension; what is malformed is refused
// with its position, and what is unknown is ignored.

#include "scim/path.h"

#include "patch_fixture.h"

using namespace fixture;

namespace {

const std::string ent(enterprise_user_urn);
const std::string acme(acme_urn);

// "emails[].value", "extension 0", "nothing", or the error; "+report" behind it.
std::string read(const TypeView &type, const std::string &text, bool strict = false,
                 const PathLimits &limits = PathLimits()) {
    Report report;
    Dialect dialect(strict, report);
    auto path = parse_path(type, text, limits, dialect);
    if (!path) return words(path.error());
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
    is(read("userName", true), "userName", "an attribute");
    is(read("USERNAME", true), "userName", "in any case");
    is(read("name.familyName", true), "name.familyName", "a part");
    is(read("NAME.familyname", true), "name.familyName", "a part in any case");
    is(read("emails.value", true), "emails.value", "a part of every element");
    is(read("urn:ietf:params:scim:schemas:core:2.0:User:userName", true), "userName",
       "with the URN of the core schema");
    is(read("URN:ietf:params:scim:schemas:core:2.0:user:name.familyName", true), "name.familyName",
       "a part with it");
    is(read(ent + ":department", true), ent + ":department", "of an extension");
    is(read(ent + ":manager.value", true), ent + ":manager.value", "a part of an extension's");
    is(read(ent, true), "extension 0", "a whole extension");
    is(read("urn:IETF:params:scim:schemas:extension:enterprise:2.0:USER"), "extension 0",
       "in any case");
    is(read("id", true), "id", "who may write it is another question");
    is(read("manager.$ref"), ent + ":manager.$ref+unprefixed-extension", "$ref");
    is(read("department"), ent + ":department+unprefixed-extension", "without the URN");
    is(read("Manager.Value"), ent + ":manager.value+unprefixed-extension", "a part without it");
    ok(has(read("department", true), "invalidPath: ") && has(read("department", true), ent),
       "refused by rfc, with the full name");
    ok(has(read("division"),
           "invalidPath: the path \"division\" is wrong at character 1: several "),
       "the same name in two extensions");
}

void unknown() {
    is(read("favouriteColour"), "nothing+unknown-attribute:favouriteColour",
       "an unknown attribute");
    is(read("name.nick"), "nothing+unknown-attribute:name.nick", "an unknown part");
    is(read("userName.x"), "nothing+unknown-attribute:userName.x", "a part of what has none");
    is(read("emails[type eq \"work\"].colour"), "nothing+unknown-attribute:emails.colour",
       "an unknown part of an element");
    is(read("colours[type eq \"]\" and x eq 5].value"), "nothing+unknown-attribute:colours",
       "elements of an unknown attribute, whatever the filter");
    is(read("urn:example:x:1.0:User:a.b"), "nothing+unknown-attribute:urn:example:x:1.0:User:a.b",
       "of an unknown extension");
    is(read(ent + ":nobody"), "nothing+unknown-attribute:" + ent + ":nobody", "of a known one");
    for (const char *text : {"favouriteColour", "name.nick", "emails[type eq \"work\"].colour"})
        ok(has(read(text, true), "invalidPath: User has no attribute"), "refused by rfc");
}

void brackets() {
    is(read("emails[type eq \"work\"]", true), "emails[]", "elements");
    is(read("emails[type eq \"work\" and value ew \"]\"].value", true), "emails[].value",
       "a part of elements; a bracket in a string");
    is(read("EMAILS[TYPE EQ \"a\\\"]\"].VALUE", true), "emails[].value", "an escaped quote");
    is(read("emails[primary eq \"True\"].value"), "emails[].value+string-boolean",
       "string booleans");
    is(read("emails[not (type eq \"work\")]", true), "emails[]", "not");
    is(read(acme + ":seat[floor eq 3].tags", true), acme + ":seat[].tags", "of an extension");
    is(read("seat[floor gt 3]"), acme + ":seat[]+unprefixed-extension", "of one without its URN");
    is(read(ent + ":manager[value eq \"x\"]"), ent + ":manager[]+filter-on-singular",
       "of a manager");
    ok(has(read(ent + ":manager[value eq \"x\"]", true), "invalidPath: "), "refused by rfc");

    Report report;
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
    ok(!matches(home) && matches(work) && !matches({}), "the filter is asked about one element");
}

void malformed() {
    auto wrong = [](const std::string &text, const std::string &want) {
        std::string got = read(text);
        if (!ok(has(got, want), "malformed: " + text)) diag(got);
    };
    wrong("", "invalidPath: ");
    wrong("/userName", "invalidPath: the path \"/userName\" is wrong at character 1: ");
    wrong("user name", "invalidPath: the path \"user name\" is wrong at character 5: no name");
    wrong("\xc3\xa9\xc3\xa9 x", "at character 1: no name");
    wrong("abc\xc3\xa9\xc3\xa9 x", "at character 4: no name");
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
    is(read(user(), "externalId", false, limits), "externalId", "as long as is allowed");
    ok(has(read(user(), "displayName", false, limits),
           "invalidPath: the path has 11 bytes; 10 are"),
       "longer");
    limits = PathLimits();
    limits.filter.terms = 1;
    ok(has(read(user(), "emails[type pr and value pr]", false, limits), "invalidFilter: "),
       "the filter's own limits");
}

void members() {
    is(read(group(), "members", true), "members", "members");
    is(read(group(), "members[value eq \"a\"]", true), "members[a]", "one by its value");
    is(read(group(), "MEMBERS[ VALUE  EQ\"a\" ]", true), "members[a]", "blanks and case");
    is(read(group(), "members[value eq \"a\\\"]\" or value eq \"b\" OR Value eq \"c\"].display"),
       "members[a\"]][b][c].display", "several");
    const std::string uuid = "0192f7a0-0000-7000-8000-00000000000a";
    is(read(group(), "members[value eq " + uuid + "]"), "members[" + uuid + "]+bare-word",
       "without quotes");
    is(read(group(), "members[value eq bob or value eq 7]"), "members[bob][7]+bare-word*2",
       "other words and numbers");
    is(read(group(), "members[(value eq \"a\")]", true), "members[a]", "in parentheses");
    is(read(group(), "members[((value eq \"a\" or value eq \"b\") or (value eq \"c\"))]", true),
       "members[a][b][c]", "in several");
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
                    has(got, "at character 9: members are selected by value"),
                text))
            diag(got);
    }
    for (const char *text :
         {"members[]", "members[value eq \"a\" or]", "members[value eq \"a\" orvalue eq \"b\"]",
          "members[value eq \"\\x\"]", "members[colour eq \"a\"]"}) {
        std::string got = read(group(), text);
        if (!ok(has(got, "invalidFilter: the filter is wrong at character "), text)) diag(got);
    }
    ok(has(read(group(), "members[value eq a]", true), "invalidFilter: "), "a bare word: refused");
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
