// Tests that requests that take long are deferred from the event loop to a thread: a search defers
// before it makes the matching keys of long strings, a key is made once for all terms of a filter,
// and rows of memberships count whether they are live or dead.

#include <ctime>

#include "client.h"
#include "filter_fixture.h"
#include "store/members.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

std::string repeated(std::string_view text, size_t times) {
    std::string out;
    for (size_t i = 0; i < times; i++) out += text;
    return out;
}

// Creates a user with this title and returns its id.
std::string create(Client &client, const std::string &title) {
    static int users = 0;
    return client.create(
        "/Users", R"({"userName":"u)" + std::to_string(++users) + R"(","title":")" + title + "\"}");
}

std::string search(Client &client, const std::string &body, RunOn run_on = RunOn::event_loop) {
    Response response;
    return client.ask(client.request(Method::post, "/Users/.search", body), response, run_on);
}

std::string search_body(const std::string &member) {
    return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"count":0,)" +
           member + "}";
}

// Returns a search for one user, with `terms` conditions on its title.
std::string one_user(const std::string &id, size_t terms) {
    std::string filter = R"("filter":"id eq \")" + id + R"(\" and ()";
    for (size_t i = 0; i < terms; i++)
        filter += (i > 0 ? " or title co \\\"x" : "title co \\\"x") + std::to_string(i) + "\\\"";
    return search_body(filter + ")\"");
}

void test_titles(Client &client) {
    struct {
        std::string title;
        size_t terms;
        const char *outcome, *name;
    } cases[] = {
        {repeated("é", 20), 100, "answered", "100 terms on a title of 40 bytes"},
        {repeated("é", 7000), 1, "answered", "a term on a title of 14 KB that is not ASCII"},
        {repeated("é", 8200), 1, "deferred", "a term on a title of 16 KB that is not ASCII"},
        {repeated("é", 32000), 1, "deferred", "a term on a title of 64 KB that is not ASCII"},
        {repeated("é", 32000), 120, "deferred", "120 terms on a title of 64 KB that is not ASCII"},
        {repeated("a", 64000), 1, "answered", "a term on a title of 64 KB of ASCII"},
        {repeated("a", 64000), 20, "deferred", "20 terms on a title of 64 KB of ASCII"},
        {repeated("a", 20000) + "\\n", 1, "answered", "a term on a title of 20 KB with an escape"},
        {repeated("a\\n", 20000), 16, "deferred",
         "16 terms on a title of 40 KB with 20,000 escapes"},
    };
    for (const auto &[title, terms, outcome, name] : cases) {
        const std::string body = one_user(create(client, title), terms);
        is(search(client, body), outcome,
           std::string(name) + " is " + outcome + " on the event loop");
        is(search(client, body, RunOn::thread), "answered",
           std::string(name) + " is answered by a thread");
    }
}

void test_scans(Client &client) {
    auto sorted = [](const char *by) {
        return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"count":1,)"
               R"("attributes":["id"],"sortBy":")" +
               std::string(by) + "\"}";
    };
    const std::string filtered = search_body(R"("filter":"title sw \"x\"")");
    for (int i = 0; i < 20; i++) create(client, repeated("é", 200));
    is(search(client, filtered), "answered",
       "a filter scan of 20 short titles is answered on the event loop");
    is(search(client, sorted("title")), "answered",
       "sorting by 20 short titles is answered on the event loop");
    for (int i = 0; i < 20; i++) create(client, repeated("é", 400));
    is(search(client, filtered), "deferred", "a filter scan of 20 more long titles is deferred");
    is(search(client, sorted("title")), "deferred", "sorting by long titles is deferred");
    is(search(client, sorted("userName")), "answered",
       "sorting by userName does not count the titles");
    is(search(client, sorted("groups.display")), "deferred",
       "sorting by groups.display is deferred");
}

void test_bodies(Client &client) {
    auto padded = [](size_t size) {
        std::string body = search_body("\"startIndex\":1");
        return body + std::string(size - body.size(), ' ');
    };
    is(search(client, padded(16 * 1024)), "answered",
       "a search body of 16 KiB is answered on the event loop");
    is(search(client, padded(16 * 1024 + 1)), "deferred",
       "a search body of 16 KiB and a byte is deferred");
}

std::string get(Client &client, const std::string &path, std::string_view args = {},
                RunOn run_on = RunOn::event_loop) {
    Response response;
    return client.ask(client.request(Method::get, path, args), response, run_on);
}

// Returns a User body with this many KB of text.
std::string large_user(const std::string &name, size_t kilobytes) {
    std::string emails;
    for (size_t i = 0; i < (kilobytes + 59) / 60; i++)
        emails += (i > 0 ? R"(,{"value":")" : R"({"value":")") + std::to_string(i) +
                  R"(","display":")" + std::string(60000, 'x') + "\"}";
    return R"({"userName":")" + name + R"(","emails":[)" + emails + "]}";
}

// Verifying the checksum of a large record takes long, so the event loop does not read the record:
// only a thread reports that it is damaged.
void test_records(Store &store, Client &client) {
    const std::string small = "/Users/" + create(client, "t"),
                      large = client.create("/Users", large_user("large", 12000));
    is(get(client, small), "answered", "GET of a small record is answered on the event loop");
    fixture::damage(store, client, large);
    const std::string damaged = "the directory cannot be read now: the store is damaged";
    for (const char *args : {"", "attributes=userName"}) {
        const std::string name = "GET of a large damaged record with '" + std::string(args) + "'";
        is(get(client, "/Users/" + large, args), "deferred", name + " is deferred");
        is(get(client, "/Users/" + large, args, RunOn::thread), damaged,
           name + " is refused by a thread");
    }
    for (const char *filter : {"", "+and+title+pr", "+and+active+eq+true"}) {
        std::string args = "filter=userName+eq+%22large%22" + std::string(filter);
        const std::string name = "a query for a large damaged record with '" + args + "'";
        is(get(client, "/Users", args), "deferred", name + " is deferred");
        is(get(client, "/Users", args, RunOn::thread), damaged, name + " is refused by a thread");
    }
}

void test_managers(Client &client) {
    const std::string enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    const std::string manager = client.create("/Users", large_user("manager", 1000));
    for (int i = 0; i < 16; i++)
        client.create("/Users", R"({"userName":"managed)" + std::to_string(i) + R"(",")" +
                                    enterprise + R"(":{"manager":{"value":")" + manager + "\"}}}");
    auto managed = [&](int count) {
        return get(client, "/Users",
                   "filter=userName+sw+%22managed%22&count=" + std::to_string(count));
    };
    is(managed(4), "answered",
       "a page of 4 users with a manager of 1 MB is answered on the event loop");
    is(managed(16), "deferred",
       "a page of 16 users with a manager of 1 MB is deferred, as the manager is read for each");
}

// Writes `count` membership rows: of the group `id` if `group_epoch` is given, else of the member
// `id`. The other ids do not exist. Rows of a group whose epoch differs from the group's are dead.
void put_rows(Store &store, const Client &client, const std::string &id, size_t count,
              std::optional<uint32_t> group_epoch) {
    static uint8_t made = 0;
    made++;
    store::WriteTxn txn(store.env());
    std::string epoch;
    store::append_le(epoch, 1, 4);
    for (size_t i = 0; i < count; i++) {
        Id other = make_id(int64_t(i), {made});
        auto key = store::member_key(client.tenant(), *parse_id(id), other);
        if (group_epoch)
            txn.put(store::Db::members, key, store::encode_member({1, *group_epoch}));
        else
            txn.put(store::Db::memberships, key, epoch);
    }
    ok(txn.commit() == store::Errc::ok, std::to_string(count) + " membership rows are written");
}

std::string group_of(Store &store, Client &client, size_t rows, bool are_live) {
    static int groups = 0;
    std::string id =
        client.create("/Groups", R"({"displayName":"g)" + std::to_string(++groups) + "\"}");
    put_rows(store, client, id, rows, are_live ? 1 : 2);
    return id;
}

std::string in_group(const std::string &id) { return "groups.value+eq+%22" + id + "%22"; }

// Returns a query of equal terms, joined by or.
std::string any_of(const std::string &term, size_t terms = 1) {
    return "count=0&filter=" + term + repeated("+or+" + term, terms - 1);
}

// Live and dead rows count alike.
void test_rows(Store &store, Client &client) {
    for (bool are_live : {true, false}) {
        const std::string name = are_live ? "live group rows" : "dead group rows";
        const std::string few = in_group(group_of(store, client, 100, are_live)),
                          many = in_group(group_of(store, client, 5000, are_live));
        is(get(client, "/Users", any_of(few)), "answered",
           "a term on 100 " + name + " is answered on the event loop");
        is(get(client, "/Users", any_of(few, 20)), "answered",
           "20 terms on 100 " + name + " are answered on the event loop");
        is(get(client, "/Users", any_of(few, 50)), "deferred",
           "50 terms on 100 " + name + " are deferred");
        is(get(client, "/Users", any_of(many)), "deferred",
           "a term on 5,000 " + name + " is deferred");
    }
    auto of_member = [&](size_t rows) {
        const std::string id = create(client, "t");
        put_rows(store, client, id, rows, {});
        return "members.value+eq+%22" + id + "%22";
    };
    const std::string few = of_member(100), many = of_member(5000);
    is(get(client, "/Groups", any_of(few)), "answered",
       "a term on 100 dead member rows is answered on the event loop");
    is(get(client, "/Groups", any_of(few, 50)), "deferred",
       "50 terms on 100 dead member rows are deferred");
    is(get(client, "/Groups", any_of(many)), "deferred",
       "a term on 5,000 dead member rows is deferred");
}

// To choose the condition with fewer rows, the rows of both are counted, up to 4,000.
void test_counting(Store &store, Client &client) {
    const std::string both = "(" + in_group(group_of(store, client, 5000, true)) + "+and+" +
                             in_group(group_of(store, client, 1, true)) + ")";
    is(get(client, "/Users", any_of(both)), "answered",
       "counting 4,000 rows for one condition is answered on the event loop");
    is(get(client, "/Users", any_of(both, 20)), "deferred",
       "counting 4,000 rows for each of 20 conditions is deferred");
    is(get(client, "/Users", any_of(both, 20), RunOn::thread), "answered",
       "counting 4,000 rows for each of 20 conditions is answered by a thread");
}

// One record with many rows: a thread that walks the rows for each term checks its deadline and
// whether the client is still connected.
void test_deadline(Store &store, Client &client) {
    for (bool are_live : {true, false}) {
        const std::string id = group_of(store, client, 20000, are_live);
        const std::string rows = are_live ? "20,000 live rows" : "20,000 dead rows";
        const std::string args = any_of("members.type+co+%22q%22", 10);
        auto asked = [&](bool has_ended, bool is_gone) {
            std::atomic<bool> gone{is_gone};
            Request request = client.request(Method::get, "/Groups", args);
            request.read_end.cancelled = &gone;
            if (has_ended) request.read_end.deadline = std::chrono::steady_clock::now();
            Response response;
            return client.ask(request, response);
        };
        is(asked(false, false), "answered",
           "a walk of " + rows + " before its deadline is answered");
        is(asked(true, false).find("the search took too long"), 0u,
           "a walk of " + rows + " after its deadline is refused");
        is(asked(false, true), "the client is gone",
           "a walk of " + rows + " ends when the client disconnects");
    }
}

double cpu_time() {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

// Returns the shortest time of 5 attempts in seconds, or -1 if the filter matches.
double time_of(const Filter &filter, const FilterSubject &subject) {
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        double start = cpu_time();
        if (filter.matches(subject)) return -1;
        best = std::min(best, cpu_time() - start);
    }
    return best;
}

// If the key were made for each of 100 terms, the filter would take 100 times as long as one term.
void test_key_cache(const std::string &title, const char *name) {
    fixture::User user(R"({"userName":"u","title":")" + title + "\"}");
    std::string many = "title co \"x0\"";
    for (int i = 1; i < 100; i++) many += " or title co \"x" + std::to_string(i) + "\"";
    double one = time_of(fixture::must(fixture::parse("title co \"x0\"")), user.subject);
    double all = time_of(fixture::must(fixture::parse(many)), user.subject);
    note(std::to_string(one * 1e3) + " ms, with 100 terms " + std::to_string(all * 1e3) + " ms");
    ok(one > 0 && all > 0 && all < 30 * one, name);
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(64) << 20);
    {
        Client client(*store);
        test_bodies(client);
        test_scans(client);
    }
    fixture::TempDir other;
    auto titles = fixture::open_store(other.path, size_t(64) << 20);
    Client client(*titles);
    test_records(*titles, client);
    test_managers(client);
    test_rows(*titles, client);
    test_counting(*titles, client);
    test_deadline(*titles, client);
    test_titles(client);
    test_key_cache(repeated("é", 32000), "the key of a long title is made once for 100 terms");
    test_key_cache(repeated("é", 16000) + "\\n" + repeated("é", 16000),
                   "the key of a long title with an escape is made once for 100 terms");
    return tap::done();
}
