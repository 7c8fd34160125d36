// Tests substring indexes when something is wrong: a block that a build meets is damaged, the progress
// of a build is lost, a record is damaged, many ids begin with the same bytes, the map is full. Tests
// also builds over several tenants, and indexes that are built again.

#include <algorithm>

#include "bulk_fixture.h"
#include "scim/text/work.h"
#include "service/admin.h"
#include "service/import.h"
#include "store/compact.h"
#include "store/trigrams.h"
#include "substring_fixture.h"

using namespace scim;
using fixture::Client;
using service::Method;

namespace {

const Wanted display_name = {{"User", "displayName", IndexKind::substring}};

std::string user(const std::string &name, const std::string &display,
                 const std::string &more = "") {
    return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" + name +
           R"(","displayName":")" + display + '"' + more + "}";
}

// Creates users; all have the display name "Ada <number>". Returns their paths.
std::vector<std::string> create_users(Client &client, int count) {
    std::vector<std::string> paths;
    for (int i = 0; i < count; i++) {
        const std::string number = std::to_string(i);
        paths.push_back("/Users/" + client.create("/Users", user("u" + number, "Ada " + number)));
        client.forget_jobs();
    }
    return paths;
}

// Does all maintenance of this moment; the alarms.
std::string maintain(Client &client) {
    for (int i = 0; i < 10000 && client.writer().do_maintenance(client.now); i++) {
    }
    std::string text;
    for (const std::string &alarm : client.writer().take_alarms()) text += alarm + "\n";
    return text;
}

uint64_t entries(service::Store &store, Db db) {
    Reader reader(store.env());
    ReadTxn txn(reader);
    return txn.entries(db);
}

void change(service::Store &store, const std::function<void(WriteTxn &)> &make) {
    WriteTxn txn(store.env());
    make(txn);
    if (txn.commit() != Errc::ok) std::abort();
}

Key list_of(Txn &txn, TenantNumber tenant, Trigram trigram) {
    return trigram_prefix(
        tenant, 1, catalog_of(txn)->type_by_name("User")->find("displayName")->number, trigram);
}

// Damages all blocks of a list.
void damage_lists(WriteTxn &txn, const Key &list) {
    std::vector<std::string> keys;
    {
        Cursor cursor(txn, Db::trigrams);
        for (bool more = cursor.seek(list); more && starts_with(cursor.key(), list);
             more = cursor.next())
            keys.emplace_back(cursor.key());
    }
    for (const std::string &key : keys) txn.put(Db::trigrams, key, "\x80");
}

// The number of users that a filter finds, or the detail of the refusal.
std::string found(Client &client, const std::string &filter) {
    std::string body = client.get("/Users", "attributes=id&filter=" + filter).body;
    const size_t at = body.find("\"totalResults\":");
    if (at == std::string::npos) return body;
    return body.substr(at + 15, body.find_first_of(",}", at) - at - 15);
}

const char *const ready = "User displayName type=substring ready; ";
const char *const building = "User displayName type=substring building; ";
const char *const dropping = "User displayName type=substring dropping; ";

// A block that the build meets is damaged: the build stops, everything else goes on.
void test_failing_step() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    Client client(*store);
    create_users(client, 600);
    declare_indexes(*store, 2, display_name);
    ok(client.writer().do_maintenance(client.now), "the first step of a build leaves more to do");
    change(*store,
           [&](WriteTxn &txn) { damage_lists(txn, list_of(txn, client.tenant(), 0x616461)); });
    client.now += store->retention().age + 1;
    const service::Response refused = client.send(Method::post, "/Users", user("u1", "x"));
    is(refused.status, 409, "a request is refused meanwhile");
    const std::string alarms = maintain(client);
    is(alarms,
       "store \"" + dir.path +
           "\": the index of User displayName type=substring cannot be built or dropped: the store "
           "is damaged; \"scimctl reindex 'User displayName type=substring'\" begins it again, "
           "scimctl verify says more; it is tried again in a minute\n",
       "a step of a build that fails is reported with what to do");
    is(entries(*store, Db::changes), uint64_t(0), "the change log is trimmed nevertheless");
    {
        Reader reader(store->env());
        ReadTxn txn(reader);
        const auto refusals = list_refusals(txn, client.tenant(), 10);
        is(refusals.size(), size_t(1), "the refusal is recorded nevertheless");
    }
    is(int(client.writer().maintenance(client.now)), int(service::Writer::Maintenance::none),
       "no maintenance is due then");
    is(maintain(client), "", "the failure is not reported again within a minute");
    client.now += 60000;
    ok(maintain(client) == alarms, "it is tried and reported again after a minute");
    change(*store, [](WriteTxn &txn) {
        const auto begun =
            service::rebuild_indexes(txn, *catalog_of(txn), {"User displayName type=substring"});
        if (!begun) diag(begun.error().detail);
    });
    is(states(*store), dropping, "the index is begun again");
    client.now += 60000;
    is(maintain(client), "", "then no step fails");
    is(states(*store), ready, "and the index becomes ready");
    sound(store->env(), "verify finds no problem then");
}

// Of two indexes that are built, the first is damaged: the second becomes ready.
void test_failing_index() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    Client client(*store);
    create_users(client, 600);
    declare_indexes(*store, 2, both);
    ok(client.writer().do_maintenance(client.now), "the first step of a build leaves more to do");
    sound(store->env(), "verify finds no problem with the progress of a build");
    change(*store,
           [&](WriteTxn &txn) { damage_lists(txn, list_of(txn, client.tenant(), 0x616461)); });
    const std::string alarms = maintain(client);
    ok(alarms.find("the index of User displayName type=substring cannot be built") !=
               std::string::npos &&
           alarms.find("emails") == std::string::npos,
       "the step that fails is reported, with its index");
    if (alarms.empty()) diag("nothing is reported");
    is(states(*store), std::string(building) + "User emails.value type=substring ready; ",
       "the other index is built meanwhile");
    client.now += 60000;
    ok(maintain(client) == alarms, "the failing one is tried again after a minute");
}

// The row that says how far a build is cannot be read, or is gone.
void test_lost_progress() {
    for (const bool is_gone : {false, true}) {
        fixture::TempDir dir;
        auto store = fixture::open_store(dir.path);
        Client client(*store);
        const auto users = create_users(client, 600);
        declare_indexes(*store, 2, display_name);
        ok(client.writer().do_maintenance(client.now),
           "the first step of a build leaves more to do");
        change(*store, [&](WriteTxn &txn) {
            const Key key = substring_build_key(catalog_of(txn)->unfinished().front()->number);
            if (is_gone)
                ok(txn.del(Db::local, key), "the row of the progress is deleted");
            else
                txn.put(Db::local, key, "x");
        });
        is(client.send(Method::del, users[0]).status, 204, "a user is deleted meanwhile");
        is(maintain(client), "", "maintenance reports nothing");
        is(states(*store), ready, "the build is completed");
        sound(store->env(), is_gone ? "no resource is in a list twice if the progress was lost"
                                    : "no resource is in a list twice if the progress was damaged");
        is(found(client, "displayName+co+%22ada%22"), "599", "the index finds all users");
    }
}

// verify() reports a damaged record once, not for each of its trigrams.
void test_damaged_record() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    declare_indexes(*store, 2, display_name);
    finish_builds(*store);
    Client client(*store);
    const auto users = create_users(client, 3);
    fixture::damage(*store, client, users[1].substr(7));
    Reader reader(store->env());
    ReadTxn txn(reader);
    const VerifyReport report = verify(txn);
    is(report.problem_count, uint64_t(1), "verify has one line for a damaged record");
    ok(all_problems(report).find("the record is damaged") != std::string::npos,
       "the line says that the record is damaged");
    if (report.problem_count != 1) diag(all_problems(report));
}

class Listener : public service::ImportListener {
  public:
    void begun(uint64_t) override {}
    bool refused(uint64_t, const Error &error, std::string_view) override {
        errors += error.detail + "\n";
        return true;
    }
    void progress(const service::ImportCounts &) override {}
    std::string errors;
};

// Imports users whose ids all begin with the same 8 bytes.
void import_same(service::Store &store, TenantNumber tenant, int first, int count) {
    Listener listener;
    service::Importer importer(store, tenant, {service::OnConflict::fail, true, false}, listener);
    for (int i = first; i < first + count; i++) {
        char id[37];
        std::snprintf(id, sizeof id, "00000000-0000-7000-8000-%012d", i);
        std::string line = user("s" + std::to_string(i), "Same " + std::to_string(i));
        line.insert(1, R"("id":")" + std::string(id) + "\",");
        if (!importer.add(line)) diag("the line is not taken");
    }
    if (!importer.finish()) diag("the import fails");
    if (!listener.errors.empty()) diag(listener.errors);
}

void test_same_numbers() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    declare_indexes(*store, 2, display_name);
    finish_builds(*store);
    Client client(*store);
    import_same(*store, client.tenant(), 1, 3000);
    sound(store->env(), "verify finds no problem after an import into a ready index");
    {
        Reader reader(store->env());
        ReadTxn txn(reader);
        size_t longest = 0;
        Cursor cursor(txn, Db::trigrams);
        for (bool more = cursor.seek({}); more; more = cursor.next())
            longest = std::max(longest, cursor.value().size());
        ok(longest <= posting_block_most,
           "no block exceeds its bound, although 3,000 ids begin with the same bytes (" +
               std::to_string(longest) + ")");
    }
    is(found(client, "displayName+co+%22same+12%22"), "111", "the index finds them");
    client.settings.max_scan = 3000;
    is(found(client, "displayName+co+%22same+12%22"), "111",
       "a query that examines scim_max_scan resources is answered");
    client.settings.max_scan = 2999;
    const std::string refusal = found(client, "displayName+co+%22same+12%22");
    ok(refusal.find("scim_max_scan (2999)") != std::string::npos,
       "a query that would examine one more is refused, although their ids have one number");
    if (refusal.size() < 10) diag(refusal);
    ok(found(client, "displayName+co+%22same+12%22&sortBy=userName").find("scim_max_scan") !=
           std::string::npos,
       "so is a sorted one");
    client.settings.max_scan = 1000000;
    for (int i = 1; i <= 3000; i += 7) {
        char path[64];
        std::snprintf(path, sizeof path, "/Users/00000000-0000-7000-8000-%012d", i);
        if (client.send(Method::del, path).status != 204) diag("not deleted");
        client.forget_jobs();
    }
    sound(store->env(), "verify finds no problem after deletions");
}

// The trigrams of a resource are charged: two units for each byte of each value.
void test_work() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    declare_indexes(*store, 2, {both[1]});
    finish_builds(*store);
    Client client(*store);
    // Each value is charged for its row in the index of values, too.
    constexpr size_t bytes = 98, in_json = bytes + 2, each = 2 * 2 + trigram_byte_work * in_json;
    const auto emails = [](size_t count) {
        std::string text = R"(,"emails":[)";
        for (size_t i = 0; i < count; i++)
            text += (i > 0 ? R"(,{"value":")" : R"({"value":")") + std::to_string(10000 + i) +
                    std::string(bytes - 5, 'x') + "\"}";
        return text + "]";
    };
    const size_t most = (index_work_most - 1) / each;  // the userName takes 1
    is(client.send(Method::post, "/Users", user("most", "x", emails(most))).status, 201,
       std::to_string(most) + " values of 98 bytes with a substring index are accepted");
    const service::Response more =
        client.send(Method::post, "/Users", user("more", "x", emails(most + 1)));
    is(more.status, 413, "one more is refused with 413");
    const std::string bound =
        "at most 2000000 is possible (3 for each byte of a value with text beyond ASCII, and 2 for "
        "each byte of a value with a substring index)";
    ok(more.log_fields.detail.find(bound) != std::string::npos, "the refusal says the bound");
    if (more.status != 413) diag(more.log_fields.detail);
}

void test_tenants() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    std::vector<std::unique_ptr<Client>> clients;
    for (const char *name : {"a", "b", "c"}) {
        clients.push_back(
            std::make_unique<Client>(*store, fixture::add_tenant(store->env(), name)));
        create_users(*clients.back(), 300);
    }
    Client &client = *clients[0];
    declare_indexes(*store, 2, display_name);
    int steps = 0;
    while (states(*store) == building && client.writer().do_maintenance(client.now)) {
        if (++steps != 2) continue;
        // The build is in the second tenant.
        change(*store, [](WriteTxn &txn) {
            if (!service::begin_removal(txn, "b")) std::abort();
        });
        create_users(*clients[2], 0);
        clients[2]->create("/Users", user("late", "Ada late"));
    }
    ok(steps > 3, "the build takes several steps: " + std::to_string(steps));
    is(states(*store), ready, "the index becomes ready although a tenant is removed meanwhile");
    sound(store->env(), "verify finds no problem while the tenant is removed");
    is(found(*clients[0], "displayName+co+%22ada%22"), "300", "the first tenant has its users");
    is(found(*clients[2], "displayName+co+%22ada%22"), "301", "the last tenant has its users");
    change(*store, [](WriteTxn &txn) {
        const auto tenants = service::unswept_tenants(txn);
        while (!sweep_tenant(txn, tenants.at(0), 1000)) {
        }
        Cursor cursor(txn, Db::trigrams);
        const Key prefix = tenant_prefix(tenants.at(0).number);
        ok(!cursor.seek(prefix) || !starts_with(cursor.key(), prefix),
           "the removal of a tenant deletes its blocks");
    });
    sound(store->env(), "verify finds no problem then");
    // A copy for scimctl compact.
    fixture::TempDir copy_dir;
    std::string why;
    EnvOptions options;
    options.directory = copy_dir.path;
    options.map_size = size_t(64) << 20;
    auto copy = Env::open(options, why);
    Errc error = copy->create_databases();
    {
        Reader reader(store->env());
        ReadTxn txn(reader);
        copy_rows(
            txn, *copy, [](uint64_t) {}, error);
        ok(error == Errc::ok, "the store is compacted");
    }
    sound(*copy, "verify finds no problem in the lists of a compacted store");
}

// An index is built again while it is built, in a tenant that is not the first.
void test_rebuild() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    Client a(*store, fixture::add_tenant(store->env(), "a"));
    Client b(*store, fixture::add_tenant(store->env(), "b"));
    create_users(a, 250);
    const auto users = create_users(b, 250);
    declare_indexes(*store, 2, {{"User", "displayName", IndexKind::value}, display_name[0]});
    const auto rebuild = [&](const std::vector<std::string> &names) {
        WriteTxn txn(store->env());
        const auto begun = service::rebuild_indexes(txn, *catalog_of(txn), names);
        if (!begun) return std::string(begun.error().id()) + ": " + begun.error().detail;
        if (txn.commit() != Errc::ok) std::abort();
        std::string text;
        for (const std::string &name : *begun) text += name + "; ";
        return text;
    };
    ok(a.writer().do_maintenance(a.now) && a.writer().do_maintenance(a.now),
       "two steps of a build leave more to do");
    is(rebuild({}), "User displayName; User displayName type=substring; ",
       "without names, the indexes of scim_index are built again");
    is(b.send(Method::del, users[0]).status, 204, "a user is deleted while they are dropped");
    ok(a.writer().do_maintenance(a.now), "a step of a drop leaves more to do");
    sound(store->env(), "verify finds no problem with the progress of a drop");
    maintain(a);
    is(states(*store), ready, "they become ready");
    sound(store->env(), "verify finds no row of before");
    is(rebuild({"User displayName type=substring"}), "User displayName type=substring; ",
       "an index is built again by its name");
    is(states(*store), dropping, "then it is being dropped");
    is(found(b, "displayName+co+%22ada%22"), "249", "queries are answered without it");
    is(rebuild({"User displayName type=substring"}), "User displayName type=substring; ",
       "it may be begun again");
    maintain(a);
    is(states(*store), ready, "it becomes ready");
    sound(store->env(), "verify finds no problem");
    is(rebuild({"User displayname"}),
       "index-unknown: there is no index \"User displayname\"; scimctl index list lists the "
       "indexes",
       "an unknown name is refused");
    is(rebuild({"User displayName", "User userName"}),
       "index-not-added: the index \"User userName\" exists without scim_index and cannot be built "
       "again while requests are served: it keeps values unique, or nginx finds users by it",
       "the index of a unique attribute is refused");
    is(states(*store), ready, "a refusal begins nothing");
}

// A text with about 400 different trigrams.
std::string trigrams_text(int number) {
    std::string text;
    auto state = uint32_t(number) + 1;
    for (int i = 0; i < 400; i++) {
        state = state * 1664525 + 1013904223;
        text += char('a' + (state >> 24) % 26);
    }
    return text;
}

const std::string long_title(3000, 'x');

// Sends a request until it is not postponed.
service::Response send(Client &client, Method method, const std::string &path,
                       const std::string &body = {}) {
    service::Job *job = client.job(method, path, body);
    for (int i = 0; i < 3 && (i == 0 || job->postponed); i++) client.run({job});
    service::Response response = std::move(job->response);
    client.forget_jobs();
    return response;
}

const char *const patch_head =
    R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)";

// Fills the map so that not even changes are accepted. Returns the paths of the users.
std::vector<std::string> fill(Client &client) {
    std::vector<std::string> users;
    for (service::Response last; last.status != 503;) {
        const int number = int(users.size());
        last = send(client, Method::post, "/Users",
                    user("u" + std::to_string(number), trigrams_text(number),
                         R"(,"title":"099999)" + long_title + "\""));
        if (last.status == 201) users.push_back("/Users/" + last.log_fields.resource_id);
    }
    int status = 200;
    for (size_t i = 0; status == 200 && i < 1000; i++)
        status = send(client, Method::patch, users[i % users.size()],
                      std::string(patch_head) + R"({"op":"replace","path":"title","value":")" +
                          std::string(long_title.size() + 100 * i, 'y') + "\"}]}")
                     .status;
    is(status, 503, "the map is full with " + std::to_string(users.size()) + " users");
    return users;
}

void test_full_map(bool in_bulk) {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(4) << 20);
    declare_indexes(*store, 2, display_name);
    finish_builds(*store);
    Client client(*store);
    client.settings.bulk_atomic = true;
    const auto users = fill(client);
    std::string alarms;
    int deactivated = 0, deleted = 0;
    for (size_t i = 0; i < users.size(); i += 10) {
        std::vector<std::string> operations;
        for (size_t j = i; j < std::min(i + 10, users.size()); j++) {
            operations.push_back(fixture::operation("DELETE", users[j]));
            const std::string off =
                std::string(patch_head) + R"({"op":"replace","path":"active","value":false}]})";
            deactivated += send(client, Method::patch, users[j], off).status == 200;
            if (!in_bulk) deleted += send(client, Method::del, users[j]).status == 204;
        }
        if (in_bulk) {
            const std::string body = fixture::send_bulk(client, operations).body;
            for (size_t at = 0; (at = body.find(R"("status":"204")", at)) != std::string::npos;
                 at++)
                deleted++;
            client.forget_jobs();
        }
        alarms += maintain(client);
    }
    is(deactivated, int(users.size()), "every user of a full map can be deactivated");
    is(deleted, int(users.size()),
       in_bulk ? "atomic bulk requests can delete every user of a full map with a substring index"
               : "every user of a full map with a substring index can be deleted");
    note(alarms);
    client.now += 61 * 1000;  // a step that had no space is tried again after a minute
    maintain(client);
    is(states(*store), ready, "the index is ready when there is space");
    sound(store->env(), "verify finds no problem");
}

}  // namespace

int main() {
    test_failing_step();
    test_failing_index();
    test_lost_progress();
    test_damaged_record();
    test_same_numbers();
    test_work();
    test_tenants();
    test_rebuild();
    test_full_map(false);
    test_full_map(true);
    return tap::done();
}
