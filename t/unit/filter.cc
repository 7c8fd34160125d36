// Tests that Filter::parse() implements the grammar of filter.h: the tree of each accepted filter,
// the error of each refused one, and the limits.

#include "filter_fixture.h"

using namespace fixture;

// Returns the tree as text, with parentheses around each binary operator.
static std::string show(const Filter &filter, uint32_t index) {
    const FilterNode &n = filter.node(index);
    auto pair = [&](const char *op) {
        return "(" + show(filter, n.left) + op + show(filter, n.right) + ")";
    };
    switch (n.kind) {
        case FilterNode::Kind::conjunction: return pair(" & ");
        case FilterNode::Kind::disjunction: return pair(" | ");
        case FilterNode::Kind::negation: return "!" + show(filter, n.left);
        case FilterNode::Kind::element: return n.attr->path + "[" + show(filter, n.left) + "]";
        case FilterNode::Kind::term: break;
    }
    std::string path = n.attr->path;
    if (size_t urn = path.rfind(':'); urn != path.npos) path = path.substr(urn);
    std::string text = path + " " + std::string(to_string(n.op));
    return n.op == FilterOp::pr ? text : text + " " + n.value.json;
}

static void read_as(std::string_view text, std::string_view tree, std::string_view reports = "",
                    bool strict = false) {
    DeviationReport report;
    Dialect dialect(strict, report);
    auto filter = Filter::parse(user(), text, FilterLimits(), dialect);
    is(filter ? show(*filter, filter->root()) : filter.error().detail, tree,
       std::string(text) + " is read as " + std::string(tree));
    if (filter)
        is(report.summary(), reports,
           std::string(text) + " is reported as '" + std::string(reports) + "'");
}

// `where` is the position of the error in characters from 1, `what` a part of the error's detail.
static void refused(std::string_view text, size_t where, std::string_view what, bool strict = false,
                    const FilterLimits &limits = FilterLimits()) {
    auto filter = parse(text, strict, limits);
    std::string name(text.substr(0, 60));
    if (filter) {
        ok(false, name + " is refused");
        return;
    }
    const Error &error = filter.error();
    ok(error.status() == 400 && error.type() == ScimType::invalid_filter,
       name + " is refused with 400 invalidFilter");
    std::string start = "the filter is wrong at character " + std::to_string(where) + ": ";
    bool good = error.detail.compare(0, start.size(), start) == 0 && error.detail.back() != '.' &&
                error.detail.find(what, start.size()) != std::string::npos;
    ok(good, name + " is refused at character " + std::to_string(where) + ": " + std::string(what));
    if (!good) diag(error.detail);
}

static void grammar() {
    note("[S-69 S-70 S-75 S-76 E-4670 E-7319] precedence and shape");
    read_as("title pr", "title pr");
    read_as("title pr and active pr or locale pr", "((title pr & active pr) | locale pr)");
    read_as("title pr or active pr and locale pr", "(title pr | (active pr & locale pr))");
    read_as("title pr and active pr and locale pr", "(title pr & (active pr & locale pr))");
    read_as("(title pr or active pr) and locale pr", "((title pr | active pr) & locale pr)");
    read_as("not (title pr) and active pr", "(!title pr & active pr)");
    read_as("not (title pr and active pr)", "!(title pr & active pr)");
    read_as("not(not  (title pr))", "!!title pr");
    read_as("title pr or not(active pr)", "(title pr | !active pr)");
    read_as("((title pr))", "title pr");

    note("[S-71 S-75 S-77] case and blanks");
    read_as("TITLE PR aNd Active Eq TRUE OR not (Locale PR)",
            "((title pr & active eq true) | !locale pr)");
    read_as("NOT (title pr)", "!title pr");
    read_as("  title \t pr  and\tactive   eq  False  ", "(title pr & active eq false)");
    read_as("( title pr )", "title pr");
    read_as("emails[ type eq \"a\" ]", "emails[emails.type eq \"a\"]");
    read_as("title eq\"x\"", "title eq \"x\"", "", true);

    note("[S-73 S-74 E-7322] names");
    read_as("name.familyName pr", "name.familyName pr");
    read_as("URN:ietf:params:scim:schemas:CORE:2.0:user:NAME.familyname pr", "name.familyName pr");
    read_as("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value pr",
            ":manager.value pr");
    read_as("emails[type eq \"a\" or not (value co \"b\" and primary eq true)]",
            "emails[(emails.type eq \"a\" | !(emails.value co \"b\" & emails.primary eq true))]");
    read_as("emails[type eq \"a\"] and title pr", "(emails[emails.type eq \"a\"] & title pr)");
    read_as("name[givenName pr]", "name[name.givenName pr]");
    read_as("emails co \"x\"", "emails.value co \"x\"", "", true);
    read_as("emails eq null", "emails eq null", "", true);
    read_as("schemas eq \"x\" and id eq \"y\" and meta.version eq \"z\"",
            "(schemas eq \"x\" & (id eq \"y\" & meta.version eq \"z\"))", "", true);
}

static void literals() {
    note("[S-72] literals");
    read_as(R"(title eq "a\"b\\c\/d\b\f\n\r\t\u0041\u00e9\uD83D\uDE00")",
            R"(title eq "a\"b\\c/d\b\f\n\r\tA)"
            "\u00e9\U0001F600\"");
    read_as("title eq \"and or not ( ) [ ]\"", "title eq \"and or not ( ) [ ]\"");
    read_as("title eq \"\"", "title eq \"\"");
    read_as("title eq NULL", "title eq null");
    std::string level = "urn:example:acme:2.0:User:level eq ", score = level;
    score.replace(score.find("level"), 5, "score");
    for (const char *number : {"0", "-1", "9223372036854775807", "-9223372036854775808"})
        read_as(level + number, std::string(":level eq ") + number);
    read_as(level + "1e3", ":level eq 1000");
    read_as(level + "2.0", ":level eq 2");
    read_as(level + "-0", ":level eq 0");
    read_as(level + "1.5", ":level eq 1.5");
    read_as(level + "9223372036854775808", ":level eq 9223372036854775808.0");
    read_as(score + "3", ":score eq 3.0");
    read_as(score + "-0.0", ":score eq 0.0");
    read_as(score + "9007199254740993", ":score eq 9007199254740993");
    read_as(score + "12.50E-1", ":score eq 1.25");
    for (const char *bad : {"01", "+1", ".5", "1.", "1e", "1e+", "-", "0x1", "1_0", "inf", "nan",
                            "1e999", "-1e999", "\"one\"", "true", "one"})
        refused(level + bad, 36,
                "\"urn:example:acme:2.0:User:level\" is compared with a 64-bit number");
    refused("active eq 1", 11, "true or false, not with \"1\"");
    refused("active eq \"yes\"", 11, "true or false, not with \"yes\"");
    refused("active eq yes", 11, "true or false, not with \"yes\"");
    refused("meta.created gt \"yesterday\"", 17, "a time in double quotes");
    refused("meta.created gt \"2011-05-13\"", 17, "a time in double quotes");
    refused("meta.created gt 2011-05-13T04:42:34Z", 17, "a time in double quotes");
    refused("meta.created gt 5", 17, "a time in double quotes");
    refused("urn:example:acme:2.0:User:badge eq QUJD", 36, "a string in double quotes");

    note("[S-68 S-72] malformed strings");
    refused("title eq \"abc", 14, "a double quote that ends the string, found the end");
    refused("title eq \"", 11, "a double quote");
    refused("title eq \"abc\\\"", 16, "a double quote");
    refused("title eq \"abc\\", 15, "a double quote");
    for (const char *bad : {R"("\x")", R"("\u12")", R"("\uD800")", R"("\uDC00")", "\"a\nb\"",
                            R"("\uD800\u0041")", R"("\'")"})
        refused(std::string("title eq ") + bad, 10, "not a JSON string");
    refused("title eq \"\\u0000\"", 10, "U+0000");
    refused("title eq 'x'", 10, "double quotes, not single ones");
    refused("title eq \"a\xff\"", 12, "not UTF-8");
}

static void dialect() {
    note(
        "[S-72 S-74 S-82 L-bare-word L-bare-value L-value-path] accepted deviations, refused under "
        "scim_profile rfc");
    read_as("externalId eq ext-unq-1", "externalId eq \"ext-unq-1\"", "bare-word");
    read_as("(title eq a) and emails[type eq work]",
            "(title eq \"a\" & emails[emails.type eq \"work\"])", "bare-word*2");
    read_as("externalId eq 00123 or externalId eq 123",
            "(externalId eq \"00123\" | externalId eq \"123\")", "bare-word*2");
    read_as("title eq True", "title eq \"True\"", "bare-word");
    read_as("profileUrl eq https://a.example/b", "profileUrl eq \"https://a.example/b\"",
            "bare-word");
    read_as("title eq O'Brien", "title eq \"O'Brien\"", "bare-word");
    read_as("active eq \"True\"", "active eq true", "string-boolean");
    read_as("emails[primary eq \"false\"]", "emails[emails.primary eq false]", "string-boolean");
    read_as("department eq \"x\" and Manager.VALUE pr",
            "(:department eq \"x\" & :manager.value pr)", "unprefixed-extension*2");
    read_as("manager eq \"m\"", ":manager.value eq \"m\"", "unprefixed-extension,bare-value");
    read_as("emails[type eq \"work\"].value eq \"x\"",
            "emails[(emails.type eq \"work\" & emails.value eq \"x\")]", "value-path");
    read_as(
        "emails[type eq \"a\" or type eq \"b\"].primary pr or title pr",
        "(emails[((emails.type eq \"a\" | emails.type eq \"b\") & emails.primary pr)] | title pr)",
        "value-path");
    refused("division eq \"x\"", 1, "several extensions have an attribute \"division\"");
    refused("level.value eq 1", 1, "User has no attribute \"level.value\"");

    refused("title eq x", 10, "a string in double quotes, not with \"x\"", true);
    refused("title eq 5", 10, "a string in double quotes, not with \"5\"", true);
    refused("active eq \"true\"", 11, "true or false", true);
    refused("department pr", 1, "enterprise:2.0:User:department\" instead of \"department\"", true);
    refused("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq \"m\"", 68,
            "has parts", true);
    refused("emails[type eq \"work\"].value eq \"x\"", 23, "found \".value\"", true);
    read_as("ACTIVE EQ True", "active eq true", "", true);
}

static void errors() {
    constexpr const char *operators = "an operator (eq, ne, co, sw, ew, gt, ge, lt, le or pr)";
    note("[S-68 S-69] missing and superfluous tokens");
    refused("", 1, "the name of an attribute, found the end");
    refused("   ", 4, "the name of an attribute, found the end");
    refused("title", 6, operators);
    refused("title ", 7, operators);
    refused("title zz \"x\"", 7, "found \"zz\"");
    refused("title = \"x\"", 7, "found \"=\"");
    refused("title eq", 9, "a blank and a value, found the end");
    refused("title eq ", 10, "a value, found the end");
    refused("title eq )", 10, "a value, found \")\"");
    refused("title eq[", 9, "found \"[\"");
    refused("title\"x\"", 6, "found \"\"\"");
    refused("title pr \"x\"", 10, "\"and\", \"or\" or the end");
    refused("title pr active pr", 10, "\"and\", \"or\" or the end, found \"active\"");
    refused("title eq \"x\"and active pr", 13, "found \"and\"");
    refused("title pr and(active pr)", 13, "a blank after \"and\"");
    refused("title pr and", 13, "a blank after \"and\"");
    refused("title pr or ", 13, "the name of an attribute, found the end");
    refused("title pr xor active pr", 10, "found \"xor\"");
    refused("and title pr", 1, "no attribute \"and\"");
    refused("not title pr", 5, "\"(\" after \"not\", found \"title\"");
    refused("not", 4, "\"(\" after \"not\"");
    refused("(title pr", 10, "\"and\", \"or\" or \")\", found the end");
    refused("(title pr]", 10, "found \"]\"");
    refused("title pr)", 9, "the end, found \")\"");
    refused("()", 2, "the name of an attribute, found \")\"");
    refused("(title pr)and active pr", 11, "found \"and\"");
    refused("emails[type pr", 15, "\"and\", \"or\" or \"]\", found the end");
    refused("emails[type pr)", 15, "found \")\"");
    refused("emails[]", 8, "the name of a part, found \"]\"");
    refused("emails [type pr]", 8, operators);
    refused("emails[type pr] .value pr", 17, "found \".value\"");
    refused("emails[type pr].", 17, "the name of a part");
    refused("emails[type pr].value", 22, operators);
    refused("emails[type pr].x pr", 17, "\"emails\" has no part \"x\"");
    refused("emails.$ref pr", 1, "no attribute \"emails.$ref\"");
    refused("emails[type pr]value pr", 16, "found \"value\"");
    refused("\u00e4 pr", 1, "no attribute \"\u00e4\"");
    refused("title eq \"\u00e4\u00f6\U0001F600\" und", 16, "found \"und\"");
    refused("title ge null", 7, "null can only be compared with eq and ne");
    refused("title eq \"" + std::string(80, 'x') + "\" " + std::string(80, 'y'), 93,
            std::string(64, 'y') + "\u2026\"");

    note("[S-73 S-83 E-4690] names");
    refused("nonsense eq \"x\"", 1, "User has no attribute \"nonsense\"");
    refused("title pr and name.nonsense pr", 14, "User has no attribute \"name.nonsense\"");
    refused("urn:ietf:params:scim:schemas:core:2.0:User pr", 1, "no attribute");
    refused("urn:ietf:params:scim:schemas:core:2.0:Group:title pr", 1, "no attribute");
    refused("title.x pr", 1, "no attribute");
    refused("emails.value.x pr", 1, "no attribute");
    refused("emails[emails.type pr]", 8, "\"emails\" has no part \"emails.type\"");
    refused("emails[title pr]", 8, "no part");
    refused("emails[type[value pr]]", 12, "brackets cannot follow \"type\", which has no parts");
    refused("title[value pr]", 6, "brackets cannot follow \"title\"");
    refused("schemas[value pr]", 8, "brackets cannot follow \"schemas\"");
    refused("name eq \"x\"", 6, "\"name\" has parts");
    refused("addresses co \"x\"", 11, "\"addresses\" has parts");
    refused("meta eq \"x\"", 6, "\"meta\" has parts");

    note("[S-85] attributes that a filter must not use");
    refused("password eq \"x\"", 1, "\"password\" is never returned");
    refused("PASSWORD pr", 1, "\"password\" is never returned");
    refused("pin eq \"1234\"", 1, "never returned");
    refused("seat[pin pr]", 6, "never returned");
    refused("seat[value pr].pin pr", 16, "never returned");
    refused("seat.pin eq null", 1, "never returned");
    for (const char *text :
         {"serial pr", "serial eq \"x\"", "not (serial gt \"x\")", "groups pr", "groups.value pr",
          "groups eq \"x\"", "groups.$ref pr", "groups[value eq \"x\" and display co \"y\"]",
          "manager.displayName pr", "manager.$ref pr", "manager[displayName eq \"x\"]"})
        ok(bool(parse(text)), std::string(text) + " is accepted");

    note("the rows and attributes that a filter needs");
    auto needs = [](std::string_view text, bool rows, bool walks) {
        auto filter = parse(text);
        ok(filter && filter->needs_rows() == rows && filter->walks_rows() == walks,
           std::string(text) + (rows ? " needs rows" : " needs no rows") +
               (walks ? " and walks them" : " and walks none"));
    };
    needs("userName pr and manager eq \"x\"", false, false);
    needs("groups pr", true, false);
    needs("not (groups eq \"x\" or groups ne null)", true, false);
    needs("groups[value eq \"x\"]", true, false);
    needs("groups[not (value eq \"x\")]", true, true);
    needs("groups.display eq \"x\"", true, true);
    needs("groups[type eq \"x\"]", true, true);
    needs("manager.displayName eq \"x\"", true, true);
    needs("manager.displayName pr", true, false);
    auto filter = parse("emails[type pr] or title pr");
    auto stored = [&](const char *path) {
        return filter->stored().includes(user().find(path)->number);
    };
    ok(filter && stored("emails.type") && stored("emails.value") && stored("title") &&
           !stored("name.givenName"),
       "stored() has all sub-attributes of a bracketed attribute and the attributes of terms");

    note("names that a type does not define, in a query of several types");
    auto lenient = [](std::string_view text) {
        DeviationReport report;
        Dialect dialect(false, report);
        return Filter::parse(user(), text, FilterLimits(), dialect, UnknownNames::no_value);
    };
    auto unknown =
        lenient("members eq \"x\" or Nothing.at eq 1 or more[a pr and (b eq true)].c pr");
    ok(unknown && unknown->unknown() == std::vector<std::string>{"members", "Nothing.at", "more",
                                                                 "more.a", "more.b", "more.c"},
       "with UnknownNames::no_value unknown names are accepted and listed by unknown()");
    ok(!lenient("members eq") && !lenient("members like 1") && !lenient("members[a[b pr]]") &&
           !lenient("members gt null") && !lenient("active eq \"maybe\""),
       "with UnknownNames::no_value malformed filters are refused");

    note("[S-78] operators that do not apply to the type (RFC 7644 3.4.2.2)");
    refused("active gt true", 8, "\"gt\" does not apply to \"active\", which is of type boolean");
    refused("x509Certificates.value ge \"QUJD\"", 24, "of type binary");
    refused("x509Certificates lt \"QUJD\"", 18, "of type binary");
    refused("meta.created co \"2011\"", 14, "of type dateTime");
}

static std::string repeat(std::string_view what, size_t times) {
    std::string out;
    for (size_t i = 0; i < times; i++) out += what;
    return out;
}

static void limits() {
    note("[S-88] limits");
    FilterLimits limits;
    auto nested = [](std::string_view open, size_t depth) {
        return repeat(open, depth) + "title pr" + repeat(")", depth);
    };
    ok(bool(parse(nested("(", 32))), "32 nested parentheses are accepted");
    refused(nested("(", 33), 33, "scim_max_filter_depth (32)");
    ok(bool(parse(nested("not (", 32))), "32 nested nots are accepted");
    refused(nested("not (", 33), 32 * 5 + 5, "scim_max_filter_depth (32)");
    limits.depth = 2;
    ok(bool(parse("emails[(type pr)] or ((title pr))", false, limits)),
       "brackets count towards the depth until they are closed");
    refused("emails[((type pr))]", 9, "scim_max_filter_depth (2)", false, limits);
    refused("((emails[type pr]))", 9, "scim_max_filter_depth (2)", false, limits);
    limits.depth = 0;
    ok(bool(parse("title pr and active pr", false, limits)),
       "a filter without parentheses is accepted at depth limit 0");
    refused("(title pr)", 1, "scim_max_filter_depth (0)", false, limits);

    limits = FilterLimits();
    auto chain = [](std::string_view with, size_t terms) {
        return "title pr" + repeat(std::string(with) + "active eq true", terms - 1);
    };
    for (const char *with : {" and ", " or "}) {
        auto filter = parse(chain(with, 200));
        ok(filter && filter->terms() == 200,
           std::string("200 terms joined by") + with + "are accepted");
        refused(chain(with, 201),
                8 + 199 * (std::string(with).size() + 14) + std::string(with).size() + 8,
                "200 are allowed");
    }
    auto filter = parse("emails[type pr and value pr].primary pr or title pr");
    ok(filter && filter->terms() == 4, "terms in brackets count towards the number of terms");

    std::string longest = "title eq \"" + std::string(8192 - 11, 'x') + "\"";
    ok(longest.size() == 8192 && parse(longest), "a filter of 8,192 bytes is accepted");
    auto longer = parse(longest + " ");
    is(longer ? "accepted" : longer.error().detail, "the filter has 8193 bytes; 8192 are allowed",
       "[S-88] a filter of 8,193 bytes is refused");

    note("hostile filters");
    for (std::string_view open :
         {"(", "not(", "not (", "emails[", "emails[(", "[", "\"", "\\", ")"})
        ok(!parse(repeat(open, 8192 / open.size())),
           "8 KiB of '" + std::string(open) + "' are refused");
    limits.depth = 1000;
    ok(bool(parse(nested("(", 1000), false, limits)),
       "1,000 nested parentheses are accepted at depth limit 1,000");
    ok(!parse(repeat("(", 8192), false, limits), "8 KiB of '(' are refused at depth limit 1,000");
}

static void values() {
    note("the value of a term");
    auto value = [](std::string_view text) {
        auto filter = must(parse(text));
        return filter.node(filter.root()).value;
    };
    auto kind = [&](std::string_view text, FilterValue::Kind kind) {
        return ok(value(text).kind == kind,
                  "the value of " + std::string(text) + " has the expected kind");
    };
    kind("title pr", FilterValue::Kind::none);
    kind("title eq null", FilterValue::Kind::null);
    kind("active eq true", FilterValue::Kind::boolean);
    kind("title eq \"X\"", FilterValue::Kind::key);
    kind("score eq 1.5", FilterValue::Kind::decimal);
    kind("score eq 1", FilterValue::Kind::integer);
    kind("level eq 1.0", FilterValue::Kind::integer);
    kind("level eq 1.5", FilterValue::Kind::decimal);
    kind("level eq 9223372036854775808", FilterValue::Kind::decimal);
    kind("meta.created gt \"2020-01-01T00:00:00.5Z\"", FilterValue::Kind::time);
    is(value("title eq \"STRA\u00dfE\"").key, "strasse",
       "the key of a caseExact false string is folded");
    is(value("title eq \"STRA\u00dfE\"").json, "\"STRA\u00dfE\"",
       "the JSON of a string literal keeps its text");
    is(value("id eq \"AbC\"").key, "AbC", "the key of a caseExact true string is its text");
    is(value("userName eq \"\uff22J\"").key, "bj", "the key of a userName is mapped by PRECIS");
    is(value("meta.created gt \"1970-01-01T00:00:01.5Z\"").integer, 1500000,
       "the value of a time is in microseconds");
    is(value("level gt -7").integer, -7, "the value of a negative integer is read");
    is(value("score gt -7.25").decimal, -7.25, "the value of a negative decimal is read");
}

int main() {
    grammar();
    literals();
    dialect();
    errors();
    limits();
    values();
    return tap::done();
}
