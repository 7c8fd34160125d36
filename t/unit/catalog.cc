// Tests declare() and Catalog: what is not declared any more keeps its number; shape_epoch moves
// exactly when bodies that were stored before cannot be sent as they are.

#include "scim/schema/catalog.h"

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

// The rows and the catalog after the declarations so far.
struct Directory {
    CatalogRows rows;
    std::shared_ptr<const Catalog> catalog;
    uint64_t generation = 0;

    // Returns "changed", "nothing" or the error; an error leaves the rows as they are. `as` is the
    // generation; 0 is the next one.
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
    // Returns "epoch/shape_epoch".
    std::string epochs() const {
        return std::to_string(rows.epoch) + "/" + std::to_string(rows.shape_epoch);
    }
};

bool contains(const std::string &text, std::string_view part) {
    return text.find(part) != text.npos;
}

void first_declaration() {
    Directory d;
    is(d.declare({}), "changed", "the first declaration changes the catalog");
    is(d.epochs(), "1/0", "the first declaration gives epoch 1 and shape epoch 0");
    is(d.rows.unicode, unicode_version(), "the rows have the Unicode version");
    is(d.rows.generation, 1u, "the rows have the generation");

    std::string first;
    for (size_t i = 0; i < 13; i++)
        first += std::to_string(d.rows.attrs[i].number) + "=" + d.rows.attrs[i].path + " ";
    is(first,
       "1=schemas 2=id 3=externalId 4=meta 5=meta.resourceType 6=meta.created "
       "7=meta.lastModified 8=meta.location 9=meta.version 10=userName 11=name "
       "12=name.formatted 13=name.familyName ",
       "the common attributes have the first numbers, then User's in schema order, parents before "
       "their sub-attributes");
    std::string schemas;
    for (size_t i = 9; i < d.rows.attrs.size(); i++)
        if (d.rows.attrs[i].schema != d.rows.attrs[i - 1].schema)
            schemas += d.rows.attrs[i].schema + " ";
    is(schemas, core + " " + enterprise + " " + std::string(group_urn) + " ",
       "the schemas of the numbered attributes are User, the enterprise extension and Group");

    const TypeView &user = d.user();
    is(user.attrs.front().path + " " + user.attrs[1].path + " " + user.attrs[2].path + " " +
           user.attrs[3].path,
       "schemas id externalId userName",
       "the lowest ranks are those of schemas, id, externalId and userName");
    is(user.attrs.back().path, "meta.version", "meta.version has the highest rank");
    bool ranks = true;
    for (size_t i = 0; i < user.attrs.size(); i++) {
        const Attr &a = user.attrs[i];
        ranks &= a.rank == i && (!a.parent || a.parent->rank < a.rank);
    }
    ok(ranks,
       "the rank of an attribute is its place, and a parent comes before its sub-attributes");

    std::string indexes;
    for (const IndexDef *i : d.catalog->indexes(user.number))
        indexes += std::to_string(i->number) + ":" + user.by_number(i->attr)->path +
                   (i->unique ? "! " : " ") + std::string(to_string(i->state)) + " ";
    is(indexes, "1:userName! ready 2:externalId ready 3:emails.value ready ",
       "User has indexes on userName, externalId and emails.value by default");
    ok(d.catalog->type_by_name("Group")->find("displayName")->index,
       "Group has an index on displayName by default");
    ok(user.find("userName")->index && !user.find("title")->index,
       "userName has an index and title has none");
}

void finding() {
    Directory d;
    d.declare({});
    const TypeView &user = d.user();
    auto path = [&](std::string_view p) {
        const Attr *a = user.find(p);
        return a ? a->path : std::string("-");
    };
    is(path("USERNAME"), "userName", "a path is found in any case");
    is(path("name.familyname"), "name.familyName",
       "the path of a sub-attribute is found in any case");
    is(path("urn:IETF:params:scim:schemas:core:2.0:user:Name.givenName"), "name.givenName",
       "a path qualified by the core URN is found");
    is(path(ascii_lower(enterprise) + ":MANAGER.VALUE"), enterprise + ":manager.value",
       "a path qualified by an extension's URN is found");
    is(path(enterprise), "-", "the URN of an extension alone is not a path");
    is(path("department"), "-", "an extension's attribute is not found without its URN");
    is(path("name."), "-", "a path that ends with a dot is not found");
    is(path(""), "-", "an empty path is not found");
    is(path(std::string(300, 'x')), "-", "a path of 300 characters is not found");
    is(path("meta.location"), "meta.location", "the path of a common sub-attribute is found");

    ok(user.find_core("Emails") && !user.find_core("emails.value") &&
           !user.find_core(core + ":emails") && !user.find_core(enterprise + ":department"),
       "find_core finds core attributes by their plain name only");
    int bit = user.find_extension("URN:ietf:params:scim:schemas:extension:enterprise:2.0:user");
    is(bit, 0, "an extension is found by its URN in any case");
    is(user.find_extension(core), -1, "the core schema is not an extension");
    ok(user.find_in_extension(bit, "Department") && !user.find_in_extension(bit, "manager.value") &&
           !user.find_in_extension(bit, "userName") && !user.find_in_extension(7, "department") &&
           !user.find_in_extension(-1, "department"),
       "find_in_extension finds the extension's attributes by their plain name only");
    const Attr *emails = user.find_core("emails");
    ok(TypeView::find_sub(*emails, "VALUE") == user.find("emails.value") &&
           !TypeView::find_sub(*emails, "valu"),
       "find_sub finds a sub-attribute by its whole name in any case");
    ok(user.schemas && user.id && user.meta && user.external_id,
       "schemas, id, meta and externalId have a pointer in the view");
    ok(d.catalog->type_by_endpoint("Users") && !d.catalog->type_by_endpoint("users") &&
           !d.catalog->type_by_endpoint("/Users") && !d.catalog->type_by_endpoint(""),
       "a type is found by its endpoint without a slash and in its own case only");
    ok(d.catalog->schema(ascii_lower(core)) && !d.catalog->schema("urn:x"),
       "a schema is found in any case, and an unknown one is not found");
}

void attribute_flags() {
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
       "schemas, id, groups, manager.$ref, manager.displayName and meta are computed");
    const TypeView &group = *d.catalog->type_by_name("Group");
    ok(group.members && group.members->computed && group.find("members.value")->computed &&
           !group.groups && !group.manager,
       "members of a Group is computed with its sub-attributes");
    ok(user.groups == user.find("groups") && !user.members &&
           user.manager == user.find(enterprise + ":manager"),
       "groups and manager of User have a pointer in the view");
    ok(user.find("groups.value")->computed && user.find("meta.version")->computed,
       "the sub-attributes of a computed attribute are computed");
    is(discarded, "password ", "password is the only discarded attribute");
    Directory own;
    own.declare({schema(acme, R"({"name":"seen","type":"complex","multiValued":false,"mutability":)"
                              R"("readOnly","subAttributes":[)" +
                                  attribute("at") + "]}")});
    ok(own.user().find(acme + ":seen.at")->computed,
       "a sub-attribute of a readOnly attribute is computed whatever its own mutability");
    ok(user.find("title")->stored() && !user.find("name")->stored() && !user.find("id")->stored() &&
           !user.find("password")->stored(),
       "only simple attributes that are neither computed nor discarded are stored");
    ok(user.find("password")->never_returned() && !user.find("title")->never_returned(),
       "password is never returned");

    ok(user.find("userName")->matching == Matching::username,
       "userName is matched as a PRECIS username");
    ok(user.find("title")->matching == Matching::folded,
       "strings with caseExact false are matched without case");
    ok(user.find("externalId")->matching == Matching::exact,
       "strings with caseExact true are matched octet by octet");
    ok(user.find("x509Certificates.value")->matching == Matching::exact &&
           user.find("profileUrl")->matching == Matching::exact,
       "binary values and references are matched octet by octet");
}

void generations() {
    Directory d;
    d.declare({});
    is(d.declare({}), "nothing", "declaring the same with a newer generation changes nothing");
    is(d.rows.generation, 1u, "a declaration that changes nothing keeps the generation");
    is(d.declare({schema(acme, attribute("badge"))}), "changed",
       "declaring another extension changes the catalog");
    is(d.declare({}, 2), "nothing", "an older generation changes nothing");
    is(d.declare({}, 3), "changed",
       "a declaration with the current generation may drop the extension");
}

void adding_and_dropping() {
    Directory d;
    const Definition badge = schema(acme, attribute("badge"));
    d.declare({});
    const size_t numbers = d.rows.attrs.size();
    d.declare({badge});
    is(d.epochs(), "2/0", "adding an extension keeps the shape epoch");
    is(d.number(acme + ":badge"), numbers + 1,
       "an attribute of a new extension has the next number");
    is(d.user().find(acme + ":badge")->extension, 1, "a new extension has the next bit");
    ok(d.user().find("meta")->rank > d.user().find(acme + ":badge")->rank,
       "the attributes of an extension rank before meta");
    ok(!d.user().extension_required(1), "an extension attached by its URN is not required");

    d.declare({});
    is(d.epochs(), "3/3", "dropping an extension moves the shape epoch");
    is(d.number(acme + ":badge"), no_attr,
       "an attribute of a dropped extension is not found by its path");
    ok(!d.user().by_number(AttrNumber(numbers + 1)),
       "an attribute of a dropped extension is not found by its number");
    is(d.user().find_extension(acme), -1, "a dropped extension is not found");
    is(d.user().extension_bits.size(), 2u, "a dropped extension keeps its bit");
    ok(!d.catalog->schema(acme), "the schema of a dropped extension is not found");

    const std::string other = "urn:example:other:2.0:User";
    d.declare({schema(other, attribute("x"))});
    is(d.user().find_extension(other), 2, "an extension added after a dropped one has a new bit");
    is(d.epochs(), "4/3", "an extension added after a dropped one keeps the shape epoch");

    d.declare({badge, schema(other, attribute("x"))});
    is(d.number(acme + ":badge"), numbers + 1,
       "an attribute of an extension declared again has its old number");
    is(d.user().find_extension(acme), 1, "an extension declared again has its old bit");
    is(d.epochs(), "5/5", "declaring a dropped extension again moves the shape epoch");
}

void changing() {
    Directory d;
    auto declare = [&](const std::string &attributes) { d.declare({schema(acme, attributes)}); };
    declare(attribute("a") + "," + attribute("b"));
    const AttrNumber a = d.number(acme + ":a"), b = d.number(acme + ":b");
    is(d.epochs(), "1/0",
       "the first declaration with an extension gives epoch 1 and shape epoch 0");

    declare(attribute("a", R"(,"description":"x")") + "," + attribute("b"));
    is(d.epochs(), "2/0", "changing a description keeps the shape epoch");
    declare(attribute("a", R"(,"returned":"request")") + "," + attribute("b"));
    is(d.epochs(), "3/3", "changing returned moves the shape epoch");
    is(d.number(acme + ":a"), a, "an attribute keeps its number when returned changes");
    declare(attribute("A") + "," + attribute("b"));
    is(d.epochs(), "4/4", "changing the case of a name moves the shape epoch");
    is(d.number(acme + ":a"), a, "an attribute keeps its number when the case of its name changes");
    declare(attribute("b") + "," + attribute("A"));
    is(d.epochs(), "5/5", "changing the order of attributes moves the shape epoch");

    declare(attribute("b") + "," + attribute("A", R"(,"caseExact":true)"));
    is(d.epochs(), "6/6", "changing caseExact moves the shape epoch");
    const AttrNumber exact = d.number(acme + ":a");
    ok(exact > b, "an attribute has a new number when caseExact changes");
    declare(attribute("b") + "," + attribute("A"));
    is(d.number(acme + ":a"), a,
       "an attribute has its first number again when caseExact changes back");
    declare(attribute("b") + "," + attribute("A", R"(,"caseExact":true)"));
    is(d.number(acme + ":a"), exact,
       "an attribute has its second number again with its second definition");
    declare(attribute("b") + "," + attribute("c") + "," + attribute("A", R"(,"caseExact":true)"));
    is(d.epochs(), "9/8", "an attribute added between two others keeps the shape epoch");
    declare(attribute("b") + "," + attribute("c", R"(,"mutability":"readOnly")") + "," +
            attribute("A", R"(,"caseExact":true)"));
    is(d.epochs(), "10/10", "an attribute that becomes readOnly moves the shape epoch");
}

void resource_types() {
    Directory d;
    const std::string urn = "urn:example:Device";
    const Definition device = schema(urn, attribute("serial") + "," + attribute("id"));
    is(d.declare({device, type("Device", "/Devices", urn, "")}), "changed",
       "declaring a new resource type changes the catalog");
    const TypeView *view = d.catalog->type_by_endpoint("Devices");
    ok(view && view->number == 3 && view->find("serial") && view->find("externalId"),
       "a declared type has number 3, its attributes and the common ones");
    ok(view->find("id") == view->id && view->id->number == 2,
       "a schema cannot redefine the common attribute id (RFC 7643 3.1)");
    is(d.catalog->indexes(3).size(), 1u, "a declared type has one index by default");
    is(d.catalog->indexes(3).front()->attr, view->external_id->number,
       "the default index of a declared type is on externalId");
    d.declare({});
    ok(!d.catalog->type_by_name("Device") && !d.catalog->type_by_number(3),
       "a dropped type is found neither by name nor by number");
    is(d.epochs(), "2/2", "dropping a type moves the shape epoch");
    d.declare({device, type("Device", "/Devices", urn, "")});
    is(d.catalog->type_by_name("Device")->number, 3, "a type declared again has its old number");
    is(d.epochs(), "3/3", "declaring a dropped type again moves the shape epoch");

    is(d.declare({schema(acme, attribute("x")),
                  type("User", "/Users", core, R"({"schema":")" + acme + R"(","required":true})")}),
       "changed", "a built-in type can be declared with a further extension");
    ok(d.user().extension_required(1) && !d.user().extension_required(0),
       "an extension is required only where the type says so");
    ok(d.user().find(enterprise + ":department"), "a built-in type keeps its built-in extension");
}

// "number:path! state" for the indexes of User beyond the built-in ones.
std::string indexes_of(const Directory &d) {
    std::string text;
    for (const IndexDef *i : d.catalog->indexes(d.user().number))
        if (const Attr *attr = d.user().indexed(i->attr); attr->path.find(':') != attr->path.npos)
            text += attr->path.substr(acme.size() + 1) + (i->unique ? "! " : " ") +
                    std::string(to_string(i->state)) + " ";
    return text;
}

void uniqueness() {
    Directory d;
    const std::string unique = R"(,"uniqueness":"server")";
    auto declare = [&](const std::string &attributes) { d.declare({schema(acme, attributes)}); };
    declare(attribute("a", unique) + "," + attribute("b"));
    is(indexes_of(d), "a! ready ", "the index of a new unique attribute is ready at once");
    declare(attribute("a", unique) + "," + attribute("b", unique) + "," + attribute("c", unique));
    is(indexes_of(d), "a! ready b! building c! ready ",
       "the index of an attribute that was declared before must be built");
    const auto &unfinished = d.catalog->unfinished();
    ok(unfinished.size() == 1 && unfinished[0]->attr == d.number(acme + ":b"),
       "the catalog says which index is to be built");
    auto published = [&](size_t i) {
        return std::string(to_string(d.catalog->schema(acme)->attributes[i].uniqueness));
    };
    is(published(0) + published(1) + published(2), "servernoneserver",
       "an attribute is published as unique only if its index is ready");
    is(d.epochs(), "2/0", "uniqueness keeps the shape epoch");
    declare(attribute("a") + "," + attribute("b") + "," + attribute("c", unique));
    is(indexes_of(d), "a dropping b dropping c! ready ",
       "the index of an attribute that is not unique any more is dropped");
    declare(attribute("a", unique));
    is(indexes_of(d), "a! dropping b dropping c! ready ",
       "an index that is declared again while it is dropped is dropped first, and that of a unique "
       "attribute that is not declared is kept");
    ok(d.rows.indexes.rbegin()[2].declared && !d.rows.indexes.rbegin()[1].declared,
       "the catalog says which index is to be built after the drop");
    const Attr *hidden = d.user().indexed(d.rows.indexes.back().attr);
    ok(hidden != nullptr, "the attribute of an index is known while it is not declared");

    for (IndexDef &i : d.rows.indexes)
        if (i.state == IndexState::dropping && i.declared) i.state = IndexState::conflict;
    is(d.declare({schema(acme, attribute("a", unique))}, d.rows.generation), "nothing",
       "the same configuration does not examine a conflict again");
    declare(attribute("a", unique));
    is(indexes_of(d), "a! building b dropping c! ready ",
       "a newer configuration examines a conflict again");

    Directory own;
    const std::string urn = "urn:example:Device";
    own.declare({schema(urn, attribute("userName", unique) + "," + attribute("serial", unique)),
                 type("Device", "/Devices", urn, "")});
    std::string all;
    for (const IndexDef *i : own.catalog->indexes(3))
        all += own.catalog->type_by_number(3)->by_number(i->attr)->path + (i->unique ? "! " : " ");
    is(all, "userName! serial! externalId ", "a new type has the indexes of its unique attributes");
    own.declare({});
    ok(own.catalog->undeclared_types() == std::vector<TypeNumber>{3},
       "the number of a type that is not declared any more is known");
}

void members_of_types() {
    Directory d;
    const std::string urn = "urn:example:Device";
    const std::string groups =
        R"({"name":"groups","type":"complex","multiValued":true,"mutability":"readOnly",)"
        R"("subAttributes":[{"name":"value","mutability":"readOnly"},{"name":"$ref",)"
        R"("type":"reference","referenceTypes":["Group"],"mutability":"readOnly"}]})";
    d.declare(
        {schema(urn, attribute("serial") + "," + groups), type("Device", "/Devices", urn, "")});
    auto of_group = [&] {
        std::string names;
        for (const std::string &name : d.catalog->type_by_name("Group")->member_types())
            names += name + " ";
        return names;
    };
    is(of_group(), "User Group Device ", "a type whose schema has groups may be a member of them");
    is(d.catalog->type_by_name("Group")->find("members.type")->def->canonical_values.size(), 3u,
       "canonicalValues of members.type has the type");
    d.declare({schema(urn, attribute("serial")), type("Device", "/Devices", urn, "")});
    is(of_group(), "User Group ", "a type whose schema has no groups may not be a member");
}

void refused_definitions() {
    Directory d;
    auto refusal = [&](const std::vector<Definition> &definitions) {
        return d.declare(definitions);
    };
    const Definition x = schema(acme, attribute("x"));
    ok(contains(refusal({x, x}), "\"" + acme + "\" is defined already"),
       "declaring a schema twice is refused");
    const auto declared = make_declaration(++d.generation, {x, x});
    ok(!declared && declared.error().refusal == Refusal::configuration_invalid,
       "its refusal is configuration-invalid");
    ok(contains(refusal({schema(core, attribute("x"))}), "is defined already"),
       "declaring a built-in schema is refused");
    ok(contains(refusal({schema("urn:example:Nobody", attribute("x"))}),
                "extends no resource type"),
       "a schema that extends no resource type is refused");
    ok(contains(refusal({type("User", "/People", core, "")}), "can only add extensions"),
       "another endpoint for a built-in type is refused");
    ok(contains(refusal({type("Thing", "/Things", "urn:nowhere", "")}),
                "\"urn:nowhere\", which is"),
       "a type whose schema is unknown is refused");
    ok(contains(refusal({type("Thing", "/USERS", core, "")}), "which another resource type has"),
       "an endpoint that differs from a taken one only by case is refused");
    // load_definition() refuses this one, too.
    Definition itself = type("User", "/Users", core, "");
    itself.resource_type.extensions.push_back({core, false});
    ok(contains(refusal({itself}), "twice"),
       "a type with its own schema as an extension is refused");
    const std::string discovery = "urn:ietf:params:scim:schemas:core:2.0:Schema";
    ok(contains(refusal({type("Thing", "/Things", discovery, "")}), "is complex"),
       "a type whose schema has complex sub-attributes is refused");
    const Definition tags = schema("urn:t:User", R"({"name":"tags","multiValued":true})");
    for (const std::string &urn : {core + ":DISPLAYNAME", core + ":name.familyName",
                                   core + ":externalId", std::string("urn:t:user:tags.value")})
        ok(contains(refusal({tags, schema(urn, attribute("x")),
                             type("User", "/Users", core, R"({"schema":")" + urn + "\"}")}),
                    "also the path of an attribute"),
           "a URN that is also the path of an attribute is refused: " + urn);
    is(d.rows.epoch, 0u, "refused declarations keep the epoch");

    std::vector<Definition> many;
    many.reserve(31);
    for (int i = 0; i < 31; i++)
        many.push_back(schema("urn:example:" + std::to_string(i) + ":User", attribute("x")));
    ok(contains(refusal(many), "would have 32 extensions"),
       "the 32nd extension of a type is refused");
    many.pop_back();
    is(refusal(many), "changed", "the 31st extension of a type is accepted");
    ok(contains(refusal({x}), "earlier configurations included"),
       "dropped extensions count towards the limit of 31");
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
    is(error([](CatalogRows &) {}), "built", "a catalog is built from undamaged rows");
    ok(contains(error([](CatalogRows &r) { r.attrs[20].number = 3; }), "number 3 occurs twice"),
       "rows with an attribute number twice are refused");
    ok(contains(error([](CatalogRows &r) { r.attrs[20].number = 0; }), "is not a number"),
       "rows with attribute number 0 are refused");
    ok(contains(error([](CatalogRows &r) { r.attrs.pop_back(); }), "has no number"),
       "rows without the number of an attribute are refused");
    ok(contains(error([](CatalogRows &r) { r.schemas.erase(r.schemas.begin()); }), "has no schema"),
       "rows without the schema of a type are refused");
    ok(contains(error([](CatalogRows &r) { r.types[0].extension_bits.clear(); }), "has no bit"),
       "rows without the bit of an extension are refused");
    ok(contains(error([](CatalogRows &r) { r.indexes[0].attr = 9999; }), "unknown attribute"),
       "rows with an index on an unknown attribute are refused");
}

}  // namespace

int main() {
    first_declaration();
    finding();
    attribute_flags();
    generations();
    adding_and_dropping();
    changing();
    resource_types();
    uniqueness();
    members_of_types();
    refused_definitions();
    damage();
    return tap::done();
}
