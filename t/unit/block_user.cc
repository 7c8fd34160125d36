// Tests that users are blocked and unblocked apart from their records, and that a block outlives
// renaming, deletion and a new resource with the same userName or externalId.

#include "block_fixture.h"

using namespace scim;
using namespace scim::service;
using fixture::Directory;
using fixture::error_text;
using fixture::must;
using fixture::patch;
using fixture::user;
using store::Operation;

namespace {

void test_block() {
    Directory d;
    const std::string ada = d.create("ada", "e1"), bob = d.create("bob");
    const std::string etag = d.client.get("/Users/" + ada).etag;
    const uint64_t position = d.position();
    ok(!d.is_blocked(ada), "a new user is not blocked");
    auto blocked = d.block("ADA");
    ok(blocked && !blocked->existed, "a user is blocked by its userName in another case");
    ok(d.is_blocked(ada) && !d.is_blocked(bob), "only the user that was named is blocked");
    is(d.position(), position + 1, "a block is a change of its own");
    const store::Change change = d.last_change();
    ok(change.operation == Operation::block && to_string(change.id) == ada && change.actor == 0,
       "the change log says which user was blocked, without an actor");
    is(d.client.get("/Users/" + ada).etag, etag, "a block does not change the ETag of the user");
    d.is_sound("verify finds no problem with a blocked user");

    auto again = d.block(ada);
    ok(again && again->existed && again->since == blocked->since,
       "to block a blocked user again succeeds with the time of the first block");
    is(d.position(), position + 1, "to block a blocked user again writes nothing");

    Job *put = d.client.job(Method::put, "/Users/" + ada, user("ada2", "e1"));
    put->request.if_match = etag;
    d.client.run({put});
    is(put->response.status, 200, "If-Match of the version before the block matches after it");
    ok(d.is_blocked(ada), "a blocked user that gets another userName stays blocked");

    auto unblocked = d.unblock("ada2");
    ok(unblocked && unblocked->was_blocked && unblocked->user,
       "a user is unblocked by its new userName");
    ok(!d.is_blocked(ada), "an unblocked user is not blocked");
    ok(d.last_change().operation == Operation::unblock, "the change log has the unblock");
    is(d.rows(), 1u, "an unblocked user has no row, and its old userName has a tombstone");
    const uint64_t after = d.position();
    auto none = d.unblock("ada2");
    ok(none && !none->was_blocked, "to unblock a user that is not blocked succeeds");
    is(d.position(), after, "to unblock a user that is not blocked writes nothing");
    d.is_sound("verify finds no problem after an unblock");
}

void test_names() {
    Directory d;
    const std::string ada = d.create("ada");
    is(error_text(d.block("eve")), "404 tenant \"one\" has no user \"eve\"",
       "to block an unknown user is refused");
    is(error_text(d.unblock("eve")), "404 tenant \"one\" has no user \"eve\"",
       "to unblock an unknown user is refused");
    is(error_text(d.status("00000000-0000-7000-8000-000000000000")),
       "404 tenant \"one\" has no user \"00000000-0000-7000-8000-000000000000\"",
       "to show an unknown id is refused");
    const std::string other = d.create(ada);  // its userName is the id of ada
    is(error_text(d.block(ada)),
       "409 2 users are called \"" + ada + "\"; give the id of one of them: User " + ada +
           ", User " + other,
       "a name that is the id of one user and the userName of another is refused");
    const auto ambiguous = d.block(ada);
    ok(!ambiguous && ambiguous.error().refusal == Refusal::user_ambiguous,
       "its refusal is user-ambiguous");
    ok(d.block(other) && d.is_blocked(other), "a user is blocked by its id");
    const std::string longest(500, 'x'), id = d.create(longest);
    ok(d.block(longest) && d.is_blocked(id), "a user is blocked by a userName of 500 characters");
    d.remove(id);
    ok(d.is_blocked(d.create(longest)), "a userName of 500 characters has a tombstone");
    d.is_sound("verify finds no problem with tombstones of long values");
}

void test_tombstones() {
    Directory d;
    std::string ada = d.create("ada", "e1");
    must(d.block("ada"));
    d.remove(ada);
    is(d.blocks(), 3u,
       "a blocked user that is deleted leaves a tombstone for each name and its id");
    d.is_sound("verify finds no problem with tombstones");
    ok(error_text(d.block("ada"))
               .find("a deleted user with this userName, externalId or id is blocked since "
                     "1970-01-01T00:") != std::string::npos,
       "to block a deleted user is refused with a hint at its tombstone");

    ada = d.create("Ada", "e1");
    ok(d.is_blocked(ada), "a user created again with the same names is blocked");
    is(d.blocks(), 2u, "the tombstones of the names are deleted when a user inherits them");
    d.remove(ada);
    ok(d.is_blocked(d.create("ada.lovelace", "e1")),
       "a user created with only the same externalId is blocked");
    is(d.blocks(), 4u, "the tombstone of a userName stays until a user gets it");
    ok(d.is_blocked(d.create("ada")), "a user created with only the same userName is blocked");
    is(d.blocks(), 4u, "the last tombstone of a name is deleted when a user inherits it");
    ok(!d.is_blocked(d.create("bob", "e2")), "a user with other names is not blocked");
    d.is_sound("verify finds no problem after tombstones are inherited");
}

void test_changed_names() {
    Directory d;
    const std::string ada = d.create("ada", "e1"), eve = d.create("eve"), bob = d.create("bob");
    must(d.block("ada"));
    d.remove(ada);
    d.client.send(Method::patch, "/Users/" + eve, patch("userName", "ada"));
    ok(d.is_blocked(eve), "a user that gets a blocked userName by PATCH is blocked");
    d.client.send(Method::put, "/Users/" + bob, user("bob", "e1"));
    ok(d.is_blocked(bob), "a user that gets a blocked externalId by PUT is blocked");
    is(d.blocks(), 3u, "tombstones are deleted when a changed user inherits them");
    d.is_sound("verify finds no problem after changed users inherit a block");
}

void test_batch() {
    Directory d;
    const std::string ada = d.create("ada", "e1");
    must(d.block("ada"));
    Job *removed = d.client.job(Method::del, "/Users/" + ada);
    Job *created = d.client.job(Method::post, "/Users", user("ada"));
    d.client.run({removed, created});
    ok(created->response.status == 201 && d.is_blocked(created->response.log_fields.resource_id),
       "a user created again in the batch of its deletion is blocked");
    const std::string group = d.client.create(
        "/Groups",
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g","externalId":"e1"})");
    ok(!group.empty() && !d.is_blocked(group), "a group does not inherit the block of a user");
    is(d.blocks(), 3u, "a group leaves the tombstone of its externalId as it is");
    d.is_sound("verify finds no problem with a group of the externalId of a tombstone");
}

void test_shared_external_id() {
    Directory d;
    const std::string first = d.create("first", "e1"), second = d.create("second", "e1");
    must(d.block("first"));
    ok(!d.is_blocked(second), "a block does not reach another user with the same externalId");
    d.remove(first);
    ok(d.is_blocked(second),
       "a user that has the externalId of a blocked user when that is deleted inherits the block");
    is(d.blocks(), 3u, "an externalId that a user has gets no tombstone");
    d.is_sound("verify finds no problem after a block is inherited by a living user");
}

void test_unblock_deleted() {
    Directory d;
    std::string ada = d.create("ada", "e1"), bob = d.create("bob", "e2");
    must(d.block("ada"));
    must(d.block("bob"));
    d.remove(ada);
    d.remove(bob);
    auto lifted = d.unblock("ADA");
    ok(lifted && !lifted->user && lifted->tombstones == 3,
       "unblock of a deleted user ends the block of both its names and its id");
    const store::Change change = d.last_change();
    ok(change.operation == Operation::unblock && change.type == 0,
       "the change log has the unblock of a deleted user, without a resource");
    is(d.blocks(), 3u, "the tombstones of another user are kept");
    ok(!d.is_blocked(d.create("ada", "e1")), "a user whose tombstones were removed is not blocked");
    ok(d.unblock("e2").operator bool() && d.blocks() == 0,
       "unblock finds the tombstones by externalId, too");
    d.is_sound("verify finds no problem after tombstones are removed");

    ada = d.create("carl", "e3");
    must(d.block("carl"));
    d.remove(ada);
    const std::string again = d.create("carl");
    auto one = d.unblock("carl");
    ok(one && one->user && one->tombstones == 0 && d.blocks() == 2,
       "unblock of who has got a blocked name leaves the block of the other values");
    d.client.send(Method::patch, "/Users/" + again, patch("externalId", "e3"));
    ok(d.is_blocked(again), "who gets another value of the same deleted user is blocked again");
    auto rest = d.unblock(ada);
    ok(rest && !rest->user && rest->tombstones == 1 && d.blocks() == 1,
       "unblock of the deleted user by its id ends what nobody has got");
}

void test_not_before() {
    Directory d;
    const std::string ada = d.create("ada", "e1"), bob = d.create("bob", "e2");
    d.set_state(ada, {5000, 7000});
    d.set_state(bob, {0, 9000});
    d.remove(ada);
    d.remove(bob);
    const int64_t removed = d.last_change().time;
    const std::string id = d.create("ada", "e2");
    const auto state = d.state_of(id);
    ok(state.blocked == 5000 && state.not_before == removed,
       "who inherits two states is blocked if one of them is, with the later not_before");
    must(d.unblock("ada"));
    const auto after = d.state_of(id);
    ok(after.blocked == 0 && after.not_before == removed, "unblock keeps not_before");
    is(d.rows(), 5u, "unblock keeps the not_before of tombstones");
    d.is_sound("verify finds no problem with not_before");
}

// What a user who gets a value of a deleted user inherits: the time of the deletion, whatever the
// clock says.
void test_deletion() {
    Directory d;
    const std::string bob = d.create("bob"), eve = d.create("eve"), ada = d.create("ada", "e1"),
                      carl = d.create("carl", "e2"), dan = d.create("dan", "e2");
    is(d.rows(), 0u, "an active user has no row");
    const int64_t before = d.last_change().time;
    d.client.now = before - 1000;
    d.remove(ada);
    is(d.last_change().time, before, "the time of a deletion is not before the last change");
    is(d.rows(), 3u, "a deleted user leaves a tombstone for each name and its id");
    d.is_sound("verify finds no problem with the tombstones of an active user");
    d.client.send(Method::patch, "/Users/" + bob, patch("userName", "ADA"));
    is(d.state_of(bob).not_before, before,
       "who gets the userName inherits the time of the deletion");
    d.client.send(Method::patch, "/Users/" + eve, patch("externalId", "e1"));
    is(d.state_of(eve).not_before, before, "so does who gets the externalId");
    d.remove(carl);
    is(d.state_of(dan).not_before, before, "so does at once who has the externalId, too");
    d.is_sound("verify finds no problem after they are inherited");
}

void test_status() {
    Directory d;
    const std::string ada = d.create("ada", "e1");
    for (int i = 0; i < 102; i++)
        d.client.create("/Groups", R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],)"
                                   R"("displayName":"g)" +
                                       std::to_string(i) + R"(","members":[{"value":")" + ada +
                                       "\"}]}");
    auto status = d.status("ada");
    ok(status && status->user_name == "ada" && status->external_id == "e1",
       "the status of a user has userName and externalId");
    is(status->group_count, 102u, "the status of a user has the number of its groups");
    ok(status->groups.size() == shown_groups_max && status->groups.front().name.substr(0, 1) == "g",
       "the status of a user has the first 100 of its groups");
}

void test_pause() {
    Directory d;
    is(d.paused_until(), 0, "a gate is not paused at first");
    for (int64_t length : {pause_min - 1, pause_max + 1})
        is(error_text(d.pause(length)),
           "400 a pause of the gate must last between 1 minute and 24 hours",
           "a pause of " + std::to_string(length) + " ms is refused");
    auto until = d.pause(pause_min);
    ok(until && *until == d.client.now + pause_min && d.paused_until() == *until,
       "a pause of a minute ends after a minute");
    ok(d.last_change().operation == Operation::pause, "the change log has the pause");
    d.is_sound("verify finds no problem with a paused gate");
    auto resumed = d.resume();
    ok(resumed && *resumed && d.paused_until() == 0, "a paused gate is resumed");
    ok(d.last_change().operation == Operation::resume, "the change log has the resume");
    resumed = d.resume();
    ok(resumed && !*resumed, "to resume a gate that is not paused changes nothing");
    d.is_sound("verify finds no problem with a resumed gate");
}

void test_damage() {
    Directory d;
    const std::string ada = d.create("ada");
    store::WriteTxn txn(d.env());
    txn.put(store::Db::access, store::access_key(d.tenant().number, *parse_id(ada)), "x");
    store::access_of(txn, d.tenant().number, *parse_id(ada));
    ok(txn.error() == store::Errc::damaged, "a damaged row fails the transaction that reads it");
}

void test_sweep() {
    Directory d;
    d.create("ada");
    must(d.block("ada"));
    must(d.pause(pause_min));
    store::WriteTxn txn(d.env());
    store::mark_tenant_removed(txn, *store::find_tenant(txn, "one"));
    ok(store::sweep_tenant(txn, d.tenant(), 1000), "a tenant with a blocked user is removed");
    ok(txn.entries(store::Db::access) == 0 && gate_paused_until(txn, d.tenant().number) == 0,
       "blocks and pauses are removed with their tenant");
}

}  // namespace

int main() {
    test_block();
    test_names();
    test_tombstones();
    test_changed_names();
    test_batch();
    test_shared_external_id();
    test_unblock_deleted();
    test_not_before();
    test_deletion();
    test_status();
    test_pause();
    test_damage();
    test_sweep();
    return tap::done();
}
