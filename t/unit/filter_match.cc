// Tests that filters match as RFC 7644 3.4.2.2 says: every operator on every type, elements,
// unassigned attributes, and attributes that the server computes.

#include <new>

#include "filter_fixture.h"

using namespace fixture;

static size_t allocations;

void *operator new(size_t size, const std::nothrow_t &) noexcept {
    allocations++;
    return std::malloc(size);
}
void *operator new(size_t size) {
    if (void *p = operator new(size, std::nothrow)) return p;
    throw std::bad_alloc();
}
void operator delete(void *p) noexcept { std::free(p); }
void operator delete(void *p, size_t) noexcept { std::free(p); }

static const User *subject;

// Tests the result of a filter on `subject`.
static void holds(std::string_view text, bool expected) {
    auto filter = parse(text);
    if (!filter) {
        ok(false, std::string(text) + " is accepted");
        diag(filter.error().detail);
        return;
    }
    ok(filter->matches(subject->subject) == expected,
       std::string(text) + (expected ? " is true" : " is false"));
}

// Tests that `attribute` compared with `literal` is true with each operator of `yes` and false with
// each of `no`.
static void operators(std::string_view attribute, std::string_view literal, std::string_view yes,
                      std::string_view no) {
    for (bool expected : {true, false}) {
        std::string_view rest = expected ? yes : no;
        for (; rest.size() >= 2; rest.remove_prefix(std::min<size_t>(3, rest.size())))
            holds(std::string(attribute) + " " + std::string(rest.substr(0, 2)) + " " +
                      std::string(literal),
                  expected);
    }
}

static void refused(std::string_view attribute, std::string_view literal, std::string_view ops) {
    for (; ops.size() >= 2; ops.remove_prefix(std::min<size_t>(3, ops.size()))) {
        std::string text = std::string(attribute) + " " + std::string(ops.substr(0, 2)) + " " +
                           std::string(literal);
        auto filter = parse(text);
        ok(!filter && filter.error().status() == 400 &&
               filter.error().type() == ScimType::invalid_filter,
           text + " is refused with 400 invalidFilter");
    }
}

static void strings() {
    note("[S-23 S-78] strings");
    operators("displayName", "\"BABS J\"", "eq co sw ew ge le", "ne gt lt");
    operators("displayName", "\"babs\"", "ne co sw gt ge", "eq ew lt le");
    operators("displayName", "\"S J\"", "ne co ew lt le", "eq sw gt ge");
    operators("displayName", "\"zz\"", "ne lt le", "eq co sw ew gt ge");
    operators("displayName", "\"Babs Jensen of Oslo\"", "ne lt le", "eq co sw ew gt ge");
    operators("displayName", "\"\"", "ne co sw ew gt ge", "eq lt le");
    operators("urn:example:acme:2.0:User:code", "\"AbC\"", "eq co sw ew ge le", "ne gt lt");
    operators("urn:example:acme:2.0:User:code", "\"abc\"", "ne lt le", "eq co sw ew gt ge");
    operators("externalId", "\"ext-1\"", "eq co sw ew ge le", "ne gt lt");
    operators("externalId", "\"EXT-1\"", "ne gt ge", "eq co sw ew lt le");

    note("[S-155 S-158] strings are compared by their matching keys, not their octets");
    operators("name.familyName", "\"STRASSE\"", "eq co sw ew ge le", "ne gt lt");
    operators("name.familyName", "\"rASs\"", "ne co gt ge", "eq sw ew lt le");
    operators("name.givenName", "\"A\\u030Ase\"", "eq co sw ew ge le", "ne gt lt");
    operators("title", R"("say \"HI\"\n\\o/")", "eq co sw ew ge le", "ne gt lt");
    operators("title", R"("\"hi\"")", "ne co gt ge", "eq sw ew lt le");
    operators("userName", "\"BJENSEN@example.com\"", "eq co sw ew ge le", "ne gt lt");
    operators("userName", "\"\\uFF22jensen\"", "ne co sw gt ge", "eq ew lt le");
    holds("userName eq \"bjensen@EXAMPLE.com \"", false);
}

static void other_types() {
    note("[S-78] booleans");
    operators("active", "true", "eq", "ne");
    operators("active", "FALSE", "ne", "eq");
    operators("active", "\"True\"", "eq", "ne");
    refused("active", "true", "co sw ew gt ge lt le");

    note("[S-78] numbers");
    operators("urn:example:acme:2.0:User:level", "9007199254740993", "eq ge le", "ne gt lt");
    operators("urn:example:acme:2.0:User:level", "9007199254740992", "ne gt ge", "eq lt le");
    operators("urn:example:acme:2.0:User:level", "9007199254740992.0", "ne gt ge", "eq lt le");
    operators("urn:example:acme:2.0:User:level", "9223372036854775808", "ne lt le", "eq gt ge");
    operators("urn:example:acme:2.0:User:level", "-1e300", "ne gt ge", "eq lt le");
    operators("urn:example:acme:2.0:User:score", "3.5", "eq ge le", "ne gt lt");
    operators("urn:example:acme:2.0:User:score", "35e-1", "eq ge le", "ne gt lt");
    operators("urn:example:acme:2.0:User:score", "3", "ne gt ge", "eq lt le");
    operators("urn:example:acme:2.0:User:score", "4", "ne lt le", "eq gt ge");
    refused("urn:example:acme:2.0:User:level", "1", "co sw ew");
    refused("urn:example:acme:2.0:User:score", "1", "co sw ew");

    note("[S-78] times are compared as instants");
    const char *since = "urn:example:acme:2.0:User:since";
    operators(since, "\"2020-01-01T00:00:00Z\"", "eq ge le", "ne gt lt");
    operators(since, "\"2020-01-01T01:00:00+01:00\"", "eq ge le", "ne gt lt");
    operators(since, "\"2020-01-01T00:00:00.001Z\"", "ne lt le", "eq gt ge");
    operators(since, "\"2019-12-31T23:59:59\"", "ne gt ge", "eq lt le");
    refused(since, "\"2020-01-01T00:00:00Z\"", "co sw ew");

    note("[S-78] binary and reference");
    operators("urn:example:acme:2.0:User:badge", "\"QUJD\"", "eq", "ne");
    operators("urn:example:acme:2.0:User:badge", "\"qujd\"", "ne", "eq");
    refused("urn:example:acme:2.0:User:badge", "\"QUJD\"", "co sw ew gt ge lt le");
    operators("urn:example:acme:2.0:User:site", "\"https://a.example/Oslo\"", "eq co sw ew ge le",
              "ne gt lt");
    operators("urn:example:acme:2.0:User:site", "\"oslo\"", "ne lt le", "eq co sw ew gt ge");
}

// -2^63, compared with neighbouring integers that round to the same double.
static void smallest_integer() {
    note("the smallest integer");
    User smallest(R"({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "a",
                      "urn:example:acme:2.0:User": {"level": -9223372036854775808}})");
    subject = &smallest;
    const char *level = "urn:example:acme:2.0:User:level";
    operators(level, "-9223372036854775808", "eq ge le", "ne gt lt");
    operators(level, "-9223372036854775809", "ne gt ge", "eq lt le");
    operators(level, "-9223372036854775807", "ne lt le", "eq gt ge");
    operators(level, "-0.5", "ne lt le", "eq gt ge");
}

static void multi_valued() {
    note(
        "[S-79] a multi-valued attribute matches if any value does; ne is not eq (RFC 7644 "
        "3.4.2.2)");
    operators("emails.type", "\"work\"", "eq co sw ew ge le lt", "ne gt");
    operators("emails.type", "\"other\"", "ne gt", "eq co sw ew");
    operators("urn:example:acme:2.0:User:ranks", "2", "eq gt ge le lt", "ne");
    operators("urn:example:acme:2.0:User:ranks", "4", "ne lt le", "eq gt ge");
    operators("urn:example:acme:2.0:User:words", "\"b,]\"", "eq co", "ne");
    operators("urn:example:acme:2.0:User:words", "\"q\"", "ne", "eq co");
    operators("urn:example:acme:2.0:User:words.value", "\"b,]\"", "eq co", "ne");
    holds(R"(words[value eq "A"])", true);
    holds(R"(words[value eq "q"])", false);
    holds(R"(words[value eq "a" and value sw "b"])", false);
    holds(R"(words[not (value eq "a")])", true);
    holds(R"(words[value sw "b"].value co "]")", true);
    holds(R"(words[value eq null])", false);
    holds(R"(ranks[value gt 1 and value lt 3])", true);
    holds(R"(ranks[value gt "2" and value lt "3"])", false);
    operators("ranks", "\"3\"", "eq ge le lt", "gt");
    operators("serial", "\"x\"", "ne", "eq co sw ew gt ge lt le");
    holds("serial pr", false);
    holds("serial eq null", true);
    holds("serial ne null", false);
    operators("urn:example:acme:2.0:User:seat.tags", "\"WINDOW\"", "eq co sw ew ge le gt lt", "ne");
    operators("urn:example:acme:2.0:User:seat.tags", "\"a\\\",\\\"]b\"", "eq co sw ew", "ne");
    operators("urn:example:acme:2.0:User:seat.tags", "\"none\"", "ne", "eq co");

    note("[S-78] complex attributes are compared by their sub-attribute value");
    operators("emails", "\"BABS@home.example\"", "eq co sw ew", "ne");
    operators("emails", "\"@WORK.\"", "ne co", "eq sw ew");
    operators("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "\"m-1\"",
              "eq co sw ew", "ne");
    holds("manager eq \"m-2\"", false);
    holds("manager ne \"m-2\"", true);

    note("[S-80] a filter in brackets applies to one element (RFC 7644 3.4.2.2)");
    holds(R"(emails.type eq "work" and emails.value sw "babs@")", true);
    holds(R"(emails[type eq "work" and value sw "babs@"])", false);
    holds(R"(emails[type eq "home" and value sw "babs@"])", true);
    holds(R"(emails[type eq "work"])", true);
    holds(R"(emails[type ne "work"])", true);
    holds(R"(emails[type ne "work" and type ne "home"])", false);
    holds(R"(not (emails[type eq "other"]))", true);
    holds(R"(emails[not (type eq "work") and primary eq true])", true);
    holds(R"(emails[type eq "work" and primary pr])", false);
    holds(R"(emails[display eq null])", true);
    holds(R"(emails[display ne null])", false);
    holds(R"(ims[value ne "x"])", false);
    holds(R"(ims.value ne "x")", true);
    holds(R"(name[familyName eq "strasse" and givenName pr])", true);
    holds(R"(emails[type eq "work"].value eq "bjensen@work.example")", true);
    holds(R"(emails[type eq "home"].value eq "bjensen@work.example")", false);
    holds(R"(emails[type eq "home" or type eq "work"].value EW "work.example")", true);
    holds(R"(emails[type eq "work"].display pr)", false);
    holds(R"(emails[type eq "work"].display eq null)", true);
    holds(R"(seat[floor gt 2 and tags eq "window"])", false);
    holds(R"(seat[floor eq 2 and tags eq "window"])", true);
    holds(R"(seat[tags eq "aisle" and tags co "],"])", false);
    holds(R"(seat[tags eq "aisle" and tags co ",\""])", true);
}

static void unassigned() {
    note("[S-20 S-81] present, null and unassigned (RFC 7643 2.5, RFC 7644 3.4.2.2)");
    for (const char *name : {"userName", "name", "name.givenName", "emails", "emails.type",
                             "active", "seat", "seat.tags", "ranks", "level", "manager"}) {
        holds(std::string(name) + " pr", true);
        holds(std::string(name) + " eq null", false);
        holds(std::string(name) + " ne NULL", true);
    }
    for (const char *name : {"nickName", "name.middleName", "ims", "ims.type", "photos.value",
                             "addresses", "emails.display"}) {
        holds(std::string(name) + " pr", false);
        holds(std::string(name) + " eq null", true);
        holds(std::string(name) + " ne null", false);
    }
    holds("nickName eq \"\"", false);
    holds("nickName ne \"x\"", true);
    holds("nickName lt \"x\"", false);
    holds("nickName co \"\"", false);
    holds("locale pr", false);
    holds("locale eq \"\"", true);
    holds("locale eq null", false);
    note("[S-20] a complex value of empty strings is assigned but not present");
    holds("phoneNumbers pr", false);
    holds("phoneNumbers ne null", true);
    holds("phoneNumbers[type pr]", false);
    holds("phoneNumbers[value eq \"\"]", true);
}

static void computed() {
    note("[S-84] attributes that the server computes");
    operators("id", "\"0192f7a0-0000-7000-8000-0123456789ab\"", "eq co sw ew ge le", "ne gt lt");
    operators("ID", "\"0192F7A0-0000-7000-8000-0123456789AB\"", "ne", "eq co sw ew");
    holds("id sw \"0192f7\"", true);
    operators("schemas", "\"urn:ietf:params:scim:schemas:core:2.0:User\"", "eq co sw ew", "ne");
    operators("schemas", "\"urn:example:acme:2.0:User\"", "eq co sw ew", "ne");
    operators("schemas", "\"urn:example:none:2.0:User\"", "ne", "eq co sw ew");
    operators("meta.resourceType", "\"User\"", "eq co sw ew ge le", "ne gt lt");
    operators("meta.resourceType", "\"Group\"", "ne gt ge", "eq lt le");
    operators("meta.created", "\"2023-11-14T22:13:20.123Z\"", "eq ge le", "ne gt lt");
    operators("meta.created", "\"2023-11-14T22:13:20.1231Z\"", "ne lt le", "eq gt ge");
    operators("meta.lastModified", "\"2027-01-15T08:00:00.456Z\"", "eq ge le", "ne gt lt");
    operators("meta.lastModified", "\"2027-01-15T08:00:00Z\"", "ne gt ge", "eq lt le");
    operators("meta.version", R"("W/\"17\"")", "eq co sw ew", "ne gt lt");
    operators("meta.version", R"("17")", "ne co", "eq sw ew");
    operators("meta.location", "\"https://x.example/Users/0192f7a0-0000-7000-8000-0123456789ab\"",
              "eq co sw ew", "ne");
    holds(R"(meta[resourceType eq "User" and created lt "2024-01-01T00:00:00Z"])", true);
    holds(R"(meta[resourceType eq "Group"])", false);
    for (const char *name : {"id", "schemas", "meta", "meta.created", "meta.version"}) {
        holds(std::string(name) + " pr", true);
        holds(std::string(name) + " eq null", false);
        holds(std::string(name) + " ne null", true);
    }
    refused("meta.created", "\"2023-11-14T22:13:20Z\"", "co sw ew");
}

static void extensions() {
    note("schemas lists the extensions that the resource has");
    User plain(R"({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "a"})");
    subject = &plain;
    holds("schemas eq \"urn:ietf:params:scim:schemas:core:2.0:User\"", true);
    holds("schemas eq \"urn:example:acme:2.0:User\"", false);
    holds("schemas co \"acme\"", false);
    holds("emails[type eq \"work\"]", false);
    holds("emails[not (type eq \"work\")]", false);
    holds("emails pr", false);
    holds("emails ne \"x\"", true);
}

static void logic() {
    note("[S-76 E-4670] not binds tighter than and, and tighter than or (RFC 7644 3.4.2.2)");
    struct {
        bool a, b, c;
    } rows[] = {{false, false, false}, {false, false, true}, {false, true, false},
                {false, true, true},   {true, false, false}, {true, false, true},
                {true, true, false},   {true, true, true}};
    for (auto [a, b, c] : rows) {
        std::string x = a ? "active eq true" : "active eq false";
        std::string y = b ? "title pr" : "nickName pr";
        std::string z = c ? "emails pr" : "ims pr";
        holds(x + " or " + y + " and " + z, a || (b && c));
        holds(x + " and " + y + " or " + z, (a && b) || c);
        holds("(" + x + " or " + y + ") and " + z, (a || b) && c);
        holds("not (" + x + ") and " + y + " or " + z, (!a && b) || c);
        holds("not (" + x + " and " + y + ") or " + z, !(a && b) || c);
        holds(x + " or not (" + y + " or " + z + ")", a || !(b || c));
        holds(x + " and " + y + " and " + z + " or " + x, (a && b && c) || a);
    }
}

static void damaged_leaves() {
    note("leaves of undeclared attributes and leaves with damaged text are skipped");
    User user(R"({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "a"})");
    const TypeView &type = fixture::user();
    AttrNumber active = type.find("active")->number, title = type.find("title")->number,
               tags = type.find("urn:example:acme:2.0:User:seat.tags")->number,
               since = type.find("urn:example:acme:2.0:User:since")->number,
               level = type.find("urn:example:acme:2.0:User:level")->number;
    for (std::string_view text : {"", "\"", "[", "[\"", "\"\\", "\"\\\"", "\"\\u12\"", "-", "x"})
        for (AttrNumber number : {active, title, tags, since, level, AttrNumber(60000)})
            user.resource.leaves.push_back({number, 0, text});
    subject = &user;
    holds("active eq true or active eq false", false);
    holds("title eq \"y\" or title co \"y\"", false);
    holds("seat.tags eq \"y\" or seat[tags eq \"y\"]", false);
    holds("level gt 0 or level le 0 or level eq 0.5", false);
    holds("since gt \"1970-01-01T00:00:00Z\"", false);
    user.subject.created = INT64_MAX;
    user.subject.modified = INT64_MIN;
    holds("meta.created gt \"9999-12-31T23:59:59Z\"", true);
    holds("meta.lastModified lt \"0001-01-01T00:00:00Z\"", true);
}

static void allocation() {
    note("matches() allocates nothing");
    for (const char *text :
         {"userName eq \"bjensen@example.com\"", "displayName co \"s j\"", "title ge \"say\"",
          "emails[type eq \"work\" and value sw \"bjensen@\"]", "level gt 1 and score lt 10.5",
          "since le \"2020-01-01T00:00:00Z\"", "id sw \"0192\" and schemas co \"acme\"",
          "meta.location co \"/Users/\" and meta.created pr"}) {
        auto filter = must(parse(text));
        bool matches = filter.matches(subject->subject);  // lets the buffers grow
        size_t before = allocations;
        for (int i = 0; i < 10; i++) matches = matches && filter.matches(subject->subject);
        size_t after = allocations;
        ok(matches && after == before, std::string(text) + " is true and allocates nothing");
    }
}

int main() {
    User babs(R"({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:example:acme:2.0:User",
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "userName": "bjensen@Example.com", "externalId": "ext-1", "displayName": "Babs J",
        "name": {"familyName": "Stra\u00dfe", "givenName": "\u00c5se"},
        "title": "Say \"hi\"\n\\o/", "active": true, "locale": "",
        "emails": [{"value": "bjensen@work.example", "type": "Work"},
                   {"value": "babs@home.example", "type": "home", "primary": true}],
        "phoneNumbers": [{"value": "", "type": ""}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "m-1"}},
        "urn:example:acme:2.0:User": {
            "level": 9007199254740993, "score": 3.5, "since": "2020-01-01T00:00:00Z",
            "badge": "QUJD", "site": "https://a.example/Oslo", "code": "AbC",
            "ranks": [1, 2, 3], "words": ["a", "b,]", "\\\"c"], "pin": "1234",
            "seat": [{"value": "s1", "floor": 2, "tags": ["window", "Zone"]},
                     {"value": "s2", "floor": 3, "tags": ["aisle", "a\",\"]b"]}]}})");
    subject = &babs;
    strings();
    other_types();
    multi_valued();
    unassigned();
    computed();
    logic();
    allocation();
    extensions();
    smallest_integer();
    damaged_leaves();
    return tap::done();
}
