// Tests that an almost full map accepts changes until a hundredth of it is free, and then any
// number of deactivations and deletions: maintenance shortens the change log to make room for them.

#include <algorithm>

#include "client.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

std::string user(const std::string &name, const std::string &more = "") {
    return R"({"userName":")" + name + "\",\"displayName\":\"" + std::string(3000, 'x') + "\"" +
           more + "}";
}

const char *const deactivation =
    R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)"
    R"({"op":"replace","path":"active","value":false}]})";

std::string patch_title(int number) {
    return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)"
           R"({"op":"replace","path":"title","value":")" +
           std::to_string(100000 + number) + "\"}]}";
}

void run_maintenance(Client &client) {
    for (int i = 0; i < 100 && client.writer().do_maintenance(client.now); i++) {
    }
}

// A batch of changes needs new pages for all of them at once. One after the other they fit, because
// the pages that a commit frees are used again.
void test_batch(Client &client, const std::vector<std::string> &users) {
    std::vector<Job *> jobs;
    jobs.reserve(users.size());
    for (const std::string &path : users)
        jobs.push_back(client.job(Method::patch, path, patch_title(0)));
    ok(client.run(jobs) == BatchOutcome::ok, "a batch that changes every user is ok");
    const auto refused = std::find_if(jobs.begin(), jobs.end(), [](const Job *job) {
        return job->postponed || job->response.status != 200;
    });
    ok(refused == jobs.end(), "every change of a batch that does not fit as a whole is made");
    if (refused != jobs.end())
        diag(std::to_string((*refused)->response.status) + (*refused)->response.body);
    is(client.writer().problem(), "",
       "a batch whose changes were all made has no problem for the log");
}

// A batch that does not fit as a whole, and whose last request needs a damaged record.
void test_damage(Client &client, Store &store, const std::vector<std::string> &users) {
    const std::string id = users.back().substr(7);
    fixture::damage(store, client, id);
    const std::string damaged = "is damaged where PATCH of User " + id +
                                " looks; scimctl verify says more, and other requests are served";
    std::vector<Job *> jobs;
    jobs.reserve(users.size());
    for (const std::string &path : users)
        jobs.push_back(client.job(Method::patch, path, patch_title(1)));
    client.run(jobs);
    ok(jobs.front()->committed && jobs.back()->response.status == 503,
       "a batch that is run again makes its changes and refuses the one of a damaged record");
    is(client.writer().problem(), damaged,
       "the problem of a batch that is run again names its damaged record");
    client.now += 120000;  // that the map is full is said once a minute
    client.run({client.job(Method::patch, users.back(), patch_title(2)),
                client.job(Method::post, "/Users", user("one-more"))});
    const std::string &problem = client.writer().problem();
    ok(problem.find("is full: creates are refused") == 0 &&
           problem.find("; it " + damaged) != std::string::npos,
       "the problem of a batch says that the map is full and names the damaged record");
    note(problem);
    fixture::damage(store, client, id);  // flips the bit back
}

std::vector<Definition> badge(const std::string &more) {
    return {*load_definition(R"({"id":"urn:example:acme:2.0:User","attributes":[{"name":"badge")" +
                             more + "}]}")};
}

// Adds an index without rows that is being dropped, behind the others.
void drop_index(Store &store, const char *attribute) {
    store::WriteTxn txn(store.env());
    CatalogRows rows = *store::read_catalog(txn);
    const auto catalog = *Catalog::build(rows);
    const TypeView &type = *catalog->type_by_name("User");
    rows.indexes.push_back({uint16_t(rows.indexes.back().number + 1), type.number,
                            type.find(attribute)->number, false, IndexState::dropping, false,
                            IndexKind::value});
    rows.epoch++;
    store::write_indexes(txn, rows);
    is(int(txn.commit()), int(store::Errc::ok), "an index is to be dropped");
}

size_t unfinished(Store &store) {
    Session session(store);
    Snapshot snapshot(session);
    return snapshot.catalog()->unfinished().size();
}

// An attribute becomes unique in a store whose map is almost full.
void test_index() {
    fixture::TempDir dir;
    constexpr size_t map = size_t(4) << 20;
    {
        auto store = fixture::open_store(dir.path, map, badge(""), 1);
        Client client(*store);
        int status = 201;
        for (int i = 0; status == 201; i++)
            status = client
                         .send(Method::post, "/Users",
                               user("u" + std::to_string(i),
                                    R"(,"urn:example:acme:2.0:User":{"badge":")" +
                                        std::to_string(i) + "\"}"))
                         .status;
        is(status, 503, "the map is almost full");
    }
    const std::vector<Definition> unique = badge(R"(,"uniqueness":"server")");
    {
        auto store = fixture::open_store(dir.path, map, unique, 2);
        Client client(*store, fixture::tenant_of(*store));
        drop_index(*store, "title");
        run_maintenance(client);
        run_maintenance(client);
        is(unfinished(*store), 1u, "an index is dropped while one before it waits for space");
        const auto alarms = client.writer().take_alarms();
        is(alarms.size(), 1u, "an index that cannot be built is reported once");
        is(alarms.empty() ? "" : alarms[0],
           "the attribute \"urn:example:acme:2.0:User:badge\" of User is not enforced as unique "
           "yet: its index is not built, because almost all of the map's " +
               std::to_string(map) + " bytes are in use; raise size= of scim_store and reload",
           "the report names the attribute and the remedy");
    }
    auto store = fixture::open_store(dir.path, 2 * map, unique, 2);
    Client client(*store, fixture::tenant_of(*store));
    run_maintenance(client);
    is(client.writer().take_alarms().size(), 0u, "in a larger map nothing is reported");
    is(unfinished(*store), 0u, "in a larger map the index is built");
}

uint64_t rows(Store &store, store::Db db) {
    store::Reader reader(store.env());
    store::ReadTxn txn(reader);
    return txn.entries(db);
}

}  // namespace

int main() {
    test_index();
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(4) << 20);
    Client client(*store);
    std::vector<std::string> users;
    Response last;
    do {
        last = client.send(Method::post, "/Users",
                           user("u" + std::to_string(users.size()), R"(,"title":"099999")"));
        if (last.status == 201) users.push_back("/Users/" + last.log_fields.resource_id);
    } while (last.status == 201);
    is(last.status, 503,
       "creates are refused with 503 after " + std::to_string(users.size()) + " users");

    test_batch(client, users);
    test_damage(client, *store, users);

    int changes = 0;
    do last = client.send(Method::patch, users[0], patch_title(++changes));
    while (last.status == 200 && changes < 20000);
    is(last.status, 503, "changes are refused with 503 after " + std::to_string(changes) + " more");
    ok(last.body.find("size= of scim_store") != std::string::npos,
       "the 503 of a full map names the size= parameter of scim_store");

    const uint64_t logged = rows(*store, store::Db::changes);
    int done = 0;
    for (const std::string &path : users) {
        done += client.send(Method::patch, path, deactivation).status == 200;
        if (done % 10 == 0) run_maintenance(client);
    }
    is(done, int(users.size()), "every user can be deactivated on a full map");
    ok(rows(*store, store::Db::changes) < logged,
       "maintenance of a full map shortens the change log");
    done = 0;
    for (const std::string &path : users) {
        done += client.send(Method::del, path).status == 204;
        if (done % 10 == 0) run_maintenance(client);
    }
    is(done, int(users.size()), "every user can be deleted from a full map");
    is(client.send(Method::post, "/Users", user("next")).status, 201,
       "a create is answered with 201 after all users are deleted");
    return tap::done();
}
