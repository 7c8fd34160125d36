// Tests that verify() reports each kind of damage to the rows of members and memberships, and no
// problem while the dead rows of a cleared group are deleted.

#include "verify_fixture.h"

namespace {

void test_members(Env &env) {
    const std::string row =
        "tenant 2 group " + to_string(id_of(50)) + " member " + to_string(id_of(1)) + ": ";
    const Key member = member_key(2, id_of(50), id_of(1)),
              membership = member_key(2, id_of(1), id_of(50)),
              position = member_key(2, id_of(1), Id{});
    damage(env, "a row of members without its counterpart in memberships",
           {"members: " + row + "the row has no counterpart in memberships"},
           [=](WriteTxn &txn) { txn.del(Db::memberships, membership); });
    damage(env, "a row of memberships without its counterpart in members",
           {"memberships: " + row + "the row has no counterpart in members"},
           [=](WriteTxn &txn) { txn.del(Db::members, member); });
    damage(env, "a row of members that cannot be read",
           {"members: " + row + "the row cannot be read"},
           [=](WriteTxn &txn) { txn.put(Db::members, member, "x"); });
    damage(env, "a row of memberships with another epoch than its counterpart",
           {"members: " + row + "its counterpart in memberships has another epoch"},
           [=](WriteTxn &txn) { txn.put(Db::memberships, membership, number(2, 4)); });
    auto put_epoch = [=](WriteTxn &txn, uint32_t epoch) {
        txn.put(Db::members, member, encode_member({1, epoch}));
        txn.put(Db::memberships, membership, number(epoch, 4));
    };
    damage(env, "a row of members with an epoch after the group's",
           {"members: " + row + "its epoch is later than the group's"},
           [=](WriteTxn &txn) { put_epoch(txn, 2); });
    damage(env, "a dead row of members without a job",
           {"members: " + row + "the row is dead, but there is no job to delete it"},
           [=](WriteTxn &txn) { put_epoch(txn, 0); });
    damage(env, "a member that does not exist", {"there is no such User"}, [=](WriteTxn &txn) {
        const Id nobody = id_of(99);
        txn.del(Db::members, member);
        txn.del(Db::memberships, membership);
        txn.del(Db::memberships, position);
        MemberChange change{{{nobody, 1}}, {}, 1, 0};
        put_group(txn, 2, 50, change, false);
    });
    damage(env, "a member without the position of its last change",
           {"members: " + row + "the position of the member's last change"},
           [=](WriteTxn &txn) { txn.del(Db::memberships, position); });
    damage(env, "a member's last change after the tenant's position",
           {"memberships: tenant 2 member " + to_string(id_of(1)) +
            ": the position of its last change is not between 1 and"},
           [=](WriteTxn &txn) { txn.put(Db::memberships, position, number(3, 8)); });
    damage(env, "a job that cannot be read", {"jobs: 0178: the row cannot be read"},
           [](WriteTxn &txn) { txn.put(Db::jobs, "\1x", "x"); });
}

// Rows of a cleared group are deleted by sweep(), and those of its new members are kept.
void test_sweep(Env &env) {
    {
        WriteTxn txn(env);
        put_group(txn, 2, 50, {{}, {}, 2, 1}, false);
        put_group(txn, 2, 50, {{{id_of(1), 1}}, {}, 2, 0}, false);
        put_group(txn, 2, 51, {{{id_of(1), 1}, {id_of(50), 2}}, {}, 1, 0});
        put_group(txn, 2, 51, {{}, {}, 2, 1}, false);
        ok(txn.commit() == Errc::ok, "two groups are cleared and one gets a new member");
    }
    sound(env, "verify finds no problem with dead rows that have a job");
    Reader reader(env);
    {
        ReadTxn txn(reader);
        Directory directory(txn, 2);
        Members members(directory);
        ok(members.contains(id_of(50), 2, id_of(1)), "a new member of a cleared group is a member");
        ok(!members.contains(id_of(51), 2, id_of(1)),
           "a member of a cleared group is not a member");
        is(members.rows(id_of(51), 10), 2u, "a cleared group has its dead rows before the sweep");
        is(members.position(id_of(50)), 6u, "the position of a cleared group is that of its job");
        ok(has_dead_rows(txn), "has_dead_rows() is true before the sweep");
    }
    int steps = 0;
    for (bool more = true; more && steps < 10; steps++) {
        WriteTxn txn(env);
        more = sweep(txn, 1).has_more;
        ok(txn.commit() == Errc::ok, "a step of the sweep is committed");
    }
    sound(env, "verify finds no problem after the sweep");
    ReadTxn txn(reader);
    Directory directory(txn, 2);
    Members members(directory);
    ok(!has_dead_rows(txn), "has_dead_rows() is false after the sweep");
    is(txn.entries(Db::members), 1u, "the sweep keeps only the live row");
    ok(members.contains(id_of(50), 2, id_of(1)), "the new member is a member after the sweep");
    is(members.position(id_of(50)), 6u, "the position of a cleared group is kept after the sweep");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(64) << 20, {*load_definition(extension)});
    Env &env = store->env();
    fixture::add_tenant(env, "acme");
    const TenantNumber other = fixture::add_tenant(env, "other").number;
    {
        WriteTxn txn(env);
        put_user(txn, other, 1, "Ada");
        put_group(txn, other, 50, {{{id_of(1), 1}}, {}, 1, 0});
        ok(txn.commit() == Errc::ok, "a group of one user is written");
    }
    sound(env, "verify finds no problem with a group of one user");
    test_members(env);
    test_sweep(env);
    return tap::done();
}
