// Tests that the last refusals_per_tenant refused writes of each tenant are kept and listed newest
// first.

#include "fixture.h"
#include "store/directory.h"

using namespace scim;
using namespace scim::store;

namespace {

using scim::store::Refusal;

Refusal refusal(TenantNumber tenant, int64_t time, std::string_view detail) {
    Refusal r;
    r.tenant = tenant;
    r.time = time;
    r.actor = 7;
    for (size_t i = 0; i < r.request.size(); i++) r.request[i] = uint8_t(i * 17 + 3);
    r.operation = "create";
    r.resource_type = "User";
    r.resource_id = "x";
    r.status = 409;
    r.scim_type = "uniqueness";
    r.error_id = "uniqueness-conflict";
    r.detail = detail;
    return r;
}

std::vector<Refusal> list(Env &env, TenantNumber tenant, size_t limit = SIZE_MAX) {
    Reader reader(env);
    ReadTxn txn(reader);
    return list_refusals(txn, tenant, limit);
}

template <class Change>
void write(Env &env, Change &&change) {
    WriteTxn txn(env);
    change(txn);
    if (txn.commit() != Errc::ok) diag("the commit failed");
}

void test_row(Env &env) {
    is(list(env, 1).size(), 0u, "a new store has no refusals");
    Refusal wanted = refusal(1, 1000, "said \"no\"");
    write(env, [&](auto &txn) { add_refusal(txn, wanted); });
    auto all = list(env, 1);
    is(all.size(), 1u, "a refusal is stored");
    ok(all[0].time == 1000 && all[0].actor == 7 && all[0].status == 409 && all[0].tenant == 1,
       "a stored refusal has its time, actor, status and tenant");
    ok(all[0].request == wanted.request, "a stored refusal has its request id");
    is(all[0].operation + " " + all[0].resource_type + " " + all[0].resource_id + " " +
           all[0].scim_type + " " + all[0].error_id + " " + all[0].detail,
       "create User x uniqueness uniqueness-conflict said \"no\"",
       "a stored refusal has its texts");
}

void test_order(Env &env) {
    write(env, [](auto &txn) {
        add_refusal(txn, refusal(1, 1000, "second of the moment"));
        add_refusal(txn, refusal(1, 900, "the clock went back"));
        add_refusal(txn, refusal(2, 2000, "another tenant"));
    });
    auto all = list(env, 1);
    is(all.size(), 3u, "two refusals of one moment are listed, those of another tenant are not");
    is(all[0].detail, "second of the moment",
       "of two refusals of one moment the later one is listed first");
    is(all[2].detail, "the clock went back", "a refusal with an earlier time is listed last");
    is(list(env, 1, 2).size(), 2u, "list_refusals returns at most as many as asked for");
    is(list(env, 3).size(), 0u, "a tenant without refusals has an empty list");
}

void test_ring(Env &env) {
    write(env, [](auto &txn) {
        for (uint64_t i = 0; i < refusals_per_tenant + 5; i++)
            add_refusal(txn, refusal(1, 5000 + int64_t(i), std::to_string(i)));
    });
    auto all = list(env, 1);
    is(all.size(), refusals_per_tenant, "a tenant keeps at most refusals_per_tenant refusals");
    is(all.front().detail, std::to_string(refusals_per_tenant + 4),
       "a full ring has the newest refusal");
    is(all.back().detail, "5", "a full ring has dropped the oldest refusals");
    is(list(env, 2).size(), 1u, "the refusals of another tenant are kept when a ring is full");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    test_row(store->env());
    test_order(store->env());
    test_ring(store->env());
    return tap::done();
}
