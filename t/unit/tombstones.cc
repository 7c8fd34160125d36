// Tests what users leave under names that they do not have any more (store/access.h): who inherits it,
// which tombstones an unblock ends, and that both take bounded work.

#include "block_fixture.h"

using namespace scim;
using namespace scim::service;
using fixture::Directory;
using fixture::must;

namespace {

// An import keeps the times of its input, so that blocks of two users may have the same.
void test_equal_times() {
    Directory d;
    const std::string ada = d.create("ada", "e1"), bob = d.create("bob", "e2");
    d.set_state(ada, {5000, 0});
    d.set_state(bob, {5000, 0});
    d.remove(ada);
    d.remove(bob);
    auto lifted = d.unblock("ada");
    ok(lifted && lifted->tombstones == 3, "unblock ends the block of one of two deleted users");
    is(d.blocks(), 3u, "the block of the other one, which has the same time, stays");
    ok(d.is_blocked(d.create("bob")), "who gets the name of the other one is blocked");
    ok(d.unblock(bob) && d.blocks() == 1, "unblock finds the tombstones by the id");
    d.is_sound("verify finds no problem after blocks of the same time");
}

// A block that a user has inherited is its own: it does not end with the one that it came from.
void test_heirs_of_heirs() {
    Directory d;
    const std::string ada = d.create("ada"), bob = d.create("bob"), eve = d.create("eve");
    must(d.block("ada"));
    d.set(ada, "userName", "ada2");
    d.set(bob, "userName", "ada");
    ok(d.block("ada")->existed, "who has got the name of a blocked user is blocked already");
    d.set(bob, "userName", "bob2");
    must(d.unblock("ada2"));
    ok(!d.is_blocked(ada) && d.is_blocked(bob), "to unblock the first user leaves the second");
    d.set(eve, "userName", "ada");
    ok(d.is_blocked(eve), "what the second user has left under the name stays, too");
    must(d.unblock("ada"));
    ok(!d.is_blocked(eve) && d.is_blocked(bob), "to unblock the third user leaves the second");
    d.remove(eve);
    ok(!d.is_blocked(d.create("ada")), "who gets the name of an unblocked user is not blocked");
    d.is_sound("verify finds no problem with blocks that were inherited twice");
}

// A value that two blocked users have left is blocked although one of them is unblocked.
void test_several_leavers() {
    Directory d;
    const std::string ada = d.create("ada", "e"), bob = d.create("bob", "e");
    d.create("carl", "e");
    d.create("dan", "e");
    must(d.block("ada"));
    must(d.block("bob"));
    d.set(ada, "externalId", "a");
    d.set(bob, "externalId", "b");
    must(d.unblock("ada"));
    must(d.unblock("bob"));
    ok(d.is_blocked(d.create("eve", "e")), "who gets the value is blocked");
    auto lifted = d.unblock("e");
    ok(lifted && !lifted->user && lifted->tombstones == 1, "the value is unblocked by its name");
    ok(!d.is_blocked(d.create("fred", "e")), "who gets it then is not blocked");
    d.is_sound("verify finds no problem with the value of two blocked users");
}

// A line of an import that does not say who has left the block.
void test_unknown_user() {
    Directory d;
    for (const char *name : {"ada", "eve"})
        d.write([&](auto &txn, auto &) {
            put_access(txn,
                       store::tombstone_key(d.tenant().number, store::AccessKind::user_name, name),
                       {5000, 0});
            return 0;
        });
    auto lifted = d.unblock("ada");
    ok(lifted && lifted->tombstones == 1 && d.blocks() == 1,
       "unblock ends the block of a tombstone without a user, and of no other");
}

void test_unblock_bound() {
    for (size_t count : {unblocked_tombstones_max - 1, unblocked_tombstones_max}) {
        Directory d;
        const std::string ada = d.create("ada");
        must(d.block("ada"));
        d.write([&](auto &txn, auto &) {
            for (size_t i = 0; i < count; i++)
                put_access(txn,
                           store::tombstone_key(d.tenant().number, store::AccessKind::user_name,
                                                "ada" + std::to_string(i)),
                           {5000, 0, *parse_id(ada)});
            return 0;
        });
        const std::string some = std::to_string(count) + " tombstones";
        const bool fits = count < unblocked_tombstones_max;
        auto first = d.unblock("ada");
        ok(first && first->is_complete == fits && d.is_blocked(ada) != fits,
           fits ? "unblock with " + some + " is complete"
                : "unblock with " + some + " is not complete and leaves the user blocked");
        is(first->tombstones, count, "it ends the block of " + some);
        if (!fits) ok(d.unblock("ada")->is_complete, "the next call completes it");
        ok(!d.is_blocked(ada) && d.blocks() == 0, "nothing is blocked after " + some);
        d.is_sound("verify finds no problem after " + some);
    }
}

// The same for a deleted user: what it is called by is unblocked last.
void test_unblock_deleted_bound() {
    Directory d;
    const std::string ada = d.create("ada");
    must(d.block("ada"));
    d.write([&](auto &txn, auto &) {
        for (size_t i = 0; i < unblocked_tombstones_max; i++)
            put_access(txn,
                       store::tombstone_key(d.tenant().number, store::AccessKind::user_name,
                                            "b" + std::to_string(i)),
                       {5000, 0, *parse_id(ada)});
        return 0;
    });
    d.remove(ada);
    auto first = d.unblock("ada");
    ok(first && !first->is_complete && first->tombstones == unblocked_tombstones_max,
       "unblock of a deleted user with 1,002 tombstones is not complete");
    auto second = d.unblock("ada");
    ok(second && second->is_complete && second->tombstones == 2 && d.blocks() == 0,
       "the next call finds the rest by the same name");
}

void test_renamed() {
    Directory d;
    const std::string bob = d.create("bob"), eve = d.create("eve"), ada = d.create("ada", "e1");
    d.set(ada, "userName", "ADA");
    is(d.rows(), 0u, "a userName in another case leaves no tombstone");
    d.set(ada, "userName", "ada.lovelace");
    const int64_t renamed = d.last_change().time;
    d.set(ada, "externalId", "e2");
    const int64_t moved = d.last_change().time;
    is(d.rows(), 2u, "a userName and an externalId that are changed leave a tombstone each");
    d.is_sound("verify finds no problem with the tombstones of a living user");
    ok(d.state_of(ada).empty(), "the sessions of a renamed user stay valid");
    d.set(bob, "userName", "ada");
    is(d.state_of(bob).not_before, renamed,
       "who gets the old userName inherits the time of the change");
    d.set(eve, "externalId", "e1");
    is(d.state_of(eve).not_before, moved, "so does who gets the old externalId");
    d.client.send(Method::patch, "/Users/" + eve,
                  R"({"Operations":[{"op":"remove","path":"externalId"}]})");
    is(d.rows(), 4u, "an externalId that is removed leaves a tombstone");
    d.is_sound("verify finds no problem after old names are inherited");
}

// The tombstones of changed names are bounded by the names, not by the changes.
void test_renamed_often() {
    Directory d;
    const std::string ada = d.create("ada"), bob = d.create("bob");
    for (int i = 0; i < 60; i++)
        d.set(i % 2 == 0 ? ada : bob, "userName", "n" + std::to_string(i % 5));
    is(d.rows(), 5u + 2u, "60 changes between 5 names leave a row for each name and each user");
    d.is_sound("verify finds no problem after many changes of names");
}

void test_renamed_blocked() {
    Directory d;
    const std::string ada = d.create("ada"), bob = d.create("bob");
    must(d.block("ada"));
    d.set(ada, "userName", "ada2");
    is(d.blocks(), 2u, "a blocked user who gets another userName leaves the block under the old");
    auto lifted = d.unblock("ada2");
    ok(lifted && lifted->tombstones == 1 && d.blocks() == 0, "unblock ends both");
    must(d.block("ada2"));
    d.set(ada, "userName", "ada3");
    d.set(bob, "userName", "ada2");
    ok(d.is_blocked(bob), "who gets the old userName of a blocked user is blocked");
    ok(d.unblock("ada2") && !d.is_blocked(bob) && d.is_blocked(ada),
       "to unblock who has got the name leaves the user blocked that had it");
    d.set(ada, "userName", "ada4");
    d.set(ada, "userName", "ada3");
    ok(d.is_blocked(ada) && d.blocks() == 2, "a user who gets its old userName back stays blocked");
    d.is_sound("verify finds no problem with blocked users who were renamed");
}

// More users have the value than inherit a block at once.
void test_many_holders() {
    Directory d;
    std::vector<std::string> users;
    for (size_t i = 0; i < 102; i++) users.push_back(d.create("u" + std::to_string(i), "n/a"));
    must(d.block("u0"));
    d.remove(users[0]);
    is(d.blocks(), 3u, "101 other users do not inherit a block by a shared externalId");
    d.is_sound("verify finds no problem with a tombstone whose value 101 users have");
    ok(d.is_blocked(d.create("new", "n/a")), "a new user with the externalId is blocked");
    is(d.blocks(), 4u, "the tombstone stays for the others");
    d.remove(users[1]);
    is(d.blocks(), 4u, "101 users are left");
    const uint64_t position = d.position();
    d.remove(users[2]);
    is(d.blocks(), 103u, "100 users inherit the block when they are left");
    d.write([&](auto &txn, auto &) {
        size_t parts = 0;
        store::Cursor cursor(txn, store::Db::changes);
        for (bool more = cursor.seek(store::change_key(d.tenant().number, position + 1, 0)); more;
             more = cursor.next())
            parts++;
        is(parts, 101u, "the change log has the deletion and each of them");
        return 0;
    });
    d.is_sound("verify finds no problem with 100 users who inherit a block");
}

// While two users have a value it names nobody; the last one inherits what all before have left.
void test_last_holder() {
    Directory d;
    const std::string ada = d.create("ada", "e"), bob = d.create("bob", "e"),
                      eve = d.create("eve", "e");
    d.set_state(ada, {0, 900000000});
    d.remove(ada);
    ok(d.state_of(bob).empty() && d.state_of(eve).empty(),
       "two users who have the externalId of a deleted user do not inherit its not-before");
    d.is_sound("verify finds no problem with the tombstone of a shared externalId");
    d.remove(bob);
    is(d.state_of(eve).not_before, 900000000, "the last one does");
    d.is_sound("verify finds no problem after the last one inherits");
}

// A deleted user leaves groups, and then what others inherit: verify finds the part of each group.
void test_groups_and_heirs() {
    Directory d;
    const std::string heir = d.create("heir", "e"), ada = d.create("ada", "e");
    for (const char *name : {"one", "two", "three"})
        d.client.create("/Groups", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],)"
                                   R"("displayName":")" +
                                       std::string(name) + R"(","members":[{"value":")" + ada +
                                       "\"}]}");
    d.remove(ada);
    ok(!d.state_of(heir).empty(), "a deleted member of groups has an heir");
    d.is_sound("verify finds the parts of its groups in the change log");
}

}  // namespace

int main() {
    test_equal_times();
    test_heirs_of_heirs();
    test_several_leavers();
    test_unknown_user();
    test_unblock_bound();
    test_unblock_deleted_bound();
    test_renamed();
    test_renamed_often();
    test_renamed_blocked();
    test_many_holders();
    test_last_holder();
    test_groups_and_heirs();
    return tap::done();
}
