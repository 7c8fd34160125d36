// An import of records that a request has made impossible meanwhile, or that refer to what is being
// deleted; what is left of an import that is interrupted; what a transaction does while others wait.

#include "service/import.h"

#include <atomic>
#include <thread>

#include "client.h"
#include "service/admin.h"
#include "service/block_user.h"
#include "service/export.h"
#include "service/gate_session.h"
#include "store/format.h"
#include "store/members.h"
#include "store/verify.h"

using namespace scim;
using namespace scim::service;

namespace {

struct Killed {};

class Listener : public ImportListener {
  public:
    void begun(uint64_t lines) override { recalled = lines; }
    bool refused(uint64_t line, const Error &error, std::string_view) override {
        errors += std::to_string(line) + ": " + error.detail + "\n";
        return can_write;
    }
    void progress(const ImportCounts &counts) override {
        committed = counts.records();
        if (--progresses == 0) throw Killed();
    }
    std::atomic<uint64_t> committed{0};
    uint64_t recalled = 0;
    int progresses = 0;  // until the import is killed; 0: never
    std::string errors;
    bool can_write = true;  // the file of --errors
};

class Text : public BodySink {
  public:
    bool write(std::string_view bytes) override { return text.append(bytes), can_write; }
    std::string text;
    bool can_write = true;
};

std::string id_text(int number) {
    char text[37];
    std::snprintf(text, sizeof text, "00000000-0000-7000-8000-%012d", number);
    return text;
}

std::string user(int number) {
    return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":")" + id_text(number) +
           R"(","userName":"user)" + std::to_string(number) + R"("})";
}

std::string group(int number, int first, int last) {
    std::string text = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":")" +
                       id_text(number) + R"(","displayName":"G","members":[)";
    for (int i = first; i <= last; i++)
        text += (i > first ? "," : "") + (R"({"value":")" + id_text(i)) + "\"}";
    return text + "]}";
}

std::string exported(Store &store, store::TenantNumber tenant) {
    Session session(store);
    Snapshot snapshot(session);
    Text out;
    auto count = export_tenant(snapshot, tenant, out, [](uint64_t) {});
    return count ? out.text : count.error().detail;
}

uint64_t problems(Store &store) {
    store::Reader reader(store.env());
    store::ReadTxn txn(reader);
    return store::verify(txn).problem_count;
}

Outcome import(Store &store, store::TenantNumber tenant, const std::vector<std::string> &lines,
               Listener &listener, ImportOptions options = {OnConflict::fail, true, false}) {
    Importer importer(store, tenant, options, listener);
    for (const std::string &line : lines) RETURN_IF_ERROR(importer.add(line));
    return importer.finish();
}

constexpr int many = store::members_deleted_at_once + 500;

std::vector<std::string> users_and_group() {
    std::vector<std::string> lines;
    for (int i = 1; i <= many; i++) lines.push_back(user(i));
    lines.push_back(group(5000, 1, many));
    return lines;
}

// The rows of a large group that was deleted stay for a while.
void check_deleted_group() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    fixture::Client client(*store);
    Listener listener;
    ok(bool(import(*store, client.tenant(), users_and_group(), listener)), "a group is imported");
    is(client.send(Method::del, "/Groups/" + id_text(5000)).status, 204, "the group is deleted");
    ok(bool(import(*store, client.tenant(), {group(5000, 1, 2)}, listener)),
       "it is imported again with two members");
    is(listener.errors, "", "no record is refused");
    const std::string text = exported(*store, client.tenant());
    const std::string last = text.substr(text.rfind('\n', text.size() - 2) + 1);
    is(std::count(last.begin(), last.end(), '{'), 4, "it has no members of the deleted group");
    is(problems(*store), 0u, "verify finds no problem");
    while (client.writer().do_maintenance(client.now)) {
    }
    is(exported(*store, client.tenant()), text, "the sweep of the old rows changes nothing");
    is(problems(*store), 0u, "verify finds no problem after the sweep");
}

// An import without finish() is one that was killed after its last transaction.
void check_continued() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    const auto one = fixture::add_tenant(store->env(), "one"),
               two = fixture::add_tenant(store->env(), "two");
    std::vector<std::string> lines;
    lines.push_back(group(20001, 1, 3));  // refers to later records
    for (int i = 1; i <= 10000; i++) lines.push_back(user(i));
    Listener listener;
    ok(bool(import(*store, one.number, lines, listener)), "10,000 records are imported");
    {
        Importer importer(*store, two.number, {OnConflict::fail, true, false}, listener);
        for (const std::string &line : lines)
            if (!importer.add(line)) ok(false, "a line is taken");
    }
    ok(bool(import(*store, two.number, lines, listener)), "the interrupted import is continued");
    ok(listener.recalled >= 4096, "it continues after what was written");
    const std::string a = exported(*store, one.number), b = exported(*store, two.number);
    is(std::count(b.begin(), b.end(), '\n'), 10001, "all records are there");
    is(a.size(), b.size(), "with all members of the group");
    is(listener.errors, "", "no record is refused");
    Listener again;
    ok(bool(import(*store, two.number, lines, again)), "a later import of the same input runs");
    is(again.recalled, 0u, "and begins with the first line");
}

// The second one continues what the first one has written; the first one must not write any more.
void check_two_at_once() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    const auto tenant = fixture::add_tenant(store->env(), "one");
    std::vector<std::string> lines;
    for (int i = 1; i <= 10000; i++) lines.push_back(user(i));
    Listener one, two;
    Importer first(*store, tenant.number, {OnConflict::fail, true, false}, one);
    bool is_taken = true;
    for (const std::string &line : lines) is_taken &= bool(first.add(line));
    // Two batches are full.
    while (one.committed < 8192) std::this_thread::yield();
    ok(is_taken, "the first import takes all lines, and has written some");
    ok(bool(import(*store, tenant.number, lines, two)),
       "the same import is started again and ends");
    is(two.recalled, 8192u, "it has continued the first one");
    const Outcome outcome = first.finish();
    is(outcome ? "" : outcome.error().detail, "another import into this tenant is running",
       "the first one ends with an error");
    ok(!outcome && outcome.error().refusal == Refusal::import_running,
       "the refusal is import-running");
    const std::string text = exported(*store, tenant.number);
    is(std::count(text.begin(), text.end(), '\n'), 10000, "each record is there once");
    is(problems(*store), 0u, "and verify finds nothing");
}

// An index is declared while an import has batches that were read before.
void check_new_catalog() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    const auto tenant = fixture::add_tenant(store->env(), "one");
    Listener listener;
    Importer importer(*store, tenant.number, {OnConflict::fail, true, false}, listener);
    bool is_taken = true;
    for (int i = 1; i <= 9000; i++) {
        is_taken &= bool(importer.add(user(i)));
        if (i % 3000 != 0) continue;
        store::WriteTxn txn(store->env());
        Declaration declaration = *make_declaration(uint64_t(i), {});
        declaration.indexes = {{"User", "name.familyName"}};
        if (i == 6000) declaration.indexes = {{"User", "title"}};
        auto rows = declare(*store::read_catalog(txn), declaration);
        if (rows) store::write_catalog(txn, **rows);
        if (!rows || txn.commit() != store::Errc::ok) ok(false, "an index is declared");
    }
    ok(is_taken && bool(importer.finish()), "an import goes on after indexes were declared");
    is(importer.counts().created, 9000u, "all records are created");
    const std::string text = exported(*store, tenant.number);
    is(std::count(text.begin(), text.end(), '\n'), 9000, "each record is there once");
    is(problems(*store), 0u, "and verify finds nothing");
}

int64_t not_before(Store &store, const store::Tenant &tenant, std::string_view name) {
    Session session(store);
    Snapshot snapshot(session);
    auto status = user_status({snapshot.txn, *snapshot.catalog(), tenant}, name);
    return status ? status->not_before : -1;
}

// A user that was deactivated, deleted and created again within a second, with the clock set back
// before the deletion: what refuses its sessions is imported, too.
void check_sessions() {
    constexpr int64_t second = 1000;
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    fixture::Client client(*store);
    const auto one = fixture::tenant_of(*store);
    const std::string named = R"({"userName":"ada","externalId":"e","active":)";
    const std::string ada = client.create("/Users", named + "true}");
    client.now += 50 * second;
    client.send(Method::put, "/Users/" + ada, named + "false}");
    const int64_t deactivated = client.now;
    client.now -= 40 * second;
    client.send(Method::del, "/Users/" + ada);
    client.create("/Users", named + "true}");
    is(not_before(*store, one, "ada"), deactivated,
       "a user created again with the clock set back has the not-before of its deactivation");
    const std::string lines = exported(*store, client.tenant());
    for (const bool keep_ids : {true, false}) {
        const std::string how = keep_ids ? " with --keep-ids" : " without --keep-ids";
        const auto to = fixture::add_tenant(store->env(), keep_ids ? "kept" : "new");
        Listener listener;
        std::vector<std::string> records;
        for (size_t at = 0; at < lines.size();) {
            const size_t end = lines.find('\n', at);
            records.push_back(lines.substr(at, end - at));
            at = end + 1;
        }
        const auto done =
            import(*store, to.number, records, listener, {OnConflict::fail, keep_ids, false});
        ok(done && listener.errors.empty(), "the user is imported" + how);
        const int64_t imported = not_before(*store, to, "ada");
        ok(keep_ids ? imported == deactivated : imported > deactivated,
           "an imported user has the not-before of its last deactivation" + how);
        const std::string session = std::to_string(deactivated / second);
        ok(check_session(session, false, imported, imported + second) == SessionFault::revoked,
           "a session of the second of the last deactivation stays refused" + how);
    }
    is(problems(*store), 0u, "verify finds no problem after the sessions are imported");
}

std::string id_of(const Outcome &outcome) {
    return outcome ? "success" : std::string(outcome.error().id());
}

void check_refusals() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    const auto tenant = fixture::add_tenant(store->env(), "one");
    const auto empty = fixture::add_tenant(store->env(), "empty");
    std::vector<std::string> lines, others;
    for (int i = 1; i <= 10000; i++) lines.push_back(user(i));
    for (int i = 1; i <= 10000; i++) others.push_back(user(20000 + i));
    Listener listener;
    {
        Importer importer(*store, tenant.number, {OnConflict::fail, true, false}, listener);
        for (const std::string &line : lines)
            if (!importer.add(line)) ok(false, "a line is taken");
    }
    std::vector<std::string> changed = lines;
    changed[99] = user(30000);
    is(id_of(import(*store, tenant.number, changed, listener)), "import-other-input",
       "an interrupted import is not continued with another input");
    listener.can_write = false;
    is(id_of(import(*store, tenant.number, {"{"}, listener)), "import-errors-file",
       "an import ends if a refused record cannot be recorded");
    listener.can_write = true;

    Session session(*store);
    {
        Snapshot snapshot(session);
        Text out;
        out.can_write = false;
        auto count = export_tenant(snapshot, empty.number, out, [](uint64_t) {});
        is(count ? "success" : std::string(count.error().id()), "output-failed",
           "an export whose output cannot be written is refused");
    }
    Importer importer(*store, tenant.number, {OnConflict::fail, true, false}, listener);
    for (const std::string &line : others)
        if (!importer.add(line)) ok(false, "a line is taken");
    {
        store::WriteTxn txn(store->env());
        if (!begin_removal(txn, "one") || txn.commit() != store::Errc::ok)
            ok(false, "the tenant is removed");
    }
    is(id_of(importer.finish()), "import-tenant-removed",
       "an import into a tenant that was removed meanwhile is refused");
}

// A user whose manager has the number, in a store with an index of manager.value.
std::string managed(int number, int manager) {
    std::string text = user(number);
    text.pop_back();
    return text + R"(,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":)" +
           R"({"value":")" + id_text(manager) + R"(","displayName":"not stored"}}})";
}

std::unique_ptr<Store> open_indexed(const std::string &directory) {
    Store::Options options;
    options.env.directory = directory;
    options.env.map_size = size_t(64) << 20;
    options.declaration = *make_declaration(1, {});
    options.declaration.indexes = {
        {"User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value"}};
    std::string why;
    auto store = Store::open(std::move(options), why);
    if (store == nullptr || !store->declare(why)) diag(why);
    return store;
}

// The names of the users whose manager has the name, by the index.
std::string managed_by(fixture::Client &client, int number) {
    const std::string users =
        client.get("/Users", "filter=userName+eq+%22user" + std::to_string(number) + "%22").body;
    const size_t at = users.find(R"("id":")");
    if (at == users.npos) return "no such user";
    const std::string id = users.substr(at + 6, 36);
    const std::string list =
        client
            .get("/Users",
                 "attributes=userName&sortBy=userName&filter=urn:ietf:params:scim:schemas:"
                 "extension:enterprise:2.0:User:manager.value+eq+%22" +
                     id + "%22")
            .body;
    std::string names;
    for (size_t from = 0; (from = list.find(R"("userName":")", from)) != list.npos;) {
        from += 12;
        names += list.substr(from, list.find('"', from) - from) + ' ';
    }
    return names;
}

void check_managers() {
    fixture::TempDir dir;
    auto store = open_indexed(dir.path);
    fixture::Client client(*store);
    const ImportOptions new_ids{OnConflict::fail, false, false},
        update{OnConflict::update, false, false};
    Listener listener;
    const std::vector<std::string> lines = {managed(1, 3), managed(2, 1), user(3), managed(4, 3),
                                            managed(5, 77)};
    ok(bool(import(*store, client.tenant(), lines, listener, new_ids)), "users are imported");
    is(managed_by(client, 1), "user2 ", "a manager before the user is found by the new id");
    is(managed_by(client, 3), "user1 user4 ", "a manager after the user, too");
    is(listener.errors,
       "5: manager: \"" + id_text(77) +
           "\" is not the id of a record that was imported; it is left out\n",
       "a manager that does not exist is left out");
    listener.errors.clear();
    const std::vector<std::string> again = {user(1), user(3), managed(2, 3), managed(4, 1)};
    ok(bool(import(*store, client.tenant(), again, listener, update)), "users are updated");
    is(managed_by(client, 1), "user4 ", "the manager of an updated user is a user that was there");
    is(managed_by(client, 3), "user2 ", "users who have no manager any more have none");
    is(listener.errors, "", "no record is refused");
    std::vector<std::string> killed = {managed(6, 10000)};
    for (int i = 7; i <= 10000; i++) killed.push_back(user(i));
    {
        Importer importer(*store, client.tenant(), new_ids, listener);
        for (const std::string &line : killed)
            if (!importer.add(line)) ok(false, "a line is taken");
    }
    is(managed_by(client, 10000), "no such user", "an import is killed before its last user");
    ok(bool(import(*store, client.tenant(), killed, listener, new_ids)), "it is continued");
    is(managed_by(client, 10000), "user6 ", "a manager after a user that was written is set");
    is(listener.errors, "", "no record is refused by the continued import");
    is(problems(*store), 0u, "verify finds no problem in the managers");
}

// Updates a group. Returns what is counted: "1 updated, 0 unchanged", or "killed".
std::string update_group(Store &store, store::TenantNumber tenant, const std::string &line,
                         int progresses = 0) {
    Listener listener;
    listener.progresses = progresses;
    try {
        Importer importer(store, tenant, {OnConflict::update, true, false}, listener);
        if (!importer.add(line) || !importer.finish()) return "an error";
        return std::to_string(importer.counts().updated) + " updated, " +
               std::to_string(importer.counts().unchanged) + " unchanged" + listener.errors;
    } catch (const Killed &) {
        return "killed";
    }
}

// The members of the group of an export.
std::string members_of(Store &store, store::TenantNumber tenant) {
    const std::string text = exported(store, tenant), value = R"("value":")";
    std::vector<std::string> members;
    for (size_t at = text.find("members"); (at = text.find(value, at)) != text.npos;) {
        at += value.size();
        members.push_back(text.substr(at, 36));
    }
    if (members.empty()) return "none";
    return std::to_string(members.size()) + ": " + members.front().substr(24) + " to " +
           members.back().substr(24);
}

// A group of many members is updated in steps: those that it has not any more are removed first.
void check_updated_group() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    const auto tenant = fixture::add_tenant(store->env(), "one").number;
    std::vector<std::string> lines;
    for (int i = 1; i <= 30000; i++) lines.push_back(user(i));
    lines.push_back(group(90000, 1, 20000));
    Listener listener;
    ok(bool(import(*store, tenant, lines, listener)), "a group of 20,000 members is imported");
    const uint64_t before = [&] {
        store::WriteTxn txn(store->env());
        return txn.id();
    }();
    is(update_group(*store, tenant, group(90000, 10001, 30000)), "1 updated, 0 unchanged",
       "it is updated with 10,000 members less and 10,000 more");
    is(members_of(*store, tenant), "20000: 000000010001 to 000000030000", "it has these members");
    {
        store::WriteTxn txn(store->env());
        ok(txn.id() > before + 2, "they are written in several transactions");
    }
    is(update_group(*store, tenant, group(90000, 10001, 30000)), "0 updated, 1 unchanged",
       "the same update changes nothing");
    is(update_group(*store, tenant, group(90000, 1, 1500)), "1 updated, 0 unchanged",
       "all members are replaced by 1,500 others");
    is(members_of(*store, tenant), "1500: 000000000001 to 000000001500", "it has only these");
    is(update_group(*store, tenant, group(90000, 1000, 29999), 1), "killed", "an update is killed");
    is(update_group(*store, tenant, group(90000, 1000, 29999)), "1 updated, 0 unchanged",
       "it is continued");
    is(members_of(*store, tenant), "29000: 000000001000 to 000000029999", "it has all members");
    is(update_group(*store, tenant, group(90000, 1, 10)), "1 updated, 0 unchanged",
       "an update with few members is one step");
    is(members_of(*store, tenant), "10: 000000000001 to 000000000010", "it has these ten");
    is(problems(*store), 0u, "verify finds no problem in the group");
}

}  // namespace

int main() {
    check_updated_group();
    check_managers();
    check_deleted_group();
    check_continued();
    check_two_at_once();
    check_new_catalog();
    check_sessions();
    check_refusals();
    return tap::done();
}
