// Tests that `attributes` and `excludedAttributes` select what RFC 7644 3.9 says, that attributes
// with returned never are never shown, and that a stored body is sent as it is only if it is
// exactly what the projection shows.

#include "scim/resource/projection.h"

#include "tap.h"

using namespace scim;

namespace {

const std::string enterprise = std::string(enterprise_user_urn);
const std::string kinds = "urn:example:kinds:2.0:User";

// Attributes with each value of "returned".
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
    DeviationReport report;
    Dialect dialect(false, report);
    return Projection::parse(type, attributes, excluded, dialect, sent);
}

// Returns the paths shown: of complex attributes the sub-attributes, of extensions without the URN.
std::string shown(const TypeView &type, const Projection &p) {
    std::string out;
    for (const Attr &attr : type.attrs) {
        if (attr.def->type == AttrType::complex || !p.shows(attr)) continue;
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

// Returns the paths of the test's extension only.
std::string custom(const std::string &all) {
    size_t begin = all.find(":always");
    if (begin == all.npos) return "-";
    size_t end = all.find(" meta", begin);
    return all.substr(begin, end == all.npos ? end : end - begin);
}

void no_parameters() {
    Projection p(user());
    bool good = true;
    for (const Attr &attr : user().attrs) good &= p.shows(attr) == (attr.path != "password");
    ok(good, "everything but the password is shown by default");
    ok(p.whole() && !p.asked(), "the default projection is the whole stored body");
    for (std::string_view nothing : {"", " ", ",", " , ,"}) {
        auto same = parsed(user(), nothing, nothing);
        ok(same && same->whole() && !same->asked(),
           "a list without names is the default projection: \"" + std::string(nothing) + "\"");
    }
}

void attributes() {
    is(only(user(), "userName"), "schemas id userName",
       "attributes=userName shows userName, id and schemas");
    is(only(user(), "USERNAME , title,,"), "schemas id userName title",
       "names in attributes match in any case, with blanks and empty names between commas");
    is(only(user(), "title,title"), "schemas id title",
       "a name given twice in attributes is shown once");
    is(only(user(), "nothing,name.nothing,urn:x:y"), "schemas id",
       "unknown names in attributes are ignored");
    is(only(user(), "emails.value"), "schemas id emails.value",
       "a sub-attribute in attributes shows only itself");
    is(only(user(), "emails"), "schemas id emails.value emails.display emails.type emails.primary",
       "a complex attribute in attributes shows its sub-attributes");
    is(only(user(), "meta.created"), "schemas id meta.created",
       "attributes=meta.created shows this part of meta only");
    is(only(user(), "password"), "schemas id", "attributes=password does not show the password");
    is(only(user(), std::string(user_urn) + ":name.givenName"), "schemas id name.givenName",
       "a name with the core URN in attributes is shown");
    is(only(user(), enterprise + ":department"), "schemas id :department",
       "an extension's attribute in attributes is shown without the others");
    is(only(user(), ascii_lower(enterprise)),
       "schemas id :employeeNumber :costCenter :organization :division :department "
       ":manager.value :manager.$ref :manager.displayName",
       "an extension's URN in attributes shows all its attributes");

    auto p = parsed(user(), "emails.value", std::nullopt);
    const Attr &emails = *user().find("emails"), &name = *user().find("name");
    ok(p->shows(emails) && p->shows_any(emails) && !p->shows_any(name),
       "a complex attribute is shown if one of its sub-attributes is");
    ok(p->shows_any(*user().find("id")), "shows_any() of a shown simple attribute is true");
    ok(!p->whole() && p->asked(),
       "a projection by attributes is not the whole body and is asked()");
}

void excluded() {
    const std::string all = shown(user(), Projection(user()));
    auto cut = [&](const std::string &part) {
        std::string rest = all;
        return rest.erase(rest.find(part), part.size());
    };
    is(without(user(), "nickname"), cut(" nickName"), "a name in excludedAttributes is not shown");
    is(without(user(), "name"),
       cut(" name.formatted name.familyName name.givenName name.middleName name.honorificPrefix"
           " name.honorificSuffix"),
       "a complex attribute in excludedAttributes hides its sub-attributes");
    is(without(user(), "name.middleName"), cut(" name.middleName"),
       "a sub-attribute in excludedAttributes hides only itself");
    is(without(user(), "id,schemas,nothing"), all,
       "excludedAttributes hides neither id nor schemas and ignores unknown names");
    is(without(user(), enterprise),
       cut(" :employeeNumber :costCenter :organization :division :department :manager.value "
           ":manager.$ref :manager.displayName"),
       "an extension's URN in excludedAttributes hides all its attributes");

    auto whole = [](std::string_view names) {
        return parsed(user(), std::nullopt, names)->whole();
    };
    ok(whole("groups,meta") && whole("meta.version") &&
           whole(enterprise + ":manager.displayName") && whole("password"),
       "excluding computed or never returned attributes keeps the whole stored body");
    ok(!whole("title") && !whole("emails.type") && !whole(enterprise),
       "excluding stored attributes is less than the whole stored body");
    auto p = parsed(user(), std::nullopt, "name.givenName,groups");
    ok(p->shows(*user().find("name")) && !p->shows(*user().find("groups")) &&
           !p->shows_any(*user().find("groups")),
       "excluded groups are not shown, nor any part of them");
    ok(!p->asked(), "a projection by excludedAttributes is not asked()");

    auto both = parsed(user(), "userName", "title");
    ok(!both && both.error().status() == 400 && both.error().type() == ScimType::invalid_value,
       "attributes and excludedAttributes together are refused with 400 invalidValue");
    ok(bool(parsed(user(), "userName", "")),
       "attributes and an empty excludedAttributes are accepted");
}

void returned_characteristic() {
    const TypeView &type = special();
    is(custom(shown(type, Projection(type))), ":always :usual :mixed.a :mixed.d",
       "without parameters attributes with returned always and default are shown");
    is(custom(only(type, "userName")), ":always :mixed.a",
       "[S-25] attributes with returned always are shown whatever attributes names");
    is(custom(only(type, kinds + ":request")), ":always :request :mixed.a",
       "[S-25] an attribute with returned request is shown if attributes names it");
    is(custom(only(type, kinds + ":never," + kinds + ":writeOnly")), ":always :mixed.a",
       "[S-24 S-25] attributes with returned never or mutability writeOnly are not shown if named");
    is(custom(only(type, kinds + ":mixed")), ":always :mixed.a :mixed.d",
       "a named complex attribute shows its sub-attributes with returned always and default");
    is(custom(only(type, kinds + ":mixed.r")), ":always :mixed.a :mixed.r",
       "a named sub-attribute with returned request is shown with those returned always");
    is(custom(only(type, kinds + ":mixed.n")), ":always :mixed.a",
       "a named sub-attribute with returned never is not shown");
    is(custom(only(type, kinds + ":asked")), ":always :mixed.a :asked.a :asked.d",
       "a named complex attribute with returned request shows its sub-attributes");
    is(custom(only(type, kinds + ":asked.d")), ":always :mixed.a :asked.a :asked.d",
       "a named sub-attribute shows its sibling with returned always");
    is(custom(only(type, kinds)), ":always :usual :mixed.a :mixed.d",
       "a named extension shows its attributes with returned always and default");
    is(custom(without(type, kinds)), ":always :mixed.a",
       "an excluded extension shows its attributes with returned always");
    is(custom(without(type, kinds + ":mixed")), ":always :usual :mixed.a",
       "an excluded complex attribute shows its sub-attributes with returned always");
    auto p = parsed(type, std::nullopt, kinds + ":mixed");
    ok(p->shows(*type.find(kinds + ":mixed")),
       "an excluded complex attribute is shown if one of its sub-attributes is");

    auto after_a_write = [&](std::optional<std::string_view> names,
                             std::optional<std::string_view> excluded) {
        std::vector<Leaf> sent;
        for (const char *name : {":request", ":never", ":writeOnly", ":mixed.r", ":asked.d"})
            sent.push_back({type.find(kinds + name)->number, 0, "1"});
        return custom(shown(type, *parsed(type, names, excluded, sent)));
    };
    is(after_a_write(std::nullopt, std::nullopt),
       ":always :usual :request :mixed.a :mixed.d :mixed.r :asked.d",
       "[S-25] after a write the attributes sent are shown if their returned is request");
    is(after_a_write(std::nullopt, kinds + ":request"),
       ":always :usual :mixed.a :mixed.d :mixed.r :asked.d",
       "after a write an excluded attribute with returned request is not shown");
    is(after_a_write("userName", std::nullopt), ":always :mixed.a",
       "after a write attributes that are sent but not named are not shown");

    const auto on_request = make_catalog(R"({"id":"urn:example:r:2.0:User","name":"R","attributes":[
        {"name":"r","type":"string","multiValued":false,"returned":"request"}]})");
    const TypeView &other = *on_request->type_by_name("User");
    std::string everything;
    for (const Attr &attr : other.attrs) everything += attr.path + ",";
    auto q = parsed(other, everything, std::nullopt);
    ok(q->shows(*other.find("urn:example:r:2.0:User:r")) && q->whole(),
       "a projection that names every attribute is the whole stored body");
    ok(!Projection(other).whole() && !Projection(type).whole(),
       "no projection of a type with attributes returned never or on request is the whole body");
}

}  // namespace

int main() {
    no_parameters();
    attributes();
    excluded();
    returned_characteristic();
    return tap::done();
}
