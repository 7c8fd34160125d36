// Tests what the gate keeps between requests: that each change which can alter a decision or a value
// ends what was kept, that other changes do not, and that the memory is bounded.

#include "service/gate_cache.h"

#include "client.h"
#include "service/block_user.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

constexpr const char *patch_begin =
    R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)";

// A store with a tenant, and the gate of a worker.
class World {
  public:
    World() { requirements_.add(*parse_requirement({"group=Staff", "filter=title eq \"boss\""})); }

    std::string user(const std::string &name, const std::string &more = "") {
        return client.create("/Users", R"({"userName":")" + name + "\"" + more + "}");
    }
    std::string group(const std::string &name, const std::string &member) {
        return client.create("/Groups", R"({"displayName":")" + name +
                                            R"(","members":[{"value":")" + member + "\"}]}");
    }
    void patch(const std::string &path, const std::string &operation) {
        Response &response =
            client.send(Method::patch, path, std::string(patch_begin) + operation + "]}");
        if (response.status / 100 != 2) diag(response.body);
    }

    // A request: "allow" or the reason, and the names of the user's groups.
    std::string ask(std::string_view subject, std::string_view by = "userName",
                    bool nested = false) {
        Snapshot snapshot(session);
        GateOptions options;
        options.nested_groups = nested;
        user_ = gate.find(snapshot, {"one", by, subject});
        is_known = !user_->values.empty();
        has_decision = !user_->decisions.empty();
        Reason reason = user_->user.reason;
        if (reason == Reason::none)
            reason = gate.decide(snapshot, *user_, requirements_, options).reason;
        std::string answer(reason == Reason::none ? "allow" : to_string(reason));
        if (user_->user.reason == Reason::none)
            for (const UserAttribute *attribute : {&display_, &groups_}) {
                const ValueDefinition definition = {attribute, &format_, true, &no_names_, options};
                const UserValue *value = CachingGate::find_value(*user_, definition);
                if (value == nullptr) value = &gate.make_value(&snapshot, *user_, definition);
                answer += ' ' + value->text;
            }
        gate.keep(user_);
        return answer;
    }
    size_t values() const { return user_->values.size(); }

    fixture::TempDir dir;
    std::unique_ptr<Store> store = fixture::open_store(dir.path);
    Client client{*store};
    Session session{*store};
    bool is_known = false, has_decision = false;  // of the last request, before it was answered

  private:
    Requirements requirements_;
    const UserAttribute display_{"displayName"}, groups_{"groups.display"};
    const ValueFormat format_;
    const std::vector<std::string> no_names_;

  public:
    CachingGate gate;

  private:
    std::shared_ptr<KnownUser> user_;
};

void test_what_is_kept() {
    World world;
    const std::string ada = world.user("ada", R"(,"displayName":"Ada")");
    const std::string bob = world.user("bob");
    const std::string staff = world.group("Staff", ada);
    is(world.ask("ada"), "allow Ada Staff", "a first request finds the user");
    ok(!world.is_known && !world.has_decision, "nothing is known before");
    is(world.ask("ada"), "allow Ada Staff", "a second request has the same answer");
    ok(world.is_known && world.has_decision, "values and decision are known");
    is(world.ask("ADA"), "allow Ada Staff", "another spelling of the name finds the user");
    ok(!world.is_known, "and is kept apart");
    is(world.ask(ada, "id"), "allow Ada Staff", "so is the id");
    is(world.gate.cache().size(), size_t(3), "three subjects are kept");
    is(world.ask("zoe"), "unknown", "an unknown user");
    is(world.ask(""), "no_subject", "no subject");
    is(world.ask("bob"), "not_allowed  ", "a user who may not pass here");
    is(world.ask("bob"), "not_allowed  ", "again");
    ok(world.has_decision, "a refusal by requirements is kept, too");
    is(world.gate.cache().size(), size_t(4), "nobody else is kept");

    world.patch("/Users/" + bob, R"({"op":"replace","path":"title","value":"clerk"})");
    is(world.ask("ada"), "allow Ada Staff", "after a change of another user");
    ok(world.is_known && world.has_decision, "everything is still known");
    fixture::add_tenant(world.store->env(), "two");
    is(world.ask("ada"), "allow Ada Staff", "after a commit that concerns another tenant");
    ok(world.is_known, "everything is still known");

    world.group("Other", bob);
    is(world.ask("ada"), "allow Ada Staff", "after a change of a group");
    ok(world.is_known && !world.has_decision, "values of the user's own are known");
    is(world.values(), size_t(2), "and those of groups are made again");

    Snapshot snapshot(world.session);
    auto known = world.gate.find(snapshot, {"one", "userName", "ada"});
    ok(known->user.record.empty(), "the record is not kept");
}

// Each change counts for the next request.
void test_changes() {
    World world;
    const std::string ada = world.user("ada", R"(,"displayName":"Ada","externalId":"o-1")");
    const std::string staff = world.group("Staff", ada);
    auto asks = [&](const char *expected, const std::string &name) {
        is(world.ask("ada"), expected, name);
        is(world.ask("ada"), expected, name + ", and again");
        ok(world.is_known == (std::string_view(expected).find(' ') != std::string_view::npos),
           name + ": it is known then if the user is active");
    };
    const std::string user = "/Users/" + ada, members = R"(,"path":"members","value":[{"value":")";
    asks("allow Ada Staff", "before all changes");
    world.patch(user, R"({"op":"replace","path":"displayName","value":"Countess"})");
    asks("allow Countess Staff", "another name");
    world.patch("/Groups/" + staff, R"({"op":"replace","path":"displayName","value":"Crew"})");
    asks("not_allowed Countess Crew", "another name of the group");
    world.patch("/Groups/" + staff, R"({"op":"replace","path":"displayName","value":"Staff"})");
    asks("allow Countess Staff", "the former name of the group");
    world.patch("/Groups/" + staff, R"({"op":"remove")" + members + ada + "\"}]}");
    asks("not_allowed Countess ", "removal from the group");
    world.patch("/Groups/" + staff, R"({"op":"add")" + members + ada + "\"}]}");
    asks("allow Countess Staff", "addition to the group");
    world.patch("/Groups/" + staff, R"({"op":"remove","path":"members"})");
    asks("not_allowed Countess ", "removal of all members");
    world.patch(user, R"({"op":"replace","path":"title","value":"boss"})");
    asks("allow Countess ", "a filter holds");
    world.client.send(Method::del, "/Groups/" + staff);
    asks("allow Countess ", "DELETE of the group");
    world.patch(user, R"({"op":"replace","path":"active","value":false})");
    asks("inactive", "active false");
    world.patch(user, R"({"op":"replace","path":"active","value":true})");
    asks("allow Countess ", "active true");
    world.patch(user, R"({"op":"replace","path":"userName","value":"lovelace"})");
    asks("unknown", "another userName");
    world.patch(user, R"({"op":"replace","path":"userName","value":"ada"})");
    asks("allow Countess ", "the former userName");
    world.client.send(Method::del, user);
    asks("unknown", "DELETE");
    world.user("ada");
    asks("not_allowed  ", "a new user of the same name");
}

void block(World &world, const char *name) {
    std::optional<Snapshot> snapshot(std::in_place, world.session);
    const auto catalog = snapshot->catalog();
    snapshot.reset();
    store::WriteTxn txn(world.store->env());
    auto tenant = *store::find_tenant(txn, "one");
    ok(bool(block_user(txn, *catalog, tenant, name, world.client.now)),
       std::string(name) + " is blocked");
    ok(txn.commit() == store::Errc::ok, "the block is committed");
}

void test_block() {
    World world;
    world.user("ada", R"(,"title":"boss")");
    is(world.ask("ada"), "allow  ", "before a block");
    block(world, "ada");
    is(world.ask("ada"), "blocked", "the next request is refused");
    is(world.gate.cache().size(), size_t(0), "a blocked user is not kept");
}

// externalId need not be unique: a deleted user leaves its block to the others who have it.
void test_inherited_block() {
    World world;
    const std::string ada = world.user("ada", R"(,"externalId":"o-1")");
    world.user("bob", R"(,"externalId":"o-1","title":"boss")");
    is(world.ask("bob"), "allow  ", "a user with the externalId of another one");
    is(world.ask("bob"), "allow  ", "the same user");
    ok(world.is_known, "is known");
    block(world, "ada");
    is(world.ask("bob"), "allow  ", "the other one is blocked");
    is(int(world.client.send(Method::del, "/Users/" + ada, "").status), 204,
       "the other one is deleted");
    is(world.ask("bob"), "blocked", "the block is inherited by the next request");
}

void test_nested_groups() {
    World world;
    const std::string ada = world.user("ada"), inner = world.group("Inner", ada);
    const std::string staff = world.group("Staff", inner);
    is(world.ask("ada", "userName", true), "allow  Inner,Staff", "a group of a group");
    is(world.ask("ada"), "not_allowed  Inner", "without indirect groups");
    is(world.ask("ada", "userName", true), "allow  Inner,Staff", "each has its own answer");
    ok(world.is_known, "and both are known");
    world.patch("/Groups/" + staff, R"({"op":"remove","path":"members"})");
    is(world.ask("ada", "userName", true), "not_allowed  Inner",
       "a change of an outer group counts");
}

// A subject that another user can make ambiguous, and a value of another resource.
void test_others() {
    World world;
    world.user("ada", R"(,"title":"boss","emails":[{"value":"a@x"}])");
    is(world.ask("a@x", "emails.value"), "allow  ", "an address of one user");
    ok(!world.is_known, "is not known");
    is(world.ask("a@x", "emails.value"), "allow  ", "again");
    ok(!world.is_known, "is not kept");
    world.user("bob", R"(,"emails":[{"value":"a@x"}])");
    is(world.ask("a@x", "emails.value"), "ambiguous", "an address of two users");

    Requirements requirements;
    requirements.add(*parse_requirement({"filter=manager.displayName eq \"Eve\""}));
    const std::string eve = world.user("eve", R"(,"displayName":"Eve")");
    world.user("cid", R"(,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":)"
                      R"({"manager":{"value":")" +
                          eve + "\"}}");
    auto decide = [&] {
        Snapshot snapshot(world.session);
        auto known = world.gate.find(snapshot, {"one", "userName", "cid"});
        const Decision decision = world.gate.decide(snapshot, *known, requirements, {});
        world.gate.keep(known);
        return std::string(to_string(decision.reason));
    };
    is(decide(), "", "the name of the manager");
    is(decide(), "", "again");
    world.patch("/Users/" + eve, R"({"op":"replace","path":"displayName","value":"Eva"})");
    is(decide(), "not_allowed", "another name of the manager counts");
}

void test_tenants() {
    World world;
    world.user("ada", R"(,"title":"boss")");
    is(world.ask("ada"), "allow  ", "a user of a tenant");
    {
        store::WriteTxn txn(world.store->env());
        store::mark_tenant_removed(txn, *store::find_tenant(txn, "one"));
        ok(txn.commit() == store::Errc::ok, "the tenant is removed");
    }
    is(world.ask("ada"), "tenant", "the next request finds no tenant");
    fixture::add_tenant(world.store->env(), "one");
    is(world.ask("ada"), "unknown", "a new tenant of the same name has no such user");
}

void test_catalog() {
    World world;
    world.user("ada", R"(,"title":"boss")");
    is(world.ask("ada"), "allow  ", "a user under a catalog");
    {
        store::WriteTxn txn(world.store->env());
        auto rows = *store::read_catalog(txn);
        rows.epoch++;
        store::write_catalog(txn, rows);
        ok(txn.commit() == store::Errc::ok, "the catalog changes");
    }
    is(world.ask("ada"), "allow  ", "the user under the next catalog");
    ok(!world.is_known && !world.has_decision, "is found again");
}

void test_log() {
    World world;
    world.user("ada", R"(,"title":"boss")");
    const std::string bob = world.user("bob");
    world.ask("ada");
    auto change = [&](size_t count) {
        std::vector<Job *> jobs;
        for (size_t i = 0; i < count; i++)
            jobs.push_back(world.client.job(Method::patch, "/Users/" + bob,
                                            std::string(patch_begin) +
                                                R"({"op":"replace","path":"nickName","value":")" +
                                                std::to_string(world.client.now) + "\"}]}"));
        for (Job *job : jobs) world.client.run({job});
        world.client.forget_jobs();
    };
    change(1000);
    is(world.ask("ada"), "allow  ", "after 1,000 changes of another user");
    ok(world.is_known, "everything is known");
    change(1001);
    is(world.ask("ada"), "allow  ", "after 1,001 changes");
    ok(!world.is_known, "the log is not read, and nothing is known");
    change(2);
    {
        store::WriteTxn txn(world.store->env());
        store::Directory directory(txn, world.client.tenant());
        const uint64_t last = directory.position().position;
        txn.del(store::Db::changes, store::change_key(world.client.tenant(), last - 1, 0));
        ok(txn.commit() == store::Errc::ok, "a change is trimmed");
    }
    is(world.ask("ada"), "allow  ", "after a change that the log does not have any more");
    ok(!world.is_known, "nothing is known");
}

void test_bounds() {
    World world;
    const std::string long_name(20000, 'x');
    std::vector<std::string> names;
    for (size_t i = 0; i < 600; i++) {
        names.push_back("user" + std::to_string(i));
        world.user(names.back(), R"(,"displayName":")" + long_name + "\"");
    }
    // The format of World cuts values at 4,096 bytes, so this takes others.
    const UserAttribute display("displayName");
    ValueFormat format;
    format.max = 64 * 1024;
    const std::vector<std::string> no_names;
    auto ask = [&](const std::string &name, size_t values) {
        Snapshot snapshot(world.session);
        auto known = world.gate.find(snapshot, {"one", "userName", name});
        const bool is_known = !known->values.empty();
        const ValueDefinition definition = {&display, &format, true, &no_names, {}};
        while (known->values.size() < values) world.gate.make_value(&snapshot, *known, definition);
        world.gate.keep(known);
        return is_known;
    };
    size_t most = 0;
    for (const std::string &name : names) {
        ask(name, 3);
        most = std::max(most, world.gate.cache().bytes());
        ask(names[0], 3);
    }
    ok(most <= GateCache::bytes_max && most > GateCache::bytes_max - 100000, "32 MiB are kept");
    ok(world.gate.cache().size() < names.size(), "not all users are kept");
    ok(ask(names[0], 1), "a user who was asked for again and again is kept");
    ok(ask(names.back(), 1), "so is the last one");
    ok(!ask(names[1], 1), "one who was asked for long ago is not");
    ask(names[1], 25);
    ok(ask(names[1], 25), "a user with 500,000 bytes of values is kept");
    ask(names[1], 27);
    ok(!ask(names[1], 1), "a user with more than half a megabyte is not");
}

void test_held_users() {
    World world;
    const std::string ada = world.user("ada", R"(,"title":"boss")");
    world.ask("ada");
    std::shared_ptr<KnownUser> held;
    {
        Snapshot snapshot(world.session);
        held = world.gate.find(snapshot, {"one", "userName", "ada"});
    }
    world.patch("/Users/" + ada, R"({"op":"replace","path":"active","value":false})");
    is(world.ask("ada"), "inactive", "a user who is not active any more");
    world.gate.keep(held);
    is(world.gate.cache().size(), size_t(0), "a request that began before does not keep the user");
    is(world.ask("ada"), "inactive", "the next request is refused, too");
    is(world.gate.cache().bytes(), size_t(0), "no memory is counted");
}

}  // namespace

int main() {
    test_what_is_kept();
    test_changes();
    test_block();
    test_inherited_block();
    test_nested_groups();
    test_others();
    test_tenants();
    test_catalog();
    test_log();
    test_bounds();
    test_held_users();
    return tap::done();
}
