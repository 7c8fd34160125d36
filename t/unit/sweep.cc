// Tests that the dead rows of a group are deleted in steps that read each row of the group once,
// dead or live.

#include "client.h"
#include "store/members.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

int main() {
    fixture::TempDir dir;
    auto opened = fixture::open_store(dir.path);
    Client client(*opened);
    const Id group = *parse_id(client.create("/Groups", R"({"displayName":"g"})"));
    constexpr size_t living = 20000, dead = 5000, rows_a_step = 500;
    constexpr uint32_t dead_epoch = 1, living_epoch = 2;
    {
        store::WriteTxn txn(opened->env());
        for (size_t i = 0; i < living + dead; i++) {
            const bool is_dead = i % 5 == 4;
            txn.put(store::Db::members,
                    store::member_key(client.tenant(), group, make_id(int64_t(i), {1})),
                    store::encode_member({1, is_dead ? dead_epoch : living_epoch}));
        }
        store::ResourceEdit edit;
        edit.type = 2;
        edit.id = group;
        edit.record = "x";
        edit.position = 7;
        edit.members.dead_epoch = dead_epoch;
        store::apply_members(txn, client.tenant(), edit);
        ok(txn.commit() == store::Errc::ok,
           "a group of 20,000 live and 5,000 dead rows is written");
    }
    size_t steps = 0, all = 0, longest = 0;
    for (bool more = true; more && steps < 1000; steps++) {
        store::WriteTxn txn(opened->env());
        const store::SweepStep step = store::sweep(txn, rows_a_step);
        more = step.has_more;
        if (txn.commit() != store::Errc::ok) diag("the commit failed");
        all += step.read;
        longest = std::max(longest, step.read);
    }
    note(std::to_string(steps) + " steps, " + std::to_string(all) + " rows");
    ok(all <= living + dead + 2 * steps, "a sweep reads each row once");
    ok(longest <= rows_a_step * store::sweep_looks + 2,
       "a step of a sweep reads a bounded number of rows");
    store::Reader reader(opened->env());
    store::ReadTxn txn(reader);
    is(txn.entries(store::Db::members), living, "a sweep keeps the live rows");
    is(txn.entries(store::Db::jobs), 0u, "a finished sweep has no job left");
    return tap::done();
}
