// `attributes` and `excludedAttributes` show what RFC 7644 3.9 says, never what is never returned,
// and a stored body is copied only where nothing else would be shown.

#include "scim/projection.h"

#include "tap.h"

using namespace scim;

namespace {

const std::string enterprise = std::string(enterprise_user_urn);
const std::string kinds = "urn:example:kinds:2.0:User";

// One attribute for each way to be returned.
const char kinds_schema[] = R"({"id":"urn:example:kinds:2.0:User","name":"Kinds","attributes":[
  {"name":"always","type":"string","multiValued":false,"returned":"always"},
  {"name":"usual","type":"string","multiValued":false},
  {"name":"request","type":"string","multiValued":false,"returned":"request"},
  {"name":"never","type":"string","multiValued":false,"returned":"never"},
  {"name":"writeOnly","type":"string","multiValued":false,"mutability":"writeOnly"},
  {"name":"mixed","type":"complex","multiValued":true,"subAttributes":[
    {"name":"a","type":"string","multiValued":false,"returned":"always"},
    {"name":"d","type":"string","multiValued":false},
    {"name":"r","type":"string","multiValued":false,"returned":"request"},
    {"name":"n","type":"string","multiValued":false,"returned":"never"}]},
  {"name":"asked","type":"complex","multiValued":false,"returned":"request","subAttributes":[
    {"name":"a","type":"string","multiValued":false,"returned":"always"},
    {"name":"d","type":"string","multiValued":false}]}]})";

std::shared_ptr<const Catalog> make_catalog(const char *schema) {
    std::vector<Definition> definitions;
    if (schema) {
        auto d = load_definition(schema);
        if (!d) diag(d.error().detail);
        definitions.push_back(*d);
    }
    auto rows = declare({}, *make_declaration(1, definitions));
    return *Catalog::build(**rows);
}

const TypeView &user() {
    static const auto catalog = make_catalog(nullptr);
    return *catalog->type_by_name("User");
}

const TypeView &special() {
    static const auto catalog = make_catalog(kinds_schema);
    return *catalog->type_by_name("User");
}

Result<Projection> parsed(const TypeView &type, std::optional<std::string_view> attributes,
                          std::optional<std::string_view> excluded,
                          const std::vector<Leaf> &sent = {}) {
    Report report;
    Dialect dialect(false, report);
    return Projection::parse(type, attributes, excluded, dialect, sent);
}

// The paths that are shown, complex attributes by their parts, extensions without their URN.
std::string shown(const TypeView &type, const Projection &p) {
    std::string out;
    for (const Attr &attr : type.attrs) {
        if (attr.def->type == Type::complex || !p.shows(attr)) continue;
        if (!out.empty()) out += ' ';
        out += attr.extension < 0 ? attr.path : attr.path.substr(attr.path.rfind(':'));
    }
    return out;
}

std::string only(const TypeView &type, std::string_view attributes) {
    auto p = parsed(type, attributes, std::nullopt);
    return p ? shown(type, *p) : p.error().detail;
}

std::string without(const TypeView &type, std::string_view excluded) {
    auto p = parsed(type, std::nullopt, excluded);
    return p ? shown(type, *p) : p.error().detail;
}

// Of the custom extension alone.
std::string custom(const std::string &all) {
    size_t begin = all.find(":always");
    if (begin == all.npos) return "-";
    size_t end = all.find(" meta", begin);
    return all.substr(begin, end == all.npos ? end : end - begin);
}

void nothing_asked() {
    Projection p(user());
    bool good = true;
    for (const Attr &attr : user().attrs) good &= p.shows(attr) == (attr.path != "password");
    ok(good, "everything but the password is shown by default");
    ok(p.whole() && !p.asked(), "as the stored body has it");
    for (std::string_view nothing : {"", " ", ",", " , ,"}) {
        auto same = parsed(user(), nothing, nothing);
        ok(same && same->whole() && !same->asked(),
           "no name is no wish: \"" + std::string(nothing) + "\"");
    }
}

void attributes() {
    is(only(user(), "userName"), "schemas id userName", "id and schemas are always there");
    is(only(user(), "USERNAME , title,,"), "schemas id userName title", "any case, blanks, commas");
    is(only(user(), "title,title"), "schemas id title", "twice is once");
    is(only(user(), "nothing,name.nothing,urn:x:y"), "schemas id", "unknown names are ignored");
    is(only(user(), "emails.value"), "schemas id emails.value", "a part brings only itself");
    is(only(user(), "emails"), "schemas id emails.value emails.display emails.type emails.primary",
       "a complex attribute brings its parts");
    is(only(user(), "meta.created"), "schemas id meta.created", "meta has parts, too");
    is(only(user(), "password"), "schemas id", "a password is not to be had");
    is(only(user(), std::string(user_urn) + ":name.givenName"), "schemas id name.givenName",
       "a qualified name");
    is(only(user(), enterprise + ":department"), "schemas id :department",
       "one attribute of an extension");
    is(only(user(), ascii_lower(enterprise)),
       "schemas id :employeeNumber :costCenter :organization :division :department "
       ":manager.value :manager.$ref :manager.displayName",
       "an extension's URN brings all of it");

    auto p = parsed(user(), "emails.value", std::nullopt);
    const Attr &emails = *user().find("emails"), &name = *user().find("name");
    ok(p->shows(emails) && p->shows_any(emails) && !p->shows_any(name),
       "the whole knows of its part");
    ok(p->shows_any(*user().find("id")), "a simple attribute is any of itself");
    ok(!p->whole() && p->asked(), "that is less than the body, and was asked for");
}

void excluded() {
    const std::string all = shown(user(), Projection(user()));
    auto cut = [&](const std::string &part) {
        std::string rest = all;
        return rest.erase(rest.find(part), part.size());
    };
    is(without(user(), "nickname"), cut(" nickName"), "one is left out");
    is(without(user(), "name"),
       cut(" name.formatted name.familyName name.givenName name.middleName name.honorificPrefix"
           " name.honorificSuffix"),
       "with all its parts");
    is(without(user(), "name.middleName"), cut(" name.middleName"), "or a part alone");
    is(without(user(), "id,schemas,nothing"), all, "not what is always returned, nor the unknown");
    is(without(user(), enterprise),
       cut(" :employeeNumber :costCenter :organization :division :department :manager.value "
           ":manager.$ref :manager.displayName"),
       "an extension as a whole");

    auto whole = [](std::string_view names) {
        return parsed(user(), std::nullopt, names)->whole();
    };
    ok(whole("groups,meta") && whole("meta.version") &&
           whole(enterprise + ":manager.displayName") && whole("password"),
       "what is computed or never shown is not part of the stored body");
    ok(!whole("title") && !whole("emails.type") && !whole(enterprise), "what is stored is");
    auto p = parsed(user(), std::nullopt, "name.givenName,groups");
    ok(p->shows(*user().find("name")) && !p->shows(*user().find("groups")) &&
           !p->shows_any(*user().find("groups")),
       "groups need not be looked up");
    ok(!p->asked(), "to leave out is not to ask");

    auto both = parsed(user(), "userName", "title");
    ok(!both && both.error().status == 400 && both.error().type == ScimType::invalid_value,
       "both at once are refused");
    ok(bool(parsed(user(), "userName", "")), "unless one is empty");
}

void ways_of_being_returned() {
    const TypeView &type = special();
    is(custom(shown(type, Projection(type))), ":always :usual :mixed.a :mixed.d",
       "default: what is always or usually returned");
    is(custom(only(type, "userName")), ":always :mixed.a", "always, whatever is named");
    is(custom(only(type, kinds + ":request")), ":always :request :mixed.a", "on request");
    is(custom(only(type, kinds + ":never," + kinds + ":writeOnly")), ":always :mixed.a",
       "never means never, and so does writeOnly");
    is(custom(only(type, kinds + ":mixed")), ":always :mixed.a :mixed.d",
       "a complex attribute brings its default parts");
    is(custom(only(type, kinds + ":mixed.r")), ":always :mixed.a :mixed.r",
       "a part comes on request, with what is always there");
    is(custom(only(type, kinds + ":mixed.n")), ":always :mixed.a", "unless it never comes");
    is(custom(only(type, kinds + ":asked")), ":always :mixed.a :asked.a :asked.d",
       "a complex attribute on request");
    is(custom(only(type, kinds + ":asked.d")), ":always :mixed.a :asked.a :asked.d",
       "a part brings its always returned sibling");
    is(custom(only(type, kinds)), ":always :usual :mixed.a :mixed.d",
       "an extension brings its default attributes");
    is(custom(without(type, kinds)), ":always :mixed.a", "and leaves what is always returned");
    is(custom(without(type, kinds + ":mixed")), ":always :usual :mixed.a", "as does an attribute");
    auto p = parsed(type, std::nullopt, kinds + ":mixed");
    ok(p->shows(*type.find(kinds + ":mixed")), "which is shown as long as a part of it is");

    auto after_a_write = [&](std::optional<std::string_view> names,
                             std::optional<std::string_view> excluded) {
        std::vector<Leaf> sent;
        for (const char *name : {":request", ":never", ":writeOnly", ":mixed.r", ":asked.d"})
            sent.push_back({type.find(kinds + name)->number, 0, "1"});
        return custom(shown(type, *parsed(type, names, excluded, sent)));
    };
    is(after_a_write(std::nullopt, std::nullopt),
       ":always :usual :request :mixed.a :mixed.d :mixed.r :asked.d",
       "who writes what is returned on request gets it back");
    is(after_a_write(std::nullopt, kinds + ":request"),
       ":always :usual :mixed.a :mixed.d :mixed.r :asked.d", "unless it is excluded");
    is(after_a_write("userName", std::nullopt), ":always :mixed.a", "or not among what is named");

    const auto on_request = make_catalog(R"({"id":"urn:example:r:2.0:User","name":"R","attributes":[
        {"name":"r","type":"string","multiValued":false,"returned":"request"}]})");
    const TypeView &other = *on_request->type_by_name("User");
    std::string everything;
    for (const Attr &attr : other.attrs) everything += attr.path + ",";
    auto q = parsed(other, everything, std::nullopt);
    ok(q->shows(*other.find("urn:example:r:2.0:User:r")) && q->whole(),
       "everything is a body as it is stored");
    ok(!Projection(other).whole() && !Projection(type).whole(),
       "no stored body is copied that could hold what is never returned");
}

}  // namespace

int main() {
    nothing_asked();
    attributes();
    excluded();
    ways_of_being_returned();
    return tap::done();
}
