// Tests the index of an attribute that becomes unique when resources have values: it is built in
// steps, goes on where it was interrupted, refuses duplicates meanwhile, and is ready only if no two
// resources have the same value. An index that is not declared any more is dropped in steps, also
// after an interruption, and is built anew if it is declared again meanwhile. Members whose resource type is not declared survive a PUT.

#include "service/index_builder.h"

#include <ctime>

#include "client.h"
#include "store/index_build.h"
#include "store/index_rows.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;
using fixture::tenant_of;

namespace {

const std::string acme = "urn:example:acme:2.0:User";
const std::string device_urn = "urn:ietf:params:scim:schemas:core:2.0:Device";

Definition definition(const std::string &json) {
    auto loaded = load_definition(json);
    if (!loaded) diag(loaded.error().detail);
    return loaded ? *loaded : Definition{};
}

std::vector<Definition> badge(const std::string &more) {
    return {definition(R"({"id":")" + acme + R"(","attributes":[{"name":"badge")" + more + "}]}")};
}
const std::string unique = R"(,"uniqueness":"server")";

std::string user(const std::string &name, const std::string &badge) {
    return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" + name +
           R"(",")" + acme + R"(":{"badge":")" + badge + "\"}}";
}

std::string state_of(Store &store) {
    Session session(store);
    Snapshot snapshot(session);
    const Catalog &catalog = *snapshot.catalog();
    const Attr *attr = catalog.type_by_name("User")->find(acme + ":badge");
    std::string text(attr->index == nullptr ? "no index" : to_string(attr->index->state));
    for (const Attribute &a : catalog.schema(acme)->attributes)
        text += ", " + std::string(to_string(a.uniqueness));
    return text;
}

void build() {
    fixture::TempDir dir;
    constexpr size_t map = size_t(64) << 20;
    {
        auto store = fixture::open_store(dir.path, map, badge(""), 1);
        Client client(*store);
        client.create("/Users", user("first", "A"));
        client.create("/Users", user("second", "a"));
        for (int i = 0; i < 500; i++)
            client.create("/Users", user("u" + std::to_string(i), "B-" + std::to_string(i)));
        is(state_of(*store), "no index, none", "an attribute that is not unique has no index");
    }
    {
        auto store = fixture::open_store(dir.path, map, badge(unique), 2);
        Client client(*store, tenant_of(*store));
        client.now = 90000000;
        is(state_of(*store), "building, none",
           "an attribute with stored values is not published as unique at once");
        ok(client.writer().maintenance(client.now) == Writer::Maintenance::rows,
           "an index that is to be built is work for the maintenance");
        ok(client.writer().do_maintenance(client.now), "the first step leaves more to do");
        is(client.send(Method::post, "/Users", user("x", "b-7")).status, 409,
           "a value that the index has already is refused while it is built");
        is(client.send(Method::post, "/Users", user("late", "B-499")).status, 201,
           "a value that the index does not have yet is accepted while it is built");
    }
    {
        auto store = fixture::open_store(dir.path, map, badge(unique), 2);
        Client client(*store, tenant_of(*store));
        client.now = 100000000;
        int steps = 1;
        while (client.writer().do_maintenance(client.now) && steps < 20) steps++;
        ok(steps < 5, "the next process goes on where the first one ended: " +
                          std::to_string(steps) + " steps");
        is(state_of(*store), "conflict, none", "an index with two equal values is in conflict");
        const auto alarms = client.writer().take_alarms();
        is(alarms.size(), 1u, "a conflict is reported once");
        is(alarms.empty() ? "" : alarms[0],
           "the attribute \"" + acme +
               ":badge\" of User is declared unique, but is not enforced, because resources have "
               "the same value: \"A\" of tenant \"one\", \"B-499\" of tenant \"one\"; scimctl "
               "duplicates lists all of them; change or delete them, then reload",
           "the report names the values and the tenant");
        const std::string found = client.get("/Users", "filter=" + acme + ":badge+eq+%22a%22").body;
        ok(found.find(R"("totalResults":2)") != found.npos,
           "a filter on an attribute in conflict finds all resources");
        for (const char *name : {"second", "late"}) {
            const std::string list =
                client.get("/Users", "filter=userName+eq+%22" + std::string(name) + "%22").body;
            const std::string id = list.substr(list.find(R"("id":")") + 6, 36);
            is(client.send(Method::del, "/Users/" + id).status, 204,
               "the user " + std::string(name) + " is deleted");
        }
    }
    {
        auto store = fixture::open_store(dir.path, map, badge(unique), 0);
        is(state_of(*store), "conflict, none", "a tool does not build the index again");
    }
    auto store = fixture::open_store(dir.path, map, badge(unique), 3);
    is(state_of(*store), "building, none", "a newer configuration builds the index again");
    Client client(*store, tenant_of(*store));
    client.now = 200000000;
    for (int i = 0; i < 20 && client.writer().do_maintenance(client.now); i++) {
    }
    is(state_of(*store), "ready, server", "without equal values the attribute becomes unique");
    is(client.send(Method::post, "/Users", user("x", "b-499")).status, 409,
       "a value that was stored before is refused");
    ok(client.writer().take_alarms().empty(), "an index that becomes ready is not reported");
}

// Writes what a newer configuration declares, as another process does.
void declare_elsewhere(Store &store, const std::vector<Definition> &definitions,
                       uint64_t generation) {
    store::WriteTxn txn(store.env());
    auto rows = store::read_catalog(txn);
    auto next = declare(*rows, *make_declaration(generation, definitions));
    store::write_catalog(txn, **next);
    ok(txn.commit() == store::Errc::ok, "another process declares the attribute");
}

void old_workers() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(64) << 20, badge(""), 1);
    Client client(*store);
    const std::string first = client.create("/Users", user("first", "A"));
    Job *early = client.job(Method::post, "/Users", user("early", "B"));
    {
        Session session(*store);
        Snapshot snapshot(session);
        prepare_ahead(*early, snapshot);
    }
    declare_elsewhere(*store, badge(unique), 2);
    client.run({early});
    is(early->response.status, 201,
       "a write that was prepared before an attribute became unique is answered with 201");
    is(client.send(Method::post, "/Users", user("x", "b")).status, 409,
       "its value is in the index, although an old worker has written it");
    is(client.send(Method::del, "/Users/" + first).status, 204,
       "an old worker deletes a user that the index does not have yet");
    while (client.writer().do_maintenance(client.now)) {
    }
    is(state_of(*store), "ready, server", "an old worker builds the index");
    is(client.send(Method::post, "/Users", user("y", "a")).status, 201,
       "the value of the deleted user is free");

    declare_elsewhere(*store, {}, 3);
    is(client.send(Method::del, "/Users/" + early->response.log_fields.resource_id).status, 204,
       "a user is deleted while the attribute is not declared");
    declare_elsewhere(*store, badge(unique), 4);
    is(client.send(Method::post, "/Users", user("z", "B")).status, 201,
       "its value is free when the attribute is declared again");
    is(client.send(Method::post, "/Users", user("w", "B")).status, 409,
       "the attribute is enforced at once when it is declared again");
}

size_t total(Client &client, const std::string &badge) {
    const std::string body =
        client.get("/Users", "filter=" + acme + ":badge+eq+%22" + badge + "%22").body;
    return size_t(std::atoi(body.c_str() + body.find(R"("totalResults":)") + 15));
}

std::string patch_badge(const std::string &badge) {
    return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)"
           R"({"op":"replace","path":")" +
           acme + R"(:badge","value":")" + badge + "\"}]}";
}

// While an index is built, the attribute stops being unique and becomes unique again.
void unique_again() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(64) << 20, badge(""), 1);
    Client client(*store);
    const std::string first = client.create("/Users", user("first", "A"));
    for (int i = 0; i < 300; i++)
        client.create("/Users", user("u" + std::to_string(i), "B-" + std::to_string(i)));
    declare_elsewhere(*store, badge(unique), 2);
    ok(client.writer().do_maintenance(client.now), "the first step leaves more to do");
    declare_elsewhere(*store, badge(""), 3);
    is(client.send(Method::patch, "/Users/" + first, patch_badge("b-1")).status, 200,
       "a user gets the badge of another one while the attribute is not unique");
    declare_elsewhere(*store, badge(unique), 4);
    while (client.writer().do_maintenance(client.now)) {
    }
    is(total(client, "B-1"), 2u, "two users have the badge");
    is(state_of(*store), "conflict, none",
       "a duplicate that was written in the part that was indexed before is found");
}

// The steps are short if the records are long.
void large_records() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(256) << 20, badge(""), 1);
    Client client(*store);
    for (int i = 0; i < 20; i++) {
        const std::string number = std::to_string(i);
        const std::string id =
            client.create("/Users", user("u" + number, number + std::string(60000, 'x')));
        if (id.empty()) diag("user " + number + " is not created");
    }
    declare_elsewhere(*store, badge(unique), 2);
    int steps = 1;
    while (client.writer().do_maintenance(client.now)) steps++;
    ok(steps >= 5, "20 users of 60 KB each take at least 5 steps: " + std::to_string(steps));
    is(state_of(*store), "ready, server", "the index of long values becomes ready");
}

// The work under the write lock is proportional to the number of values: the processor time of four
// times as many values is compared with that of the fewer ones.
void many_values() {
    fixture::TempDir dir;
    auto store =
        fixture::open_store(dir.path, size_t(64) << 20, badge(R"(,"multiValued":true)" + unique));
    Client client(*store);
    auto body = [](const std::string &name, int count) {
        std::string text = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],)"
                           R"("userName":")" +
                           name + R"(",")" + acme + R"(":{"badge":[)";
        for (int i = 0; i < count; i++)
            text += (i == 0 ? "\"" : ",\"") + name.substr(1) + std::to_string(i) + '"';
        return text + "]}}";
    };
    auto time_of = [&](const std::string &name, int count) {
        const std::string number = std::to_string(count);
        const std::clock_t start = std::clock();
        is(client.send(Method::post, "/Users", body("a" + name, count)).status, 201,
           "a user with " + number + " unique values is created");
        is(client.send(Method::post, "/Users", body("b" + name, count)).status, 409,
           "another user with these " + number + " values is refused");
        return double(std::clock() - start);
    };
    const double few = time_of("few", 2500), many = time_of("many", 10000);
    ok(many < 10 * few,
       "four times as many values take less than ten times as long: " + std::to_string(many / few));
}

std::string many_badges(const std::string &name, int count) {
    std::string text = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" +
                       name + R"(",")" + acme + R"(":{"badge":[)";
    for (int i = 0; i < count; i++)
        text += (i == 0 ? "\"" : ",\"") + name + std::to_string(i) + '"';
    return text + "]}}";
}

// "state done/total rows" of the index of the badge; the rows are those in the store.
std::string index_of_badge(Store &store, store::TenantNumber tenant) {
    Session session(store);
    Snapshot snapshot(session);
    const AttrNumber badge =
        snapshot.catalog()->type_by_name("User")->find(acme + ":badge")->number;
    const std::string prefix = store::index_prefix(tenant, 1, badge);
    size_t rows = 0;
    store::Cursor cursor(snapshot.txn, store::Db::index);
    for (bool more = cursor.seek(prefix); more && store::starts_with(cursor.key(), prefix);
         more = cursor.next())
        rows++;
    for (const IndexStatus &status : index_states(snapshot.txn, *snapshot.catalog()))
        if (status.attribute == acme + ":badge")
            return std::string(to_string(status.index->state)) + " " + std::to_string(status.done) +
                   "/" + std::to_string(status.total) + ", " + std::to_string(rows) + " rows";
    return "no index, " + std::to_string(rows) + " rows";
}

// The number of rows that the store has counted.
uint64_t counted(Store &store, store::TenantNumber tenant) {
    Session session(store);
    Snapshot snapshot(session);
    const AttrNumber badge =
        snapshot.catalog()->type_by_name("User")->find(acme + ":badge")->number;
    return store::index_rows(snapshot.txn, tenant, 1, badge);
}

void dropping() {
    fixture::TempDir dir;
    constexpr size_t map = size_t(64) << 20;
    const auto plain = badge(R"(,"multiValued":true)");
    const auto indexed = badge(R"(,"multiValued":true)" + unique);
    {
        auto store = fixture::open_store(dir.path, map, indexed, 1);
        Client client(*store);
        client.create("/Users", many_badges("a", 1500));
        is(index_of_badge(*store, client.tenant()), "ready 0/0, 1500 rows",
           "an index has a row for each value");
        is(counted(*store, client.tenant()), 1500u, "the rows are counted");
        declare_elsewhere(*store, plain, 2);
        is(index_of_badge(*store, client.tenant()), "dropping 0/0, 1500 rows",
           "an index that is not declared any more is to be dropped");
        ok(client.writer().maintenance(client.now) == Writer::Maintenance::rows,
           "an index that is to be dropped is work for the maintenance");
        ok(client.writer().do_maintenance(client.now), "the first step leaves more to do");
        is(index_of_badge(*store, client.tenant()), "dropping 998/0, 502 rows",
           "a step deletes a bounded number of rows");
        client.create("/Users", user("late", "L"));
        is(index_of_badge(*store, client.tenant()), "dropping 998/0, 502 rows",
           "a user that is created meanwhile gets no row");
        is(total(client, "a7"), 1u, "a filter finds a value whose row is deleted");
    }
    auto store = fixture::open_store(dir.path, map, plain, 2);
    Client client(*store, tenant_of(*store));
    while (client.writer().do_maintenance(client.now)) {
    }
    is(index_of_badge(*store, client.tenant()), "no index, 0 rows",
       "the next process completes the drop");
    is(counted(*store, client.tenant()), 0u, "no rows are counted");
    declare_elsewhere(*store, indexed, 3);
    is(index_of_badge(*store, client.tenant()), "building 0/2, 0 rows",
       "an index that is declared again is built");
    while (client.writer().do_maintenance(client.now)) {
    }
    is(index_of_badge(*store, client.tenant()), "ready 0/0, 1501 rows", "it has all rows again");
    is(counted(*store, client.tenant()), 1501u, "the rows are counted while it is built");

    declare_elsewhere(*store, plain, 4);
    ok(client.writer().do_maintenance(client.now), "another drop begins");
    declare_elsewhere(*store, indexed, 5);
    client.create("/Users", user("later", "L2"));
    is(index_of_badge(*store, client.tenant()), "dropping 0/0, 503 rows",
       "an index that is declared again while it is dropped is not used");
    while (client.writer().do_maintenance(client.now)) {
    }
    is(index_of_badge(*store, client.tenant()), "ready 0/0, 1502 rows",
       "it is built when it has been dropped");
    is(client.send(Method::post, "/Users", user("x", "l2")).status, 409,
       "a value that was written meanwhile is unique");
}

void groups_of_undeclared_types() {
    fixture::TempDir dir;
    const std::string urn = "urn:example:Team";
    const std::vector<Definition> teams = {
        definition(R"({"id":")" + urn + R"(","attributes":[{"name":"displayName"},)" +
                   R"({"name":"members","type":"complex","multiValued":true,"subAttributes":)"
                   R"([{"name":"value"},{"name":"$ref","type":"reference",)"
                   R"("referenceTypes":["User"]}]}]})"),
        definition(R"({"name":"Team","endpoint":"/Teams","schema":")" + urn + "\"}")};
    auto store = fixture::open_store(dir.path, size_t(64) << 20, teams, 1);
    Client client(*store);
    const std::string one = client.create("/Users", user("one", "x")),
                      two = client.create("/Users", user("two", "x"));
    const std::string team =
        client.create("/Teams", R"({"schemas":[")" + urn + R"("],"members":[{"value":")" + one +
                                    R"("},{"value":")" + two + "\"}]}");
    const std::string etag = client.get("/Teams/" + team).etag;
    declare_elsewhere(*store, {}, 2);
    is(client.get("/Teams/" + team).status, 404, "a type that is not declared is not served");
    is(client.send(Method::del, "/Users/" + one).status, 204,
       "a member of a group of such a type is deleted");
    declare_elsewhere(*store, teams, 3);
    const Response shown = client.get("/Teams/" + team);
    ok(shown.body.find(two) != shown.body.npos && shown.body.find(one) == shown.body.npos,
       "the group has the other member when its type is declared again");
    ok(shown.etag != etag, "the group has another version, because it has lost a member");
}

void members_of_undeclared_types() {
    fixture::TempDir dir;
    constexpr size_t map = size_t(64) << 20;
    const std::vector<Definition> devices = {
        definition(
            R"({"id":")" + device_urn + R"(","attributes":[{"name":"displayName"},)" +
            R"({"name":"groups","type":"complex","multiValued":true,"mutability":"readOnly",)"
            R"("subAttributes":[{"name":"value","mutability":"readOnly"},{"name":"$ref",)"
            R"("type":"reference","referenceTypes":["Group"],"mutability":"readOnly"}]}]})"),
        definition(R"({"name":"Device","endpoint":"/Devices","schema":")" + device_urn + "\"}")};
    std::string device, group, small;
    const std::string urn = "urn:ietf:params:scim:schemas:core:2.0:Group";
    auto body = [&](const std::string &name, const std::string &members) {
        return R"({"schemas":[")" + urn + R"("],"displayName":")" + name + R"(","members":[)" +
               members + "]}";
    };
    {
        auto store = fixture::open_store(dir.path, map, devices, 1);
        Client client(*store);
        device = client.create("/Devices", R"({"schemas":[")" + device_urn + R"("]})");
        std::string members = R"({"value":")" + device + "\"}";
        small = client.create("/Groups", body("small", members));
        for (int i = 0; i < 1100; i++)
            members += R"(,{"value":")" +
                       client.create("/Users",
                                     R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],)"
                                     R"("userName":"u)" +
                                         std::to_string(i) + "\"}") +
                       "\"}";
        group = client.create("/Groups", body("large", members));
        ok(!device.empty() && !group.empty() && !small.empty(),
           "groups of a device and of a device and 1100 users are made");
    }
    {
        auto store = fixture::open_store(dir.path, map, {}, 2);
        Client client(*store, tenant_of(*store));
        client.now = 100000000;
        for (const std::string &id : {small, group}) {
            const Response put =
                client.send(Method::put, "/Groups/" + id, body("g" + id.substr(30), ""));
            ok(put.status == 200 && put.body.find("members") == put.body.npos,
               "a PUT without members removes all members that are shown");
        }
    }
    auto store = fixture::open_store(dir.path, map, devices, 3);
    Client client(*store, tenant_of(*store));
    for (const std::string &id : {small, group}) {
        const std::string shown = client.get("/Groups/" + id).body;
        ok(shown.find(device) != shown.npos && shown.find("/Users/") == shown.npos,
           "the member whose type was not declared is still there, and no other");
    }
}

}  // namespace

int main() {
    build();
    old_workers();
    unique_again();
    large_records();
    many_values();
    dropping();
    groups_of_undeclared_types();
    members_of_undeclared_types();
    return tap::done();
}
