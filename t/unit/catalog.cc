// A directory's shape only ever grows: numbers are given once, what is dropped is hidden and comes
// back as it was, and the epochs say exactly when stored bodies can be sent as they are.

#include "scim/catalog.h"

#include "tap.h"

using namespace scim;

namespace {

const std::string acme = "urn:example:acme:2.0:User";
const std::string core = std::string(user_urn);
const std::string enterprise = std::string(enterprise_user_urn);

Definition definition(const std::string &json) {
    auto d = load_definition(json);
    if (!d) diag(d.error().detail);
    return d ? *d : Definition{};
}

// A schema with one attribute for each of `attributes`.
Definition schema(const std::string &urn, const std::string &attributes) {
    return definition(R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":")" +
                      urn + R"(","name":"X","attributes":[)" + attributes + "]}");
}

Definition type(const std::string &name, const std::string &endpoint, const std::string &urn,
                const std::string &extensions) {
    return definition(
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":")" + name +
        R"(","endpoint":")" + endpoint + R"(","schema":")" + urn + R"(","schemaExtensions":[)" +
        extensions + "]}");
}

std::string attribute(const std::string &name, const std::string &more = "") {
    return R"({"name":")" + name + R"(","type":"string","multiValued":false)" + more + "}";
}

// The rows after one more declaration, or as they were.
struct Directory {
    CatalogRows rows;
    std::shared_ptr<const Catalog> catalog;
    uint64_t generation = 0;

    // "changed", "nothing" or the error
    std::string declare(const std::vector<Definition> &definitions, uint64_t as = 0) {
        auto wanted = make_declaration(as ? as : ++generation, definitions);
        if (!wanted) return wanted.error().detail;
        auto next = scim::declare(rows, *wanted);
        if (!next) return next.error().detail;
        if (!*next) return "nothing";
        rows = **next;
        auto built = Catalog::build(rows);
        if (!built) return built.error().detail;
        catalog = *built;
        return "changed";
    }

    const TypeView &user() const { return *catalog->type_by_name("User"); }
    AttrNumber number(std::string_view path) const {
        const Attr *attr = user().find(path);
        return attr ? attr->number : no_attr;
    }
    std::string epochs() const {
        return std::to_string(rows.epoch) + "/" + std::to_string(rows.shape_epoch);
    }
};

bool contains(const std::string &text, std::string_view part) {
    return text.find(part) != text.npos;
}

void first_declaration() {
    Directory d;
    is(d.declare({}), "changed", "the built-in shape is declared");
    is(d.epochs(), "1/0", "in epoch 1, and no body is older");
    is(d.rows.unicode, unicode_version(), "the Unicode version is noted");
    is(d.rows.generation, 1u, "and the generation");

    std::string first;
    for (size_t i = 0; i < 13; i++)
        first += std::to_string(d.rows.attrs[i].number) + "=" + d.rows.attrs[i].path + " ";
    is(first,
       "1=schemas 2=id 3=externalId 4=meta 5=meta.resourceType 6=meta.created "
       "7=meta.lastModified 8=meta.location 9=meta.version 10=userName 11=name "
       "12=name.formatted 13=name.familyName ",
       "numbers: common attributes, then User in schema order, parts behind their whole");
    std::string schemas;
    for (size_t i = 9; i < d.rows.attrs.size(); i++)
        if (d.rows.attrs[i].schema != d.rows.attrs[i - 1].schema)
            schemas += d.rows.attrs[i].schema + " ";
    is(schemas, core + " " + enterprise + " " + std::string(group_urn) + " ",
       "then the enterprise extension and Group, and nothing of discovery");

    const TypeView &user = d.user();
    is(user.attrs.front().path + " " + user.attrs[1].path + " " + user.attrs[2].path + " " +
           user.attrs[3].path,
       "schemas id externalId userName", "rank begins with the common attributes");
    is(user.attrs.back().path, "meta.version", "and ends with meta");
    bool ranks = true;
    for (size_t i = 0; i < user.attrs.size(); i++) {
        const Attr &a = user.attrs[i];
        ranks &= a.rank == i && (!a.parent || a.parent->rank < a.rank);
    }
    ok(ranks, "a rank is a place, parents precede their parts");

    std::string indexes;
    for (const IndexDef *i : d.catalog->indexes(user.number))
        indexes += std::to_string(i->number) + ":" + user.by_number(i->attr)->path +
                   (i->unique ? "! " : " ") + std::string(to_string(i->state)) + " ";
    is(indexes, "1:userName! ready 2:externalId ready 3:emails.value ready ", "default indexes");
    ok(d.catalog->type_by_name("Group")->find("displayName")->index, "of each type");
    ok(user.find("userName")->index && !user.find("title")->index, "an attribute knows its index");
}

void finding() {
    Directory d;
    d.declare({});
    const TypeView &user = d.user();
    auto path = [&](std::string_view p) {
        const Attr *a = user.find(p);
        return a ? a->path : std::string("-");
    };
    is(path("USERNAME"), "userName", "any case");
    is(path("name.familyname"), "name.familyName", "a part");
    is(path("urn:IETF:params:scim:schemas:core:2.0:user:Name.givenName"), "name.givenName",
       "qualified by the core URN");
    is(path(ascii_lower(enterprise) + ":MANAGER.VALUE"), enterprise + ":manager.value",
       "qualified by an extension's URN");
    is(path(enterprise), "-", "not an extension alone");
    is(path("department"), "-", "not an extension's attribute without its URN");
    is(path("name."), "-", "not half a path");
    is(path(""), "-", "not an empty one");
    is(path(std::string(300, 'x')), "-", "not a long one");
    is(path("meta.location"), "meta.location", "common attributes");

    ok(user.find_core("Emails") && !user.find_core("emails.value") &&
           !user.find_core(core + ":emails") && !user.find_core(enterprise + ":department"),
       "a member of a body has a plain name");
    int bit = user.find_extension("URN:ietf:params:scim:schemas:extension:enterprise:2.0:user");
    is(bit, 0, "an extension by its URN in any case");
    is(user.find_extension(core), -1, "the core schema is none");
    ok(user.find_in_extension(bit, "Department") && !user.find_in_extension(bit, "manager.value") &&
           !user.find_in_extension(bit, "userName") && !user.find_in_extension(7, "department") &&
           !user.find_in_extension(-1, "department"),
       "its members have plain names too");
    const Attr *emails = user.find_core("emails");
    ok(TypeView::find_sub(*emails, "VALUE") == user.find("emails.value") &&
           !TypeView::find_sub(*emails, "valu"),
       "a part by its name");
    ok(user.schemas && user.id && user.meta && user.external_id, "the common ones by role");
    ok(d.catalog->type_by_endpoint("Users") && !d.catalog->type_by_endpoint("users") &&
           !d.catalog->type_by_endpoint("/Users") && !d.catalog->type_by_endpoint(""),
       "an endpoint in its own case only");
    ok(d.catalog->schema(ascii_lower(core)) && !d.catalog->schema("urn:x"), "a schema in any case");
}

void qualities() {
    Directory d;
    d.declare({});
    const TypeView &user = d.user();
    std::string computed, discarded;
    for (const Attr &a : user.attrs) {
        if (a.computed && (!a.parent || !a.parent->computed)) computed += a.path + " ";
        if (a.discarded) discarded += a.path + " ";
    }
    is(computed,
       "schemas id groups " + enterprise + ":manager.$ref " + enterprise +
           ":manager.displayName meta ",
       "what the server computes");
    const TypeView &group = *d.catalog->type_by_name("Group");
    ok(group.members && group.members->computed && group.find("members.value")->computed &&
           !group.groups && !group.manager,
       "members of a group are rows");
    ok(user.groups == user.find("groups") && !user.members &&
           user.manager == user.find(enterprise + ":manager"),
       "groups and manager of a user by role");
    ok(user.find("groups.value")->computed && user.find("meta.version")->computed,
       "with all its parts");
    is(discarded, "password ", "the one attribute that is accepted and forgotten");
    Directory own;
    own.declare({schema(acme, R"({"name":"seen","type":"complex","multiValued":false,"mutability":)"
                              R"("readOnly","subAttributes":[)" +
                                  attribute("at") + "]}")});
    ok(own.user().find(acme + ":seen.at")->computed, "whatever they say of themselves");
    ok(user.find("title")->stored() && !user.find("name")->stored() && !user.find("id")->stored() &&
           !user.find("password")->stored(),
       "only simple values that are neither are stored");
    ok(user.find("password")->never_returned() && !user.find("title")->never_returned(),
       "a password is shown to nobody");

    ok(user.find("userName")->matching == Matching::username, "userName is matched by PRECIS");
    ok(user.find("title")->matching == Matching::folded, "strings without case");
    ok(user.find("externalId")->matching == Matching::exact, "caseExact ones octet by octet");
    ok(user.find("x509Certificates.value")->matching == Matching::exact &&
           user.find("profileUrl")->matching == Matching::exact,
       "binary values and references too");
}

void generations() {
    Directory d;
    d.declare({});
    is(d.declare({}), "nothing", "the same again changes nothing, newer or not");
    is(d.rows.generation, 1u, "and is not noted");
    is(d.declare({schema(acme, attribute("badge"))}), "changed", "an extension is");
    is(d.declare({}, 2), "nothing", "an older generation never undoes it");
    is(d.declare({}, 3), "changed", "its own generation may");
}

void growing_and_shrinking() {
    Directory d;
    const Definition badge = schema(acme, attribute("badge"));
    d.declare({});
    const size_t numbers = d.rows.attrs.size();
    d.declare({badge});
    is(d.epochs(), "2/0", "an extension is added: old bodies are good");
    is(d.number(acme + ":badge"), numbers + 1, "with the next number");
    is(d.user().find(acme + ":badge")->extension, 1, "and the next bit");
    ok(d.user().find("meta")->rank > d.user().find(acme + ":badge")->rank, "before meta");
    ok(!d.user().extension_required(1), "its URN alone does not make it required");

    d.declare({});
    is(d.epochs(), "3/3", "it is dropped: old bodies show too much");
    is(d.number(acme + ":badge"), no_attr, "nobody finds it");
    ok(!d.user().by_number(AttrNumber(numbers + 1)), "not even by its number");
    is(d.user().find_extension(acme), -1, "nor the extension");
    is(d.user().extension_bits.size(), 2u, "whose bit stays taken");
    ok(!d.catalog->schema(acme), "nor the schema");

    const std::string other = "urn:example:other:2.0:User";
    d.declare({schema(other, attribute("x"))});
    is(d.user().find_extension(other), 2, "another extension takes another bit");
    is(d.epochs(), "4/3", "and is an addition");

    d.declare({badge, schema(other, attribute("x"))});
    is(d.number(acme + ":badge"), numbers + 1, "the first comes back under its number");
    is(d.user().find_extension(acme), 1, "and its bit");
    is(d.epochs(), "5/5", "bodies written meanwhile do not show it");
}

void changing() {
    Directory d;
    auto declare = [&](const std::string &attributes) { d.declare({schema(acme, attributes)}); };
    declare(attribute("a") + "," + attribute("b"));
    const AttrNumber a = d.number(acme + ":a"), b = d.number(acme + ":b");
    is(d.epochs(), "1/0", "to begin with");

    declare(attribute("a", R"(,"description":"x")") + "," + attribute("b"));
    is(d.epochs(), "2/0", "a description is not part of a body");
    declare(attribute("a", R"(,"returned":"request")") + "," + attribute("b"));
    is(d.epochs(), "3/3", "returned is");
    is(d.number(acme + ":a"), a, "though the number stays");
    declare(attribute("A") + "," + attribute("b"));
    is(d.epochs(), "4/4", "and so is the spelling");
    is(d.number(acme + ":a"), a, "though the number stays here, too");
    declare(attribute("b") + "," + attribute("A"));
    is(d.epochs(), "5/5", "and so is the order");

    declare(attribute("b") + "," + attribute("A", R"(,"caseExact":true)"));
    is(d.epochs(), "6/6", "and so is the definition");
    const AttrNumber exact = d.number(acme + ":a");
    ok(exact > b, "which makes it another attribute");
    declare(attribute("b") + "," + attribute("A"));
    is(d.number(acme + ":a"), a, "the earlier definition takes the earlier number");
    declare(attribute("b") + "," + attribute("A", R"(,"caseExact":true)"));
    is(d.number(acme + ":a"), exact, "and the later one the later");
    declare(attribute("b") + "," + attribute("c") + "," + attribute("A", R"(,"caseExact":true)"));
    is(d.epochs(), "9/8", "one attribute between two others is an addition");
    declare(attribute("b") + "," + attribute("c", R"(,"mutability":"readOnly")") + "," +
            attribute("A", R"(,"caseExact":true)"));
    is(d.epochs(), "10/10", "an attribute that becomes readOnly is no longer stored");
}

void resource_types() {
    Directory d;
    const std::string urn = "urn:example:Device";
    const Definition device = schema(urn, attribute("serial") + "," + attribute("id"));
    is(d.declare({device, type("Device", "/Devices", urn, "")}), "changed", "a type of one's own");
    const TypeView *view = d.catalog->type_by_endpoint("Devices");
    ok(view && view->number == 3 && view->find("serial") && view->find("externalId"),
       "has its attributes and the common ones");
    ok(view->find("id") == view->id && view->id->number == 2,
       "which a schema cannot define otherwise (RFC 7643 3.1)");
    ok(d.catalog->indexes(3).empty(), "no index is made for it");
    d.declare({});
    ok(!d.catalog->type_by_name("Device") && !d.catalog->type_by_number(3), "it can be dropped");
    is(d.epochs(), "2/2", "and that is seen");
    d.declare({device, type("Device", "/Devices", urn, "")});
    is(d.catalog->type_by_name("Device")->number, 3, "and comes back under its number");
    is(d.epochs(), "3/3", "with bodies of any age");

    is(d.declare({schema(acme, attribute("x")),
                  type("User", "/Users", core, R"({"schema":")" + acme + R"(","required":true})")}),
       "changed", "a known type takes further extensions");
    ok(d.user().extension_required(1) && !d.user().extension_required(0), "required or not");
    ok(d.user().find(enterprise + ":department"), "and keeps its own");
}

void refusals() {
    Directory d;
    auto refusal = [&](const std::vector<Definition> &definitions) {
        return d.declare(definitions);
    };
    const Definition x = schema(acme, attribute("x"));
    ok(contains(refusal({x, x}), "\"" + acme + "\" is defined already"), "a schema twice");
    ok(contains(refusal({schema(core, attribute("x"))}), "is defined already"), "a built-in one");
    ok(contains(refusal({schema("urn:example:Nobody", attribute("x"))}),
                "extends no resource type"),
       "a schema for nobody");
    ok(contains(refusal({type("User", "/People", core, "")}), "can only add extensions"),
       "another endpoint for a known type");
    ok(contains(refusal({type("Thing", "/Things", "urn:nowhere", "")}),
                "\"urn:nowhere\", which is"),
       "a type without its schema");
    ok(contains(refusal({type("Thing", "/USERS", core, "")}), "is taken"), "an endpoint twice");
    // The loader refuses this one in a file, too.
    Definition itself = type("User", "/Users", core, "");
    itself.resource_type.extensions.push_back({core, false});
    ok(contains(refusal({itself}), "twice"), "a type that extends itself");
    const std::string discovery = "urn:ietf:params:scim:schemas:core:2.0:Schema";
    ok(contains(refusal({type("Thing", "/Things", discovery, "")}), "is complex"),
       "a type with parts of parts");
    is(d.rows.epoch, 0u, "nothing of it is declared");

    std::vector<Definition> many;
    many.reserve(31);
    for (int i = 0; i < 31; i++)
        many.push_back(schema("urn:example:" + std::to_string(i) + ":User", attribute("x")));
    ok(contains(refusal(many), "would have 32 extensions"), "more extensions than bits");
    many.pop_back();
    is(refusal(many), "changed", "as many as there are");
    ok(contains(refusal({x}), "earlier configurations included"), "dropped ones keep their bits");
}

void damage() {
    Directory d;
    d.declare({});
    auto error = [&](auto change) {
        CatalogRows rows = d.rows;
        change(rows);
        auto built = Catalog::build(std::move(rows));
        return built ? std::string("built") : built.error().detail;
    };
    is(error([](CatalogRows &) {}), "built", "whole rows");
    ok(contains(error([](CatalogRows &r) { r.attrs[20].number = 3; }), "number 3 occurs twice"),
       "a number twice");
    ok(contains(error([](CatalogRows &r) { r.attrs[20].number = 0; }), "is not a number"), "0");
    ok(contains(error([](CatalogRows &r) { r.attrs.pop_back(); }), "has no number"),
       "an attribute without a number");
    ok(contains(error([](CatalogRows &r) { r.schemas.erase(r.schemas.begin()); }), "has no schema"),
       "a type without its schema");
    ok(contains(error([](CatalogRows &r) { r.types[0].extension_bits.clear(); }), "has no bit"),
       "an extension without a bit");
    ok(contains(error([](CatalogRows &r) { r.indexes[0].attr = 9999; }), "unknown attribute"),
       "an index of nothing");
}

}  // namespace

int main() {
    first_declaration();
    finding();
    qualities();
    generations();
    growing_and_shrinking();
    changing();
    resource_types();
    refusals();
    damage();
    return tap::done();
}
