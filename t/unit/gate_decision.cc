// Tests the decision of the access gate: which user a subject names, and which conditions hold.

#include "service/gate_decision.h"

#include <sys/wait.h>

#include <chrono>
#include <thread>

#include "gate_fixture.h"
#include "service/block_user.h"
#include "service/nested_groups.h"

using namespace scim;
using namespace scim::service;

namespace {

struct World : fixture::GateStore {
    GateUser find(std::string_view value, std::string_view by = "userName",
                  std::string_view tenant = "one") {
        Snapshot snapshot(session);
        return gate.find(snapshot, {tenant, by, value});
    }
    std::string reason(std::string_view value, std::string_view by = "userName",
                       std::string_view tenant = "one") {
        const std::string text(to_string(find(value, by, tenant).reason));
        return text.empty() ? "ok" : text;
    }
    // "allow", or the reason and the line that does not hold.
    std::string decide(std::string_view user, const std::vector<std::vector<std::string>> &lines,
                       bool nested = false) {
        Requirements requirements;
        for (const auto &line : lines) {
            auto requirement =
                parse_requirement(std::vector<std::string_view>(line.begin(), line.end()));
            if (!requirement) return requirement.error().detail;
            requirements.add(*requirement);
        }
        Snapshot snapshot(session);
        const GateUser found = gate.find(snapshot, {"one", "userName", user});
        if (found.reason != Reason::none) return std::string(to_string(found.reason));
        GateOptions options;
        options.nested_groups = nested;
        const Decision decision = gate.decide(snapshot, found, requirements, options);
        missing = decision.no_such_group != nullptr ? decision.no_such_group->text : "";
        if (decision.reason == Reason::none) return "allow";
        return std::string(to_string(decision.reason)) +
               (decision.failed != nullptr ? ": " + decision.failed->text() : "");
    }

    std::string missing;
};

void test_subjects() {
    World world;
    const std::string ada =
        world.user("ada", R"(,"externalId":"o-1","emails":[{"value":"a@x"},{"value":"shared@x"}])");
    world.user("bob", R"(,"emails":[{"value":"shared@x"}])");
    world.user("eve", R"(,"active":false)");
    world.user("admin");
    world.user("strasse");
    is(world.reason("ada"), "ok", "a userName names its user");
    is(world.reason("ADA"), "ok", "the case of ASCII letters does not matter");
    is(scim::to_string(world.find("ada").id), ada, "the user has the id of the resource");
    is(world.reason(ada, "id"), "ok", "by=id finds by the id");
    is(world.reason("o-1", "externalId"), "ok", "by=externalId finds by externalId");
    is(world.reason("O-1", "externalId"), "unknown", "externalId is compared exactly");
    is(world.reason("a@x", "emails.value"), "ok", "by= an indexed attribute finds by it");
    is(world.reason("shared@x", "emails.value"), "ambiguous", "two users of one e-mail address");
    is(world.reason("a", "title"), "unavailable", "an attribute without an index finds nobody");
    is(world.reason(""), "no_subject", "an empty subject is no subject");
    is(world.reason("zoe"), "unknown", "nobody has this userName");
    is(world.reason("eve"), "inactive", "a user with active false");
    is(world.reason("ada", "userName", "two"), "tenant", "there is no such tenant");
    is(world.reason("ada", "userName", ""), "tenant", "an empty tenant is none");
    is(world.reason("\xef\xbd\x81"
                    "dmin"),
       "ambiguous", "a full-width letter is not the letter of another user");
    is(world.reason("stra\xc3\x9f"
                    "e"),
       "unknown", "sharp s is not ss of a userName");
    is(world.reason("ada\xff"), "unknown", "invalid UTF-8 names nobody");
    is(world.reason(std::string("ada\0", 4)), "unknown", "a text with a zero byte names nobody");
    is(world.reason(std::string(1024, 'a')), "unknown", "a subject of 1,024 bytes is looked up");
    is(world.reason(std::string(1025, 'a')), "unknown", "a subject of 1,025 bytes names nobody");
    {
        store::WriteTxn txn(world.store->env());
        auto tenant = *store::find_tenant(txn, "one");
        Session session(*world.store);
        Snapshot snapshot(session);
        ok(bool(block_user(txn, *snapshot.catalog(), tenant, "ada", 1000)), "ada is blocked");
        ok(txn.commit() == store::Errc::ok, "the block is committed");
    }
    is(world.reason("ada"), "blocked", "a blocked user");
    ok(world.find("ada").blocked >= 1000, "with the time of the block");
}

void test_conditions() {
    World world;
    const std::string ada =
        world.user("ada", R"(,"title":"boss","roles":[{"value":"auditor"},{"value":"a\"b"}],)"
                          R"("entitlements":[{"value":"gold"}])");
    world.user("bob");
    const std::string admins = world.group("Admins", {ada});
    is(world.decide("ada", {}), "allow", "without lines an active user passes");
    is(world.decide("ada", {{"group=Admins"}}), "allow", "a member of the group");
    is(world.decide("ada", {{"group=ADMINS"}}), "allow", "the name of a group in other case");
    is(world.decide("bob", {{"group=Admins"}}), "not_allowed: group=Admins", "not a member");
    is(world.missing, "", "the group exists");
    is(world.decide("ada", {{"group=Nobody"}}), "not_allowed: group=Nobody", "no such group");
    is(world.missing, "group=Nobody", "the decision names the missing group");
    is(world.decide("ada", {{"group=Nobody", "role=auditor"}}), "allow", "one of two conditions");
    is(world.missing, "group=Nobody", "a missing group is named even if the line holds");
    is(world.decide("ada", {{"group_id=" + admins}}), "allow", "a group by id");
    is(world.decide("bob", {{"group_id=" + admins}}), "not_allowed: group_id=" + admins,
       "not a member of the group by id");
    is(world.decide("ada", {{"group_id=" + ada}}), "not_allowed: group_id=" + ada,
       "the id of a user is no group");
    is(world.decide("ada", {{"role=auditor"}}), "allow", "a role");
    is(world.decide("ada", {{"role=a\"b"}}), "allow", "a role with a double quote");
    is(world.decide("ada", {{"role=x\" or userName pr or title eq \"x"}}),
       "not_allowed: role=x\" or userName pr or title eq \"x", "a role is no filter");
    is(world.decide("ada", {{"entitlement=gold"}}), "allow", "an entitlement");
    is(world.decide("ada", {{"filter=title eq \"boss\" and groups.display eq \"Admins\""}}),
       "allow", "a filter over attributes and groups");
    is(world.decide("ada", {{"filter=schemas pr and meta.created pr"}}), "allow",
       "a filter over computed attributes");
    is(world.decide("ada", {{"role=auditor"}, {"group=Admins"}}), "allow", "both lines hold");
    is(world.decide("ada", {{"role=auditor"}, {"role=clerk"}, {"role=x"}}),
       "not_allowed: role=clerk", "the first line that does not hold is named");
    is(world.decide("ada", {{"filter=nonsense eq 1"}}), "unavailable",
       "a filter that is not valid for the catalog decides nothing");
    world.client.send(Method::patch, "/Groups/" + admins,
                      R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],)"
                      R"("Operations":[{"op":"remove","path":"members"}]})");
    is(world.decide("ada", {{"group=Admins"}}), "not_allowed: group=Admins",
       "the next decision sees the removal from a group");
}

void test_nested_groups() {
    World world;
    const std::string ada = world.user("ada");
    std::string inner = world.group("g1", {ada});
    for (size_t depth = 2; depth <= nested_depth_max; depth++)
        inner = world.group("g" + std::to_string(depth), {inner});
    is(world.decide("ada", {{"group=g2"}}), "not_allowed: group=g2",
       "a group of a group does not count without nested groups");
    is(world.decide("ada", {{"group=g2"}}, true), "allow", "a group of a group");
    is(world.decide("ada", {{"group=g10"}}, true), "allow", "a depth of 10 groups");
    world.group("g11", {inner});
    is(world.decide("ada", {{"group=g2"}}, true), "not_allowed: group=g2",
       "beyond a depth of 10 no indirect group counts");
    is(world.decide("ada", {{"group=g1"}}, true), "allow", "a direct group counts always");

    World cycle;
    const std::string bob = cycle.user("bob");
    const std::string a = cycle.group("a", {bob}), b = cycle.group("b", {a});
    cycle.client.send(Method::patch, "/Groups/" + a,
                      R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],)"
                      R"("Operations":[{"op":"add","path":"members","value":[{"value":")" +
                          b + R"("}]}]})");
    is(cycle.decide("bob", {{"group=b"}}, true), "allow", "groups that contain each other");
    is(cycle.decide("bob", {{"group=c"}}, true), "not_allowed: group=c", "and an end");

    World many;
    const std::string eve = many.user("eve");
    std::string first;
    for (size_t i = 0; i < nested_groups_max; i++) {
        const std::string id = many.group("m" + std::to_string(i), {eve});
        if (first.empty()) first = id;
    }
    many.group("outer", {first});
    is(many.decide("eve", {{"group=outer"}}, true), "not_allowed: group=outer",
       "more than 1,000 groups: no indirect group counts");
    is(many.decide("eve", {{"group=m999"}}, true), "allow", "more than 1,000 groups: a direct one");
}

int grow(const std::string &path) {
    auto larger = fixture::open_store(path, size_t(256) << 20);
    store::WriteTxn txn(larger->env());
    const std::string value(1 << 20, 'x');
    for (int i = 0; i < 80; i++) txn.put(store::Db::refusals, "large" + std::to_string(i), value);
    return txn.commit() == store::Errc::ok ? 0 : 1;
}

// Another process grows the map while a thread of this one reads.
void test_grown_map() {
    World world;
    world.user("ada");
    store::Reader reader(world.store->env());
    std::optional<store::ReadTxn> long_read(std::in_place, reader);
    const pid_t child = fork();
    if (child == 0) {
        // The child opens the file anew: its copy of the parent's environment is never used.
        execl("/proc/self/exe", "gate", "grow", world.dir.path.c_str(), nullptr);
        _exit(1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    is(status, 0, "another process grows the map");
    std::optional<Snapshot> snapshot;
    ok(!take_snapshot(world.session, snapshot).usable(),
       "a decision does not wait for ever for reads of the old map");
    snapshot.reset();
    std::thread reading([&] {
        while (!long_read->must_end()) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        long_read.reset();
    });
    ok(bool(take_snapshot(world.session, snapshot, std::chrono::minutes(1)).usable()),
       "a decision waits until reads of the old map have ended");
    snapshot.reset();
    reading.join();
    is(world.decide("ada", {}), "allow", "a decision after that reads the larger map");
}

void test_parsing() {
    auto error_of = [](const std::vector<std::string_view> &arguments) {
        auto requirement = parse_requirement(arguments);
        return requirement ? "" : requirement.error().detail;
    };
    is(error_of({"group=a", "error=404"}), "", "error=404");
    is(error_of({"group=a", "error=400"}), "", "error=400");
    is(error_of({"group=a", "error=599"}), "", "error=599");
    for (const char *bad : {"error=399", "error=600", "error=x", "error="})
        is(error_of({"group=a", bad}), "\"" + std::string(bad) + "\" must be between 400 and 599",
           std::string(bad) + " is refused");
    is(error_of({"error=404"}), "there is no condition beside \"error=\"", "error= alone");
    is(error_of({"group="}), "\"group=\" has no value", "group= without a name");
    is(error_of({"active", "group=a"}),
       "\"active\" must be the only condition: an active user is always required",
       "active beside another condition");
    ok(error_of({"groups=a"}).find("\"groups=a\" is not a condition") == 0, "an unknown condition");
    ok(error_of({"group_id=5"}).find("\"group_id=5\" must name the id") == 0, "not an id");
    World world;
    Snapshot snapshot(world.session);
    auto checked = [&](const char *condition) {
        Requirements requirements;
        requirements.add(*parse_requirement({condition}));
        auto outcome = requirements.check(*snapshot.catalog());
        return outcome ? "" : outcome.error().detail;
    };
    is(checked("role=a"), "", "a role is valid for users");
    ok(checked("filter=tilte eq 1").find("filter=tilte eq 1") == 1, "the error quotes the filter");
    ok(!checked("filter=password eq \"x\"").empty(), "a filter over the password is refused");
}

}  // namespace

int main(int argc, char **argv) {
    if (argc == 3) return grow(argv[2]);
    test_subjects();
    test_conditions();
    test_nested_groups();
    test_grown_map();
    test_parsing();
    return tap::done();
}
