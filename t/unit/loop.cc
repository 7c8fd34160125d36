// What takes long does not happen on the event loop: a search that would make the keys of long
// strings leaves them to a thread before the first one is made, and a key is made once for all terms
// of a filter; the rows of memberships count whether they are alive or not.

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

// The id of a user with this title.
std::string create(Client &client, const std::string &title) {
    static int users = 0;
    return client.create(
        "/Users", R"({"userName":"u)" + std::to_string(++users) + R"(","title":")" + title + "\"}");
}

std::string search(Client &client, const std::string &body,
                   Patience patience = Patience::event_loop) {
    Response response;
    return client.ask(client.request(Method::post, "/Users/.search", body), response, patience);
}

std::string search_body(const std::string &member) {
    return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"count":0,)" +
           member + "}";
}

// Of one user, whether its title has one of so many parts.
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
        const char *said, *name;
    } cases[] = {
        {repeated("é", 20), 100, "answered", "a short title and many terms"},
        {repeated("é", 7000), 1, "answered", "14 KB to fold"},
        {repeated("é", 8200), 1, "deferred", "16 KB"},
        {repeated("é", 32000), 1, "deferred", "64 KB"},
        {repeated("é", 32000), 120, "deferred", "64 KB for many terms"},
        {repeated("a", 64000), 1, "answered", "64 KB of ASCII"},
        {repeated("a", 64000), 20, "deferred", "64 KB of ASCII for many terms"},
        {repeated("a", 20000) + "\\n", 1, "answered", "20 KB with an escape"},
        {repeated("a\\n", 20000), 16, "deferred", "escapes for many terms"},
    };
    for (const auto &[title, terms, said, name] : cases) {
        const std::string body = one_user(create(client, title), terms);
        is(search(client, body), said, name);
        is(search(client, body, Patience::thread), "answered", "a thread has time");
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
    is(search(client, filtered), "answered", "a scan of titles that are not long");
    is(search(client, sorted("title")), "answered", "and their order");
    for (int i = 0; i < 20; i++) create(client, repeated("é", 400));
    is(search(client, filtered), "deferred", "of titles that are long together");
    is(search(client, sorted("title")), "deferred", "and their order");
    is(search(client, sorted("userName")), "answered", "what is not looked at takes no time");
    is(search(client, sorted("groups.display")), "deferred", "names of groups may be long");
}

void test_bodies(Client &client) {
    auto padded = [](size_t size) {
        std::string body = search_body("\"startIndex\":1");
        return body + std::string(size - body.size(), ' ');
    };
    is(search(client, padded(16 * 1024)), "answered", "a search of 16 KiB");
    is(search(client, padded(16 * 1024 + 1)), "deferred", "a byte more");
}

std::string get(Client &client, const std::string &path, std::string_view args = {},
                Patience patience = Patience::event_loop) {
    Response response;
    return client.ask(client.request(Method::get, path, args), response, patience);
}

// A user with so many KB of text.
std::string large_user(const std::string &name, size_t kilobytes) {
    std::string emails;
    for (size_t i = 0; i < (kilobytes + 59) / 60; i++)
        emails += (i > 0 ? R"(,{"value":")" : R"({"value":")") + std::to_string(i) +
                  R"(","display":")" + std::string(60000, 'x') + "\"}";
    return R"({"userName":")" + name + R"(","emails":[)" + emails + "]}";
}

// Its checksum, too, takes a while: it has none that is right, and only a thread finds out.
void test_records(Store &store, Client &client) {
    const std::string small = "/Users/" + create(client, "t"),
                      large = client.create("/Users", large_user("large", 12000));
    is(get(client, small), "answered", "a small record");
    fixture::damage(store, client, large);
    const std::string damaged = "the directory cannot be read now: the store is damaged";
    for (const char *args : {"", "attributes=userName"}) {
        is(get(client, "/Users/" + large, args), "deferred", "a large one is not looked at");
        is(get(client, "/Users/" + large, args, Patience::thread), damaged, "by the loop");
    }
    for (const char *filter : {"", "+and+title+pr", "+and+active+eq+true"}) {
        std::string args = "filter=userName+eq+%22large%22" + std::string(filter);
        is(get(client, "/Users", args), "deferred", "nor one that a query finds");
        is(get(client, "/Users", args, Patience::thread), damaged, "but by a thread");
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
    is(managed(4), "answered", "a few users whose manager is large");
    is(managed(16), "deferred", "more of them: he is looked at for each");
}

// Rows of a group, or of a member, and of others that need not exist. Those of a group are dead
// unless they have its epoch.
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
    ok(txn.commit() == store::Errc::ok, std::to_string(count) + " rows");
}

std::string group_of(Store &store, Client &client, size_t rows, bool are_alive) {
    static int groups = 0;
    std::string id =
        client.create("/Groups", R"({"displayName":"g)" + std::to_string(++groups) + "\"}");
    put_rows(store, client, id, rows, are_alive ? 1 : 2);
    return id;
}

std::string in_group(const std::string &id) { return "groups.value+eq+%22" + id + "%22"; }

// Some terms that say the same.
std::string any_of(const std::string &term, size_t terms = 1) {
    return "count=0&filter=" + term + repeated("+or+" + term, terms - 1);
}

// A row is looked at whether it is alive or not.
void test_rows(Store &store, Client &client) {
    for (bool are_alive : {true, false}) {
        const std::string name = are_alive ? "living rows" : "dead rows";
        const std::string few = in_group(group_of(store, client, 100, are_alive)),
                          many = in_group(group_of(store, client, 5000, are_alive));
        is(get(client, "/Users", any_of(few)), "answered", "a few " + name);
        is(get(client, "/Users", any_of(few, 20)), "answered", "of some terms");
        is(get(client, "/Users", any_of(few, 50)), "deferred", "of too many");
        is(get(client, "/Users", any_of(many)), "deferred", "many " + name);
    }
    auto of_member = [&](size_t rows) {
        const std::string id = create(client, "t");
        put_rows(store, client, id, rows, {});
        return "members.value+eq+%22" + id + "%22";
    };
    const std::string few = of_member(100), many = of_member(5000);
    is(get(client, "/Groups", any_of(few)), "answered", "a few dead rows of a member");
    is(get(client, "/Groups", any_of(few, 50)), "deferred", "of too many terms");
    is(get(client, "/Groups", any_of(many)), "deferred", "many dead rows of a member");
}

// Which of two conditions has fewer rows is known after both are counted.
void test_counting(Store &store, Client &client) {
    const std::string both = "(" + in_group(group_of(store, client, 5000, true)) + "+and+" +
                             in_group(group_of(store, client, 1, true)) + ")";
    is(get(client, "/Users", any_of(both)), "answered", "4,000 rows are counted");
    is(get(client, "/Users", any_of(both, 20)), "deferred", "not for each of many terms");
    is(get(client, "/Users", any_of(both, 20), Patience::thread), "answered", "but by a thread");
}

// One record, but many rows: a thread that walks them for each term sees that its time is over.
void test_deadline(Store &store, Client &client) {
    for (bool are_alive : {true, false}) {
        const std::string id = group_of(store, client, 20000, are_alive);
        const std::string args = any_of("members.type+co+%22q%22", 10);
        auto asked = [&](bool has_ended, bool is_gone) {
            std::atomic<bool> gone{is_gone};
            Request request = client.request(Method::get, "/Groups", args);
            request.cancelled = &gone;
            if (has_ended) request.deadline = std::chrono::steady_clock::now();
            Response response;
            return client.ask(request, response);
        };
        is(asked(false, false), "answered", "a thread with time");
        is(asked(true, false).find("the search took too long"), 0u, "one without");
        is(asked(false, true), "the client is gone", "one that nobody waits for");
    }
}

double cpu_time() {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

// The best of some attempts, in seconds.
double time_of(const Filter &filter, const FilterSubject &subject) {
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        double start = cpu_time();
        if (filter.matches(subject)) return -1;
        best = std::min(best, cpu_time() - start);
    }
    return best;
}

// A key that was made again for each of 100 terms would take 100 times as long.
void test_once(const std::string &title, const char *name) {
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
    test_once(repeated("é", 32000), "a key is made once");
    test_once(repeated("é", 16000) + "\\n" + repeated("é", 16000), "also of a text with an escape");
    return tap::done();
}
