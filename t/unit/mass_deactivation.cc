// Tests the count of users that lost their access within an hour, and the warning that it leads to.

#include "service/mass_deactivation.h"

#include "client.h"
#include "store/lockouts.h"
#include "store/verify.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

constexpr int64_t minute = 60000, hour = 60 * minute;

std::string user(int n, bool active = true) {
    return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u)" +
           std::to_string(n) + R"(","active":)" + (active ? "true}" : "false}");
}

void test_window() {
    store::Lockouts lockouts;
    const int64_t start = 1000 * hour;
    for (int i = 0; i < 60; i++) lockouts.add(start + i * minute, i % 2 == 0);
    is(lockouts.sum().deactivated + lockouts.sum().deleted, 60u,
       "all users of an hour are counted");
    is(lockouts.sum().deleted, 30u, "deleted users are counted apart");
    lockouts.add(start + 60 * minute, false);
    is(lockouts.sum().deactivated + lockouts.sum().deleted, 56u,
       "the count of 5 minutes ends after an hour");
    lockouts.add(start - hour, false);
    is(lockouts.sum().deactivated + lockouts.sum().deleted, 57u,
       "a time before the last one counts with the last one");
    lockouts.add(start + 100 * hour, true);
    is(lockouts.sum().deactivated + lockouts.sum().deleted, 1u, "counts of past hours are dropped");
}

struct Tenant {
    explicit Tenant(int users) : store(fixture::open_store(dir.path)), client(*store) {
        client.now = 1000 * hour;
        for (int i = 0; i < users; i++) ids.push_back(client.create("/Users", user(i)));
    }
    void deactivate(int n) { client.send(Method::put, "/Users/" + ids[size_t(n)], user(n, false)); }
    void activate(int n) { client.send(Method::put, "/Users/" + ids[size_t(n)], user(n)); }
    void remove(int n) { client.send(Method::del, "/Users/" + ids[size_t(n)]); }
    std::string alarm() {
        auto alarms = client.writer().take_alarms();
        return alarms.empty() ? "" : alarms.size() == 1 ? alarms[0] : "several";
    }

    fixture::TempDir dir;
    std::unique_ptr<Store> store;
    Client client;
    std::vector<std::string> ids;
};

void test_tenth() {
    Tenant t(110);
    for (int i = 0; i < 6; i++) t.deactivate(i);
    for (int i = 6; i < 11; i++) t.remove(i);
    is(t.alarm(), "", "a tenth of the users is not yet worth a warning");
    t.remove(0);
    t.deactivate(1);
    is(t.alarm(), "", "an inactive user that is deleted or deactivated again does not count");
    t.client.create("/Users", user(200, false));
    t.deactivate(11);
    is(t.alarm(),
       "12 of 110 users of tenant \"one\" were deactivated or deleted within an hour; if that is "
       "not intended, stop the provisioning and check the assignments and the scope in the "
       "identity provider; \"scimctl log --tenant one\" lists the changes",
       "more than a tenth of the users within an hour causes a warning");
    t.deactivate(12);
    is(t.alarm(), "", "there is one warning an hour");
    t.client.now += 61 * minute;
    t.deactivate(13);
    is(t.alarm(), "", "users of an earlier hour do not count");
    for (int i = 14; i < 25; i++) t.deactivate(i);
    ok(t.alarm().find("11 of 105 users") == 0, "the next hour has a warning of its own");
}

void test_few() {
    Tenant t(12);
    for (int i = 0; i < 9; i++) t.deactivate(i);
    is(t.alarm(), "", "nine users are not worth a warning, however few users there are");
    t.deactivate(9);
    ok(t.alarm().find("10 of 12 users") == 0, "ten of twelve users cause a warning");
}

void test_groups_and_reactivation() {
    Tenant t(12);
    for (int i = 0; i < 12; i++) {
        const std::string id = t.client.create(
            "/Groups",
            R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g"})");
        t.client.send(Method::del, "/Groups/" + id);
    }
    is(t.alarm(), "", "deleted groups do not count");
    store::Reader reader(t.store->env());
    {
        store::ReadTxn txn(reader);
        store::Bytes row;
        ok(!txn.get(store::Db::meta, store::lockouts_key(t.client.tenant()), row),
           "writes that lock nobody out do not write the count");
    }
    t.deactivate(0);
    t.activate(0);
    store::ReadTxn txn(reader);
    is(store::lockouts_of(txn, t.client.tenant()).sum().deactivated, 1u,
       "a user that was deactivated and is active again counts");
    is(store::verify(txn).problem_count, 0u, "verify finds no problem with a count");
}

}  // namespace

int main() {
    test_window();
    test_tenth();
    test_few();
    test_groups_and_reactivation();
    return tap::done();
}
