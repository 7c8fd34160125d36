// Tests which sessions the gate refuses, and what changes a user's not-before.

#include "service/gate_session.h"

#include "client.h"
#include "service/block_user.h"
#include "service/gate_decision.h"
#include "store/verify.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

constexpr int64_t second = 1000;

std::string fault(std::string_view value, bool optional = false, int64_t not_before = 5000 * second,
                  int64_t now = 9000 * second) {
    switch (check_session(value, optional, not_before, now)) {
        case SessionFault::none: return "none";
        case SessionFault::missing: return "missing";
        case SessionFault::malformed: return "malformed";
        case SessionFault::in_future: return "in_future";
        case SessionFault::revoked: return "revoked";
    }
    return "?";
}

void test_check() {
    is(fault("6000"), "none", "a session after not-before is valid");
    is(fault("4999"), "revoked", "a session before not-before is refused");
    is(fault("5000"), "revoked", "a session of the second of not-before is refused");
    is(fault("5000", false, 5000 * second + 999), "revoked",
       "whatever the milliseconds of not-before are");
    is(fault("5001"), "none", "a session of the next second is valid");
    is(fault("5000.999"), "revoked", "the fraction of a session is ignored");
    is(fault("5001.000"), "none", "a session with a fraction is valid");
    is(fault(""), "missing", "an empty value is refused");
    is(fault("", true), "none", "unless it is optional");
    is(fault("4999", true), "revoked", "an optional session is refused if it is before not-before");
    is(fault("9300"), "none", "a session 300 seconds in the future is valid");
    is(fault("9301"), "in_future", "a session 301 seconds in the future is refused");
    is(fault("999999999999"), "in_future", "12 digits are a time");
    is(fault("0999999999999"), "malformed", "13 digits are not a number");
    is(fault("6000." + std::string(19, '1')), "none", "a fraction has up to 19 digits");
    is(fault("6000." + std::string(20, '1')), "malformed", "a longer fraction is refused");
    for (const char *text : {"x", " 6000", "6000 ", "+6000", "-6000", "6000.", ".5", "6e3", "0x10",
                             "6000,5", "6.0.0", "2026-11-27T00:00:00Z", "6000\xd9\xa1"})
        is(fault(text, true), "malformed", std::string("\"") + text + "\" is not a number");
    is(fault(std::string("60\0", 3)), "malformed", "a zero byte is not a digit");
}

std::string patch(const char *path, const std::string &json) {
    return R"({"Operations":[{"op":"replace","path":")" + std::string(path) + R"(","value":)" +
           json + "}]}";
}

class World {
  public:
    std::string user(const std::string &name, const std::string &more = R"(,"active":true)") {
        return client.create("/Users", R"({"userName":")" + name + "\"" + more + "}");
    }
    void set_active(const std::string &id, bool active) {
        client.send(Method::patch, "/Users/" + id, patch("active", active ? "true" : "false"));
    }
    void rename(const std::string &id, const std::string &name) {
        client.send(Method::patch, "/Users/" + id, patch("userName", "\"" + name + "\""));
    }
    void remove(const std::string &id) { client.send(Method::del, "/Users/" + id); }
    int64_t not_before(std::string_view name) {
        Snapshot snapshot(session);
        return gate.find(snapshot, {"one", "userName", name}).not_before;
    }
    int64_t revoke(const std::string &name) {
        store::WriteTxn txn(store->env());
        CatalogCache cache;
        store::Tenant tenant;
        tenant.number = client.tenant();
        tenant.name = "one";
        auto result = revoke_sessions(txn, **cache.at(txn), tenant, name, client.now);
        if (!result || txn.commit() != store::Errc::ok) diag("revoke failed");
        return result ? result->not_before : 0;
    }
    bool is_sound() {
        store::WriteTxn txn(store->env());
        auto report = store::verify(txn);
        for (const auto &problem : report.problems) diag(problem.key + ": " + problem.text);
        return report.problem_count == 0;
    }

    fixture::TempDir dir;
    std::unique_ptr<Store> store = fixture::open_store(dir.path);
    Client client{*store};
    Session session{*store};
    Gate gate;
};

void test_not_before() {
    World w;
    const std::string ada = w.user("ada", R"(,"active":true,"externalId":"e1")");
    const int64_t start = w.client.now;
    is(w.not_before("ada"), start, "not-before of a new user is its creation");
    w.client.now += 10 * second;
    w.client.send(Method::patch, "/Users/" + ada, patch("title", "\"Countess\""));
    is(w.not_before("ada"), start, "a change of another attribute does not change it");
    w.set_active(ada, false);
    const int64_t deactivated = w.client.now;
    is(w.not_before("ada"), deactivated, "a deactivation does");
    w.client.now += 10 * second;
    w.set_active(ada, true);
    is(w.not_before("ada"), deactivated, "a reactivation does not");
    w.set_active(ada, true);
    is(w.not_before("ada"), deactivated, "nor does true in place of true");
    w.client.now += 10 * second;
    is(w.revoke("ada"), w.client.now, "revoke returns the new not-before");
    is(w.not_before("ada"), w.client.now, "revoke changes it");
    ok(w.is_sound(), "verify finds no problem");

    // Tombstones
    const int64_t revoked = w.client.now;
    w.client.now += 10 * second;
    const std::string bob = w.user("bob");
    w.revoke("bob");
    w.client.now += 10 * second;
    w.remove(ada);
    ok(w.is_sound(), "verify finds no problem with a tombstone");
    const std::string eve = w.user("eve");
    w.client.now += 10 * second;
    w.user("ada");
    is(w.not_before("ada"), w.client.now, "not-before of a user created again is its creation");
    ok(revoked < w.not_before("ada"), "which is later than that of the deleted user");
    w.remove(bob);
    w.client.now += 10 * second;
    w.rename(eve, "bob");
    ok(w.not_before("bob") >= revoked + 10 * second,
       "a user renamed to a deleted one is not older");
    ok(w.is_sound(), "verify finds no problem after the inheritance");
}

// A user that is older than the tombstone inherits its time.
void test_inherited() {
    World w;
    const std::string old = w.user("old");
    const std::string ada = w.user("ada", R"(,"active":true,"externalId":"e1")");
    w.client.now += 10 * second;
    w.set_active(ada, false);
    w.client.now += 10 * second;
    w.remove(ada);
    const int64_t deleted = w.client.now;
    w.client.now += 10 * second;
    w.rename(old, "ADA");
    is(w.not_before("ada"), deleted, "a user that gets the userName inherits not-before");
    const std::string other = w.user("other");
    w.client.send(Method::patch, "/Users/" + other, patch("externalId", "\"e1\""));
    ok(w.not_before("other") > deleted, "the later not-before counts");
    ok(w.is_sound(), "verify finds no problem");
}

void test_clock() {
    World w;
    const std::string ada = w.user("ada");
    w.client.now += 100 * second;
    w.client.send(Method::patch, "/Users/" + ada, patch("title", "\"x\""));
    const int64_t last = w.client.now;
    w.client.now -= 50 * second;
    w.set_active(ada, false);
    is(w.not_before("ada"), last, "with a clock set back, not-before is that of the last change");
    w.client.now -= 10 * second;
    is(w.revoke("ada"), last, "also for revoke");
    w.set_active(ada, true);
    is(fault(std::to_string(last / second), false, w.not_before("ada"), w.client.now), "revoked",
       "so a session that began before the step is refused");
}

}  // namespace

int main() {
    test_check();
    test_not_before();
    test_inherited();
    test_clock();
    return tap::done();
}
