// Tests that bodies are read as leaves and leaves written as bodies: invalid values are refused
// with an error that names the place, and writing and reading again gives the same leaves.

#include "scim/resource/resource.h"

#include <algorithm>
#include <cstdlib>
#include <random>

#include "tap.h"

using namespace scim;

namespace {

const std::string core = std::string(user_urn);
const std::string enterprise = std::string(enterprise_user_urn);
const std::string all = "urn:example:all:2.0:User";

// An extension with an attribute of each kind that User lacks.
const char all_schema[] = R"({"id":"urn:example:all:2.0:User","name":"All","attributes":[
  {"name":"count","type":"integer","multiValued":false},
  {"name":"ratio","type":"decimal","multiValued":false},
  {"name":"since","type":"dateTime","multiValued":false},
  {"name":"blob","type":"binary","multiValued":false},
  {"name":"secret","type":"string","multiValued":false,"mutability":"writeOnly","returned":"never"},
  {"name":"tags","type":"string","multiValued":true},
  {"name":"flags","type":"boolean","multiValued":true},
  {"name":"rights","type":"complex","multiValued":true,"subAttributes":[
    {"name":"on","type":"string","multiValued":false,"required":true},
    {"name":"verbs","type":"string","multiValued":true}]}]})";

std::shared_ptr<const Catalog> make_catalog(const std::vector<std::string> &definitions) {
    std::vector<Definition> loaded;
    for (const std::string &text : definitions) {
        auto d = load_definition(text);
        if (!d) diag(d.error().detail);
        loaded.push_back(*d);
    }
    auto rows = declare({}, *make_declaration(1, loaded));
    return *Catalog::build(**rows);
}

const TypeView &user() {
    static const auto catalog = make_catalog({all_schema});
    return *catalog->type_by_name("User");
}

// Returns a User body in the form of RFC 7643 with these members.
std::string body(const std::string &members) {
    return R"({"schemas":[")" + core + R"("],)" + members + "}";
}

// Returns the members that would be stored, or the error.
std::string read(const std::string &json, bool strict = false) {
    auto tree = parse_json(json, JsonLimits{});
    if (!tree) return "not JSON: " + tree.error().detail;
    DeviationReport report;
    auto resource = read_resource(user(), tree->get(), strict, report);
    if (!resource)
        return std::string(to_string(resource.error().type())) + ": " + resource.error().detail;
    std::string out;
    write_members(out, user(), resource->leaves, nullptr, nullptr);
    return out;
}

void becomes(const std::string &members, const std::string &want, const std::string &name) {
    is(read(body(members)), want, name);
}

void forms() {
    becomes(R"("userName":"a","name":{"familyName":"B"})",
            R"("userName":"a","name":{"familyName":"B"})",
            "canonical members are stored as they are");
    becomes(R"("NAME":{"FAMILYname":"B","givenName":"C"},"USERNAME":"a")",
            R"("userName":"a","name":{"familyName":"B","givenName":"C"})",
            "[S-2 S-3] names in any case and order are stored in the case and order of the schema");
    becomes(R"("emails":[{"primary":true,"value":"x"},{"value":"y"}])",
            R"("emails":[{"value":"x","primary":true},{"value":"y"}])",
            "[S-16] elements keep their order");
    becomes(R"("urn:ietf:PARAMS:scim:schemas:core:2.0:user":{"userName":"x"},"title":"t")",
            R"("title":"t")", "an object under the core URN is ignored");
    becomes(R"("title":null,"emails":[],"roles":[null],"name":{},"ims":[{}],"active":[],)"
            R"("nickName":"")",
            R"("nickName":"")", "[S-17 S-19] null, [] and empty objects are unassigned");
    becomes(R"("emails":[{"value":"x","type":null},{"value":null},{"value":"y"}])",
            R"("emails":[{"value":"x"},{"value":"y"}])",
            "sub-attributes that are null are unassigned");
    becomes(
        R"("roles":[{"value":"x","type":"t"},{"type":"t","value":"x"},{"value":"X","type":"t"}])",
        R"("roles":[{"value":"x","type":"t"},{"value":"X","type":"t"}])",
        "equal elements are merged, whatever the order of their sub-attributes");
    becomes(R"("emails":[{"value":"x","type":"t","display":"A","primary":true},{"value":"y"},)"
            R"({"value":"x","type":"u"},{"type":"t","value":"x","display":"B","primary":false}])",
            R"("emails":[{"value":"x","display":"B","type":"t","primary":true},{"value":"y"},)"
            R"({"value":"x","type":"u"}])",
            "[S-13] elements of the same type and value are merged: the last wins, but primary "
            "true stays");
    becomes(
        R"("addresses":[{"type":"t","locality":"L"},{"type":"t","locality":"L","primary":true},)"
        R"({"type":"t","locality":"M"}])",
        R"("addresses":[{"locality":"L","type":"t","primary":true},{"locality":"M","type":"t"}])",
        "elements without value are merged if all sub-attributes but primary are equal");
    becomes(R"("id":5,"meta":"x","groups":[{"value":"g"}],"title":"t")", R"("title":"t")",
            "[S-24] readOnly attributes are ignored, whatever their type");
    becomes(R"("password":"s3cret","title":"t")", R"("title":"t")",
            "[S-164] a password is not stored");
    becomes(R"("externalId":"e\u00e9\n")", "\"externalId\":\"e\u00e9\\n\"",
            "strings are stored in their canonical form");
}

void kinds() {
    auto in_all = [](const std::string &members) {
        return R"({"schemas":[")" + core + R"(",")" + all + R"("],")" + all + R"(":{)" + members +
               "}}";
    };
    auto accepted = [&](const std::string &members, const std::string &want) {
        is(read(in_all(members), true), "\"" + all + "\":{" + want + "}",
           members + " is stored as " + want);
    };
    auto refused = [&](const std::string &members, const std::string &expected) {
        std::string got = read(in_all(members), true);
        bool good = got.rfind("invalidValue: \"" + all, 0) == 0 && got.find(expected) != got.npos;
        if (!ok(good, members.substr(0, 60) + " is refused: " + expected)) diag(got);
    };
    note("[S-6 S-9 S-11] values of each type");
    accepted(R"("count":-7)", R"("count":-7)");
    accepted(R"("count":9223372036854775807)", R"("count":9223372036854775807)");
    refused(R"("count":7.0)", ":count\" must be a number without fraction and exponent, not 7.0");
    refused(R"("count":1e3)", "without fraction");
    refused(R"("count":"7")", "not \"7\"");
    accepted(R"("ratio":5)", R"("ratio":5.0)");
    accepted(R"("ratio":5.0)", R"("ratio":5.0)");
    accepted(R"("ratio":-0.0)", R"("ratio":0.0)");
    accepted(R"("ratio":1.5e300)", R"("ratio":1.5e+300)");
    accepted(R"("ratio":9007199254740993)", R"("ratio":9007199254740993)");
    refused(R"("ratio":"5")", "must be a number, not \"5\"");
    accepted(R"("since":"2026-11-21T10:00:00+01:00")", R"("since":"2026-11-21T10:00:00+01:00")");
    refused(R"("since":"2026-11-21")", "not \"2026-11-21\"");
    refused(R"("since":5)", "not a number");
    accepted(R"("blob":"QUI=")", R"("blob":"QUI=")");
    accepted(R"("blob":"QUI")", R"("blob":"QUI")");
    accepted(R"("blob":"")", R"("blob":"")");
    for (const char *bad : {"QUI==", "Q", "QU I=", "QU-_", "=", "Q===", "QQ=Q"})
        refused(R"("blob":")" + std::string(bad) + "\"", "must be a base64 string");
    accepted(R"("secret":"x")", R"("secret":"x")");
    accepted(R"("tags":["a","b","a",null])", R"("tags":["a","b"])");
    refused(R"("tags":["a",{"x":1}])", ":tags[1]\" must be a string, not an object");
    accepted(R"("flags":[true,false])", R"("flags":[true,false])");
    accepted(R"("rights":[{"verbs":["r","w","r"],"on":"x"},{"verbs":[],"on":"y"}])",
             R"("rights":[{"on":"x","verbs":["r","w"]},{"on":"y"}])");
    refused(R"("rights":[{"on":"x"},{"verbs":["r",5]}])", ":rights[1].verbs\" must be a string");
    refused(R"("rights":[[]])", ":rights[0]\" must be an object, not an array");

    auto wrong = [&](const std::string &members, const std::string &want) {
        is(read(body(members)), "invalidValue: " + want,
           members.substr(0, 60) + " is refused: " + want);
    };
    wrong(R"("title":["x"])", R"("title" must be a string, not an array)");
    wrong(R"("name":"")", R"("name" must be an object, not a string)");
    wrong(R"("name":[{"givenName":"x"}])", R"("name" must be an object, not an array)");
    wrong(R"("active":"yes")", R"("active" must be true or false, not "yes")");
    wrong(R"("emails":[{"value":"x"},7])", R"("emails[1]" must be an object, not a number)");
    wrong(R"("emails":[{"value":["x"]}])", R"("emails[0].value" must be a string, not an array)");
    wrong(R"("emails":[{"value":"x","primary":true},{"value":"y"},{"value":"z","primary":true}])",
          R"("emails[2]" is the second element with "primary": true; at most one is allowed)");
    wrong(R"("emails":[{"value":"x","primary":true},{"value":"x","primary":false},)"
          R"({"value":"z","primary":true}])",
          R"("emails[2]" is the second element with "primary": true; at most one is allowed)");
    wrong("\"" + enterprise + R"(":"x")", "\"" + enterprise + "\" must be an object, not a string");
    is(read("[]").substr(0, 8), "not JSON", "an array is refused as a body");
}

void bounds() {
    note("limits");
    auto size = [](const std::string &before, size_t n, const std::string &after) {
        return read(body(before + std::string(n, 'A') + after));
    };
    ok(size(R"("title":")", 65536, "\"").size() > 65536, "a string of 64 KiB is accepted");
    is(size(R"("title":")", 65537, "\""),
       R"(invalidValue: "title" has 65537 bytes; 65536 are allowed)",
       "a string of 64 KiB and a byte is refused");
    ok(size(R"("photos":[{"value":")", 1048576, "\"}]").size() > 1048576,
       "a photo of 1 MiB is accepted");
    ok(size(R"("photos":[{"value":")", 1048577, "\"}]").find("1048576 are") != std::string::npos,
       "a photo of 1 MiB and a byte is refused");
    ok(size(R"("x509Certificates":[{"value":")", 1048576, "\"}]").size() > 1048576,
       "a certificate of 1 MiB is accepted");

    std::string roles;
    for (int i = 0; i < 10000; i++) roles += R"({"value":")" + std::to_string(i) + R"("},)";
    std::string ten_thousand = read(body(R"("roles":[)" + roles + "null]"));
    is(ten_thousand, R"(invalidValue: "roles" has 10001 elements; 10000 are allowed)",
       "[S-165] 10,001 elements are refused");
    roles.pop_back();
    ok(read(body(R"("roles":[)" + roles + "]")).size() > 10000, "10,000 elements are accepted");
}

void reports() {
    DeviationReport r;
    is(r.summary(), "", "the summary of an empty report is empty");
    for (int i = 0; i < 100; i++) r.ignored("a" + std::to_string(i));
    r.ignored("a0");
    r.rewrote("x");
    r.rewrote("y");
    r.rewrote("x");
    ok(r.ignored().size() == 17 && r.rewrites().size() == 2,
       "a report keeps at most 17 ignored names and each rewrite once");
    ok(r.summary().find("x*2,y,unknown-attribute:a0*2,unknown-attribute:a1,") == 0,
       "a summary counts repeated rewrites and names");
    ok(r.summary().find("a15,unknown-attribute:(others)*84") != std::string::npos,
       "a summary counts the ignored names that are not kept");
    DeviationReport users, groups, both;
    users.rewrote("x");
    users.rewrote("x");
    users.ignored("a");
    groups.rewrote("x");
    groups.ignored("b");
    both.unite(users);
    both.unite(groups);
    is(both.summary(), "x*2,unknown-attribute:a,unknown-attribute:b",
       "unite() takes the larger count of each rewrite and name");
    DeviationReport evil;
    evil.ignored("a,b\n\"c\xff" + std::string(1, '\0'));
    evil.ignored("urn:" + std::string(1000, 'x') + ":tail");
    is(evil.ignored()[0].name, "a?b??c??",
       "commas, quotes, control characters and invalid bytes of an ignored name become ?");
    ok(evil.ignored()[1].name.size() == 160 && evil.ignored()[1].name.substr(155) == ":tail",
       "an ignored name of more than 160 bytes keeps its end");
}

void required() {
    auto check = [](const std::string &json) {
        auto tree = parse_json(json, JsonLimits{});
        DeviationReport report;
        auto resource = read_resource(user(), tree->get(), false, report);
        auto good = check_required(user(), *resource);
        return good ? std::string("good") : good.error().detail;
    };
    auto missing = [](const std::string &path) {
        return "\"" + path + "\" is required and has no value";
    };
    is(check(R"({"userName":"a"})"), "good", "a user with userName is complete");
    is(check(R"({"title":"a"})"), missing("userName"), "a user without userName is refused");
    is(check(R"({"userName":""})"), missing("userName"),
       "a user with an empty userName is refused");
    const std::string rights = R"({"userName":"a",")" + all + R"(":{"rights":)";
    is(check(rights + R"([{"on":"x"},{"on":"y","verbs":["r"]}]}})"), "good",
       "elements with their required sub-attribute are complete");
    is(check(rights + R"([{"on":"x"},{"verbs":["r"]}]}})"), missing(all + ":rights.on"),
       "[S-21] an element without its required sub-attribute is refused");

    const std::string urn = "urn:example:must";
    const auto catalog = make_catalog(
        {R"({"id":")" + urn +
             R"(","name":"M","attributes":[{"name":"a","type":"string","multiValued":false}]})",
         R"({"name":"User","endpoint":"/Users","schema":")" + core +
             R"(","schemaExtensions":[{"schema":")" + urn + R"(","required":true}]})"});
    const TypeView &type = *catalog->type_by_name("User");
    for (bool with : {false, true}) {
        auto tree = parse_json(
            R"({"userName":"a")" + (with ? ",\"" + urn + R"(":{"a":"x"})" : std::string()) + "}",
            JsonLimits{});
        DeviationReport report;
        auto good = check_required(type, *read_resource(type, tree->get(), false, report));
        is(good ? "good" : good.error().detail, with ? "good" : missing(urn),
           with ? "a user with a required extension is complete"
                : "a user without a required extension is refused");
    }
}

void writing() {
    auto number = [](std::string_view path) { return user().find(path)->number; };
    const AttrNumber value = number("emails.value"), kind = number("emails.type");
    std::vector<Leaf> leaves = {{number(enterprise + ":department"), 0, "\"d\""},
                                {9999, 0, "\"?\""},
                                {value, 1, "\"y\""},
                                {kind, 0, "\"work\""},
                                {number("externalId"), 0, "\"e\""},
                                {value, 0, "\"x\""}};
    canonical_order(user(), leaves);
    ok(leaves.back().attr == 9999, "canonical_order() puts undeclared leaves last");
    std::string out = "{";
    std::vector<Extent> extents;
    write_members(out, user(), leaves, nullptr, &extents);
    is(out,
       R"({"externalId":"e","emails":[{"value":"x","type":"work"},{"value":"y"}],")" + enterprise +
           R"(":{"department":"d"})",
       "write_members() appends the declared leaves in canonical order");
    ok(extents.size() == 6 && extents[5].length == 0 && out.substr(extents[4].offset, 3) == "\"d\"",
       "extents count from the beginning of the text and have length 0 for leaves left out");
    is(extension_set(user(), leaves), 1u, "extension_set() has the extension that has a leaf");

    AttrSet shown(user().attrs.size());
    shown.add(user().find("emails.type")->rank);
    out.clear();
    write_members(out, user(), leaves, &shown, &extents);
    is(out, R"("emails":[{"type":"work"}])", "write_members() writes only the attributes shown");
    out.clear();
    write_members(out, user(), leaves, &(shown = AttrSet(user().attrs.size())), nullptr);
    is(out, "", "write_members() with no attributes shown writes nothing");
    out.clear();
    write_members(out, user(), {{number("title"), 0, "1"}, {number("title"), 1, "2"}}, nullptr,
                  nullptr);
    is(out, R"("title":1)",
       "write_members() writes the first of several leaves of a single-valued attribute");

    Resource from;
    std::string_view kept = from.keep("abc");
    Resource to = std::move(from);
    // NOLINTNEXTLINE(bugprone-use-after-move): Resource promises it
    is(from.keep(std::string(5000, 'z')).size(), 5000u, "a Resource that was moved from is usable");
    is(to.keep("def"), "def", "a Resource that was moved to is usable");
    is(kept, "abc", "a text kept before a move stays valid");
}

// ---- Random bodies ----

class Bodies {
  public:
    explicit Bodies(uint64_t seed) : random_(seed) {}

    std::string body() {
        std::string out = "{";
        if (one_in(2)) member(out, "schemas", R"([")" + core + R"("])");
        std::vector<std::string> objects(user().extension_bits.size());
        std::vector<const Attr *> tops;
        for (const Attr &attr : user().attrs)
            if (!attr.parent && &attr != user().schemas && one_in(3)) tops.push_back(&attr);
        std::shuffle(tops.begin(), tops.end(), random_);
        for (const Attr *attr : tops)
            member(attr->extension < 0 ? out : objects[size_t(attr->extension)], attr->def->name,
                   top_value(*attr));
        for (size_t bit = 0; bit < objects.size(); bit++)
            if (!objects[bit].empty())
                member(out, user().extension_bits[bit], "{" + objects[bit] + "}");
        if (one_in(8)) member(out, "unknown", string());
        return out + "}";
    }

  private:
    bool one_in(unsigned n) { return random_() % n == 0; }

    void member(std::string &out, std::string name, const std::string &value) {
        if (!out.empty() && out.back() != '{') out += ',';
        if (one_in(4))
            for (char &c : name) c = one_in(2) ? ascii_lower(c) : c;
        out += '"' + name + "\":" + value;
    }

    std::string string() {
        static const char *const pieces[] = {"a",    "B",       " ",   "\\n",     "\\\"",
                                             "\\\\", "\\u0001", "é",   "\\u00e9", "\\ud83d\\ude00",
                                             "日",   "/",       "\\/", "{"};
        std::string out = "\"";
        for (size_t n = random_() % 6; n > 0; n--) out += pieces[random_() % std::size(pieces)];
        return out + "\"";
    }

    std::string number() {
        switch (random_() % 5) {
            case 0: return std::to_string(int64_t(random_()));
            case 1: return std::to_string(random_() % 100);
            case 2: return std::to_string(random_() % 100) + ".0";
            case 3:
                return "-" + std::to_string(random_() % 3) + "e-" + std::to_string(random_() % 300);
            default: return std::to_string(random_()) + "e" + std::to_string(random_() % 280);
        }
    }

    std::string simple(AttrType type) {
        switch (type) {
            case AttrType::boolean: return one_in(3) ? "\"True\"" : one_in(2) ? "true" : "false";
            case AttrType::integer: return std::to_string(int64_t(random_()));
            case AttrType::decimal: return number();
            case AttrType::date_time:
                return "\"2026-11-21T10:00:0" + std::to_string(random_() % 10) + "Z\"";
            case AttrType::binary: return one_in(2) ? "\"QUI=\"" : "\"QUJD\"";
            case AttrType::reference: return one_in(2) ? "\"../Users/1\"" : "\"https://x/%20\"";
            default: return string();
        }
    }

    std::string part_value(const Attr &attr) {
        if (one_in(12)) return "null";
        // Two elements with primary true are an error; false is always accepted.
        if (attr.def->name == "primary") return "false";
        if (!attr.def->multi_valued) return simple(attr.def->type);
        std::string out;
        for (size_t n = random_() % 4; n > 0; n--)
            out += (out.empty() ? "" : ",") + simple(attr.def->type);
        return "[" + out + "]";
    }

    std::string object(const Attr &attr) {
        std::string out;
        for (const Attr *sub : attr.subs)
            if (one_in(2)) member(out, sub->def->name, part_value(*sub));
        return "{" + out + "}";
    }

    std::string top_value(const Attr &attr) {
        if (one_in(20)) return "null";
        auto element = [&] {
            return attr.def->type == AttrType::complex ? object(attr) : simple(attr.def->type);
        };
        // A blank userName would be refused.
        if (&attr == user().user_name) return "\"u" + string().substr(1);
        if (!attr.def->multi_valued) return element();
        if (one_in(6)) return element();
        std::string out;
        for (size_t n = random_() % 4; n > 0; n--) out += (out.empty() ? "" : ",") + element();
        return "[" + out + "]";
    }

    std::mt19937_64 random_;
};

bool same_leaves(const std::vector<Leaf> &a, const std::vector<Leaf> &b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Leaf &x, const Leaf &y) {
        return x.attr == y.attr && x.element == y.element && x.json == y.json;
    });
}

// Reads and writes the body. Returns a description of what is wrong, or "".
std::string error_of(const std::string &json, std::mt19937_64 &random) {
    auto tree = parse_json(json, JsonLimits{});
    if (!tree) return "not JSON: " + tree.error().detail;
    DeviationReport report;
    auto first = read_resource(user(), tree->get(), false, report);
    if (!first) return first.error().detail;

    std::string members;
    std::vector<Extent> extents;
    write_members(members, user(), first->leaves, nullptr, &extents);
    for (size_t i = 0; i < extents.size(); i++)
        if (members.substr(extents[i].offset, extents[i].length) != first->leaves[i].json)
            return "an extent misses its leaf";

    std::string urns = "\"schemas\":[\"" + core + "\"";
    const uint32_t extensions = extension_set(user(), first->leaves);
    for (size_t bit = 0; bit < user().extension_bits.size(); bit++)
        if (extensions >> bit & 1) urns += ",\"" + user().extension_bits[bit] + "\"";
    const std::string written = "{" + urns + "]" + (members.empty() ? "" : ",") + members + "}";
    auto again = parse_json(written, JsonLimits{});
    if (!again) return "written: " + again.error().detail;
    std::string canonical;
    write_value(canonical, again->get());
    if (canonical != written) return "not canonical: " + written;
    DeviationReport silent;
    auto second = read_resource(user(), again->get(), true, silent);
    if (!second) return "written: " + second.error().detail;
    if (!silent.summary().empty()) return "written: " + silent.summary();
    if (!same_leaves(first->leaves, second->leaves)) return "other leaves: " + written;

    std::vector<Leaf> shuffled = first->leaves;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    canonical_order(user(), shuffled);
    return same_leaves(first->leaves, shuffled) ? "" : "another order";
}

void random_bodies() {
    const char *given = std::getenv("SEED");
    const uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    diag("SEED=" + std::to_string(seed));
    Bodies bodies(seed);
    std::mt19937_64 random(seed);
    std::string error;
    int cases = 0;
    for (; cases < 20000 && error.empty(); cases++) {
        const std::string json = bodies.body();
        error = error_of(json, random);
        if (!error.empty()) diag("body: " + json);
    }
    is(error, "", "20,000 random bodies are read, written and read again with the same leaves");
}

}  // namespace

int main() {
    forms();
    kinds();
    bounds();
    reports();
    required();
    writing();
    random_bodies();
    return tap::done();
}
