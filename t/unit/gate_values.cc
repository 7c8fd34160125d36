// Tests which texts an attribute of a user stands for, and which attributes are refused because
// they are secret or computed.

#include <algorithm>

#include "client.h"
#include "filter_fixture.h"
#include "gate_texts.h"
#include "store/members.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;
using fixture::join_values;

namespace {

constexpr const char *person_schema = R"({
    "id": "urn:example:person", "name": "Person", "attributes": [
    {"name": "userName", "type": "string", "multiValued": false, "required": true},
    {"name": "shoe", "type": "integer", "multiValued": false},
    {"name": "pin", "type": "string", "multiValued": false}]})";
constexpr const char *person_type = R"({"name": "Person", "endpoint": "/People",
    "schema": "urn:example:person"})";

std::vector<Definition> definitions() {
    std::vector<Definition> out;
    for (std::string_view text :
         {fixture::acme_schema, std::string_view(person_schema), std::string_view(person_type)})
        out.push_back(fixture::must(load_definition(text)));
    return out;
}

std::string joined(const std::vector<std::string> &texts) {
    std::string out;
    for (const std::string &text : texts) out += (out.empty() ? "" : "|") + text;
    return out;
}

// A store with a user who has a value of everything.
class World {
  public:
    World() {
        id = client.create("/Users", body);
        if (id.empty()) diag("the user was not created");
    }

    GateUser user(Snapshot &snapshot, std::string_view of, const char *type = "User") const {
        GateUser user;
        user.reason = Reason::none;
        user.catalog = snapshot.catalog();
        user.type = user.catalog->type_by_name(type);
        user.tenant = client.tenant();
        user.id = *parse_id(of);
        store::Directory directory(snapshot.txn, user.tenant);
        user.record = directory.record(user.type->number, user.id)->bytes();
        return user;
    }
    std::string texts(const std::string &path, const char *type = "User") {
        return texts_of(id, path, type);
    }
    std::string texts_of(std::string_view of, const std::string &path, const char *type = "User") {
        Snapshot snapshot(session);
        return joined(fixture::texts(UserAttribute(path), user(snapshot, of, type), &snapshot));
    }
    // Returns "" or the error.
    std::string check(const std::string &path) {
        Snapshot snapshot(session);
        auto checked = UserAttribute(path).check(*snapshot.catalog());
        if (checked) return "";
        return std::to_string(checked.error().status()) + " " + checked.error().detail;
    }
    std::string email(const std::string &emails) {
        const std::string of =
            client.create("/Users", R"({"userName":"e)" + std::to_string(++emails_) +
                                        R"(","emails":)" + emails + "}");
        Snapshot snapshot(session);
        return joined(fixture::texts(UserAttribute::one_email(), user(snapshot, of), nullptr));
    }

    static constexpr const char *body = R"({
        "userName": "bjensen", "externalId": "x1", "active": true, "password": "s3cret!Pass",
        "displayName": "Zo\u00eb \"B\" \\ \u0001", "name": {"familyName": "Jensen"},
        "emails": [{"value": "h@x.example", "type": "home"},
                   {"value": "w@x.example", "type": "work", "primary": true},
                   {"type": "other", "display": "no value"}],
        "addresses": [{"locality": "Oslo", "type": "work"}],
        "roles": [{"value": "a"}, {"value": "b"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
            {"department": "D", "manager": {"value": "m1"}},
        "urn:example:acme:2.0:User": {"level": 7, "score": 1.5, "since": "2011-05-13T04:42:34Z",
            "badge": "QUJD", "vip": false, "pin": "1234", "ranks": [1, 2], "words": ["a", "b,c"],
            "seat": [{"value": "s", "floor": 3, "tags": ["x", "y\",]z"], "pin": "9"},
                     {"value": "t", "floor": 4, "tags": ["z"]}]}})";

    fixture::TempDir dir;
    std::unique_ptr<Store> store = fixture::open_store(dir.path, size_t(64) << 20, definitions());
    Client client{*store};
    Session session{*store};
    std::string id;

  private:
    int emails_ = 0;
};

void test_leaves(World &world) {
    const std::pair<const char *, const char *> stored[] = {
        {"userName", "bjensen"},
        {"USERNAME", "bjensen"},
        {"urn:ietf:params:scim:schemas:core:2.0:User:userName", "bjensen"},
        {"externalId", "x1"},
        {"active", "true"},
        {"displayName", "Zo\u00eb \"B\" \\ \x01"},
        {"nickName", ""},
        {"name.familyName", "Jensen"},
        {"emails", "h@x.example|w@x.example"},
        {"emails.value", "h@x.example|w@x.example"},
        {"emails.type", "home|work|other"},
        {"emails.primary", "true"},
        {"emails[type eq \"work\"].value", "w@x.example"},
        {"emails[type eq \"work\"]", "w@x.example"},
        {"emails[primary eq true].type", "work"},
        {"emails[not (value pr)].display", "no value"},
        {"emails[type eq \"nobody\"].value", ""},
        {"addresses.locality", "Oslo"},
        {"roles", "a|b"},
        {"department", "D"},
        {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "D"},
        {"manager", "m1"},
        {"manager.value", "m1"},
        {"level", "7"},
        {"score", "1.5"},
        {"since", "2011-05-13T04:42:34Z"},
        {"badge", "QUJD"},
        {"vip", "false"},
        {"ranks", "1|2"},
        {"ranks[value gt 1]", "2"},
        {"words", "a|b,c"},
        {"words.value", "a|b,c"},
        {"seat", "s|t"},
        {"seat.floor", "3|4"},
        {"seat.tags", "x|y\",]z|z"},
        {"seat[floor gt 3].tags", "z"},
        {"seat[tags eq \"x\"].value", "s"},
    };
    for (auto [path, want] : stored) {
        is(world.check(path), "", "'" + std::string(path) + "' can be used");
        is(world.texts(path), want, "'" + std::string(path) + "' has the stored values");
    }
}

void test_generated(World &world) {
    is(world.texts("id"), world.id, "id is the id");
    const std::string shown = world.client.get("/Users/" + world.id).body;
    for (const std::string part : {"created", "lastModified"}) {
        const std::string time = world.texts("meta." + part);
        ok(time.size() == 24 && shown.find("\"" + part + "\":\"" + time + "\"") != shown.npos,
           "meta." + part + " is the time in a response");
        is(world.check("meta." + part), "", "meta." + part + " can be used");
    }
}

void test_refused(World &world) {
    const std::pair<const char *, const char *> refused[] = {
        {"password", "never returned"},
        {"urn:ietf:params:scim:schemas:core:2.0:User:PASSWORD", "never returned"},
        {"seat.pin", "never returned"},
        {"seat[value eq \"s\"].pin", "never returned"},
        {"urn:example:acme:2.0:User:pin", "never returned"},
        {"seat[pin eq \"9\"].value", ""},
        {"serial", "readOnly or computed"},
        {"schemas", "readOnly or computed"},
        {"meta", "no part \"value\""},
        {"meta.location", "readOnly or computed"},
        {"meta.version", "readOnly or computed"},
        {"meta[created pr].created", "brackets cannot follow"},
        {"manager.displayName", "readOnly or computed"},
        {"manager.$ref", "readOnly or computed"},
        {"manager[displayName eq \"x\"].value", "readOnly or computed"},
        {"groups.$ref", "readOnly or computed"},
        {"groups[display eq \"x\"].value", "brackets cannot follow"},
        {"groups[", "expected \"]\""},
        {"name", "no part \"value\""},
        {"addresses", "no part \"value\""},
        {"urn:example:acme:2.0:User", "is an extension"},
        {"colour", "User has no attribute \"colour\""},
        {"emails.colour", "User has no attribute \"emails.colour\""},
        {"emails[colour eq 1].value", "colour"},
        {"members", "User has no attribute"},
        {"", "expected the name of an attribute"},
        {"emails[type eq \"work\"", "expected \"]\""},
        {"emails[type eq].value", "character"},
        {"user name", "character"},
    };
    for (auto [path, why] : refused) {
        const std::string error = world.check(path), name = "'" + std::string(path) + "'";
        if (!ok(error.rfind("400 ", 0) == 0 && error.find(why) != error.npos, name + " is refused"))
            diag(error);
        is(world.texts(path), "", name + " has no values");
    }
    Catalog empty;
    auto checked = UserAttribute("userName").check(empty);
    ok(!checked && checked.error().status() == 400,
       "every attribute is refused if no type has a userName");
}

// "pin" is never returned for a User and is an attribute like any other for a Person.
void test_types(World &world) {
    const std::string person =
        world.client.create("/People", R"({"userName":"p","shoe":43,"pin":"open"})");
    for (const char *path : {"shoe", "pin"})
        is(world.check(path), "",
           "'" + std::string(path) + "', which one of two types has, can be used");
    is(world.texts_of(person, "shoe", "Person"), "43", "a type has the values of its attribute");
    is(world.texts("shoe"), "", "a type without the attribute has no values");
    is(world.texts_of(person, "pin", "Person"), "open",
       "an attribute that another type never returns has values");
    is(world.texts("pin"), "", "an attribute that this type never returns has no values");
    Snapshot snapshot(world.session);
    UserAttribute name("userName");
    const GateUser a = world.user(snapshot, world.id), b = world.user(snapshot, person, "Person");
    is(joined(fixture::texts(name, a, nullptr)) + joined(fixture::texts(name, b, nullptr)) +
           joined(fixture::texts(name, a, nullptr)),
       "bjensenpbjensen", "one attribute serves users of two types in turn");
}

void test_catalogs(World &world) {
    UserAttribute words("words"), name("userName");
    auto read = [](World &of, const UserAttribute &attribute) {
        Snapshot snapshot(of.session);
        return joined(fixture::texts(attribute, of.user(snapshot, of.id), &snapshot));
    };
    for (int i = 0; i < 3; i++) {
        World other;
        is(read(world, words) + read(other, words) + read(world, words), "a|b,ca|b,ca|b,c",
           "one attribute serves two stores in turn");
    }
    fixture::TempDir dir;
    const auto tenant = fixture::add_tenant(fixture::open_store(dir.path)->env(), "one");
    uint64_t generation = 1;
    std::string id;
    for (bool declared : {true, false, true}) {
        auto store =
            fixture::open_store(dir.path, size_t(64) << 20,
                                declared ? definitions() : std::vector<Definition>(), ++generation);
        Client client(*store, tenant);
        if (id.empty()) id = client.create("/Users", World::body);
        Session session(*store);
        Snapshot snapshot(session);
        GateUser user;
        user.catalog = snapshot.catalog();
        user.type = user.catalog->type_by_name("User");
        user.tenant = tenant.number;
        user.id = *parse_id(id);
        store::Directory directory(snapshot.txn, user.tenant);
        user.record = directory.record(user.type->number, user.id)->bytes();
        is(joined(fixture::texts(words, user, nullptr)), declared ? "a|b,c" : "",
           "an attribute has values while it is declared");
        is(joined(fixture::texts(name, user, nullptr)), "bjensen",
           "other attributes keep their values");
    }
}

std::string group_of(const std::string &name, const std::string &member) {
    return R"({"displayName":")" + name + R"(","members":[{"value":")" + member + R"("}]})";
}

void test_groups(World &world) {
    Client &client = world.client;
    is(world.texts("groups"), "", "a user in no group has no groups");
    const std::string a = client.create("/Groups", group_of("a,b\\n", world.id)),
                      b = client.create("/Groups", group_of("B", world.id)),
                      c = client.create("/Groups", group_of("C", world.id)),
                      d = client.create("/Groups", group_of("D", world.id));
    client.create("/Groups", group_of("outer", a));
    client.send(Method::patch, "/Groups/" + c,
                R"({"Operations":[{"op":"remove","path":"members"}]})");
    client.send(Method::del, "/Groups/" + d);
    is(world.texts("groups"), a + "|" + b, "groups are the ids of the groups that have the member");
    is(world.texts("groups.value"), a + "|" + b, "groups.value are the ids");
    is(world.texts("groups.display"), "a,b\n|B", "groups.display are the names");
    is(world.texts("groups.type"), "direct|direct", "groups.type are the types");
    for (const char *path : {"groups", "groups.value", "groups.display", "groups.type"})
        is(world.check(path), "", std::string(path) + " can be used");
    Snapshot snapshot(world.session);
    is(joined(fixture::texts(UserAttribute("groups"), world.user(snapshot, world.id), nullptr)), "",
       "without a snapshot, groups have no values");
}

void test_group_bounds(World &world) {
    const std::string user = world.client.create("/Users", R"({"userName":"many"})");
    size_t groups = 0;
    auto add = [&](size_t count) {
        std::vector<Job *> jobs;
        for (size_t i = 0; i < count; i++)
            jobs.push_back(world.client.job(Method::post, "/Groups",
                                            group_of("g" + std::to_string(++groups), user)));
        world.client.run(jobs);
    };
    auto count = [&] {
        Snapshot snapshot(world.session);
        return fixture::texts(UserAttribute("groups.display"), world.user(snapshot, user),
                              &snapshot)
            .size();
    };
    add(UserAttribute::groups_max);
    is(count(), UserAttribute::groups_max, "1,000 groups have values");
    add(1);
    is(count(), UserAttribute::groups_max, "of 1,001 groups, 1,000 have values");
}

void test_element_bounds(World &world) {
    auto create = [&](size_t count) {
        std::string words;
        for (size_t i = 0; i < count; i++) words += (i ? ",\"w" : "\"w") + std::to_string(i) + "\"";
        return world.client.create("/Users", R"({"userName":"w)" + std::to_string(count) +
                                                 R"(","urn:example:acme:2.0:User":{"words":[)" +
                                                 words + "]}}");
    };
    constexpr size_t max = UserAttribute::elements_max;
    const std::string full = create(max), over = create(max + 1);
    auto count = [&](const std::string &of) {
        const std::string texts = world.texts_of(of, "words");
        return size_t(std::count(texts.begin(), texts.end(), '|')) + 1;
    };
    is(count(full), max, "4,096 elements have values");
    is(count(over), max, "of 4,097 elements, 4,096 have values");
    is(world.texts_of(over, "words[value eq \"w4095\"]"), "w4095", "a filter finds element 4,096");
    is(world.texts_of(over, "words[value eq \"w4096\"]"), "", "a filter ends before element 4,097");
}

void test_email(World &world) {
    auto of = [&](const std::string &emails) { return world.email(emails); };
    is(of("[]"), "", "a user without an e-mail address has none");
    is(of(R"([{"value":"a"},{"value":"b","type":"Work"},{"value":"c","primary":true}])"), "c",
       "the primary address is preferred");
    is(of(R"([{"value":"a"},{"value":"b","type":"Work"},{"value":"c","type":"work"}])"), "b",
       "the first work address comes next");
    is(of(R"([{"value":"a","type":"home"},{"value":"b"}])"), "a", "the first address comes last");
    is(of(R"([{"display":"x","primary":true},{"value":"b"}])"), "b",
       "an element without an address is not chosen");
    is(of(R"([{"value":"a","primary":false},{"value":"b"}])"), "a", "primary false is no primary");
    is(of(R"([{"value":"q\"\u00e9"}])"), "q\"\u00e9", "the address is unescaped");
    const std::string person = world.client.create("/People", R"({"userName":"no emails"})");
    Snapshot snapshot(world.session);
    is(joined(fixture::texts(UserAttribute::one_email(), world.user(snapshot, person, "Person"),
                             nullptr)),
       "", "a user of a type without emails has no address");
}

// The checksum is not verified again, so every other check must hold.
void test_damage(World &world) {
    Snapshot snapshot(world.session);
    GateUser user = world.user(snapshot, world.id);
    const std::string record = user.record;
    const UserAttribute attributes[] = {UserAttribute("seat[floor gt 3].tags"),
                                        UserAttribute("emails"), UserAttribute("meta.created")};
    size_t texts = 0;
    auto read = [&] {
        for (const UserAttribute &attribute : attributes)
            texts += fixture::texts(attribute, user, nullptr).size();
        texts += fixture::texts(UserAttribute::one_email(), user, nullptr).size();
    };
    for (size_t i = 0; i < record.size(); i++)
        for (int bit : {0, 1, 3, 7}) {
            user.record = record;
            user.record[i] = char(user.record[i] ^ 1 << bit);
            read();
        }
    for (size_t i = 0; i <= record.size(); i++) {
        user.record = record.substr(0, i);
        read();
    }
    ok(texts > 0, "a damaged record is read within its bounds");
}

// What a client can store does not add an element, a header or another name.
void test_injection(World &world) {
    const std::string user = world.client.create(
        "/Users", R"({"userName":"i,admin\r\nX-Admin: 1","displayName":"\u202eadmin",)"
                  R"("roles":[{"value":"x,admin"},{"value":"admin%2C"},{"value":"admin\u0000x"},)"
                  R"({"value":"admin\u0085"},{"value":"admin "},{"value":"ok"}],)"
                  R"("urn:example:acme:2.0:User":{"words":["a\nb"],)"
                  R"("seat":[{"tags":["t,admin","\tadmin"]}]}})");
    is(user, "", "U+0000 is refused when it is stored");
    const std::string stored = world.client.create(
        "/Users", R"({"userName":"i,admin\r\nX-Admin: 1","displayName":"\u202eadmin",)"
                  R"("roles":[{"value":"x,admin"},{"value":"admin%2C"},{"value":"admin\u0085"},)"
                  R"({"value":"admin "},{"value":"ok"}],)"
                  R"("urn:example:acme:2.0:User":{"words":["a\nb"],)"
                  R"("seat":[{"tags":["t,admin","\tadmin"]}]}})");
    const std::string group = world.client.create("/Groups", group_of("g,Admins", stored));
    Snapshot snapshot(world.session);
    const GateUser of = world.user(snapshot, stored);
    auto sent = [&](const char *path, bool is_list) {
        UserValue value =
            join_values(fixture::texts(UserAttribute(path), of, &snapshot), ValueFormat(), is_list);
        return value.text + "-" + std::to_string(value.left_out);
    };
    is(sent("userName", false), "-1", "a userName with a line break is not sent");
    is(sent("displayName", false), "%E2%80%AEadmin-0", "a direction mark is encoded");
    is(sent("roles", true), "x%2Cadmin,admin%252C,admin%20,ok-1", "roles cannot add a role");
    is(sent("words", true), "-1", "a simple element with a line break is not sent");
    is(sent("seat.tags", true), "t%2Cadmin-1", "values of a part cannot add a value");
    is(sent("groups.display", true), "g%2CAdmins-0", "the name of a group cannot add a group");
    is(sent("groups", true), group + "-0", "the id of a group is sent as it is");
}

}  // namespace

int main() {
    World world;
    test_leaves(world);
    test_generated(world);
    test_refused(world);
    test_types(world);
    test_catalogs(world);
    test_groups(world);
    test_group_bounds(world);
    test_element_bounds(world);
    test_email(world);
    test_damage(world);
    test_injection(world);
    return tap::done();
}
