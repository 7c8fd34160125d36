// Tests which groups a user is in indirectly, and where they show: `groups` of a User, filters,
// values of the gate. The work is bounded.

#include "service/nested_groups.h"

#include "gate_fixture.h"
#include "gate_texts.h"

using namespace scim;
using namespace scim::service;

namespace {

struct World : fixture::GateStore {
    World() { client.settings.nested_groups = true; }

    void add_members(const std::string &group, const std::vector<std::string> &members) {
        client.send(
            Method::patch, "/Groups/" + group,
            R"({"Operations":[{"op":"add","path":"members","value":)" + list(members) + "}]}");
    }
    // `groups` of a user as "name:type …"
    std::string groups(const std::string &user) {
        return shown(client.get("/Users/" + user, "attributes=groups.display,groups.type").body);
    }
    // The users that a filter finds, as "userName …"
    std::string found(const std::string &filter) {
        std::string names;
        const std::string body =
            client.get("/Users", "sortBy=userName&attributes=userName&filter=" + filter).body;
        for (const std::string &name : parts(body, "\"userName\":\"")) names += ' ' + name;
        return names.empty() ? body.find("totalResults\":0") != body.npos ? "" : body
                             : names.substr(1);
    }
    std::string value(const std::string &user, const char *path, bool nested,
                      bool *complete = nullptr) {
        Snapshot snapshot(session);
        GateOptions options;
        options.nested_groups = nested;
        GateUser found = gate.find(snapshot, {"one", "id", user});
        std::string out;
        for (const std::string &text :
             fixture::texts(UserAttribute(path), found, &snapshot, options, complete))
            out += (out.empty() ? "" : " ") + text;
        return out;
    }

    // The texts behind each `mark`, up to a quotation mark.
    static std::vector<std::string> parts(const std::string &text, const std::string &mark) {
        std::vector<std::string> out;
        for (size_t at = text.find(mark); at != text.npos; at = text.find(mark, at)) {
            at += mark.size();
            out.push_back(text.substr(at, text.find('"', at) - at));
        }
        return out;
    }
    static std::string shown(const std::string &body) {
        const auto names = parts(body, "\"display\":\""), types = parts(body, "\"type\":\"");
        std::string out;
        for (size_t i = 0; i < names.size(); i++)
            out += (out.empty() ? "" : " ") + names[i] + ':' + (i < types.size() ? types[i] : "");
        return out;
    }
};

void test_groups_of_user() {
    World world;
    const std::string ada = world.user("ada"), bob = world.user("bob"), eve = world.user("eve");
    const std::string a = world.group("A", {ada});
    const std::string d = world.group("D", {a, ada, bob});
    const std::string c2 = world.group("C2", {}), c1 = world.group("C1", {});
    const std::string b = world.group("B", {a});
    world.add_members(c1, {b});
    world.add_members(c2, {b});
    world.add_members(a, {c1});  // a cycle
    is(world.groups(ada), "A:direct D:direct B:indirect C2:indirect C1:indirect",
       "[S-36] direct groups come first, then the nearest; a direct group is not repeated");
    is(world.groups(bob), "D:direct", "a group that is in no group adds none");
    is(world.groups(eve), "", "a user in no group has none");
    is(world.value(ada, "groups.display", true), "A D B C2 C1", "values have the same groups");
    is(world.value(ada, "groups.type", true), "direct direct indirect indirect indirect",
       "the types of values are direct and indirect");
    is(world.value(ada, "groups.display", false), "A D",
       "without nested groups, values have direct groups only");

    is(world.found("groups%20eq%20%22" + c1 + "%22"), "ada",
       "a filter finds the indirect members of a group");
    is(world.found("groups%20eq%20%22" + d + "%22"), "ada bob",
       "a filter finds the direct members of a group that contains others");
    is(world.found("groups[type%20eq%20%22indirect%22]"), "ada", "a filter knows the type");
    is(world.found("groups[value%20eq%20%22" + b + "%22%20and%20type%20eq%20%22direct%22]"), "",
       "an indirect group is not of type direct");
    is(world.found("groups.display%20eq%20%22B%22"), "ada", "a filter knows the name");
    is(world.found("groups%20eq%20%22" + ada + "%22"), "", "the id of a user is no group");

    Job *job = world.client.job(Method::patch, "/Users/" + ada,
                                R"({"Operations":[{"op":"add","path":"title","value":"x"}]})");
    world.client.run({job});
    if (job->unfinished) world.client.finish(*job);
    ok(job->response.body.find("\"display\":\"C1\",\"type\":\"indirect\"") != std::string::npos,
       "the response to a write shows indirect groups");
    world.client.settings.nested_groups = false;
    is(world.groups(ada), "A:direct D:direct",
       "[S-36] without nested groups, only direct ones are shown");
    is(world.found("groups%20eq%20%22" + c1 + "%22"), "",
       "without nested groups, a filter finds no indirect member");

    world.client.settings.nested_groups = true;
    const std::string etag = world.client.get("/Users/" + ada).etag;
    world.add_members(world.group("E", {}), {c2});
    is(world.groups(ada), "A:direct D:direct B:indirect C2:indirect C1:indirect E:indirect",
       "a change of a group shows at the next request");
    is(world.client.get("/Users/" + ada).etag, etag, "the ETag does not cover indirect groups");
    world.client.send(Method::del, "/Groups/" + b);
    is(world.groups(ada), "A:direct D:direct",
       "the deletion of a group in between ends indirect memberships");
}

void test_limits() {
    World world;
    const std::string ada = world.user("ada");
    std::string inner = world.group("g1", {ada});
    for (size_t depth = 2; depth <= nested_depth_max; depth++)
        inner = world.group("g" + std::to_string(depth), {inner});
    const std::string deepest = inner;
    ok(world.groups(ada).find("g10:indirect") != std::string::npos, "a depth of 10 is shown");
    is(world.found("groups%20eq%20%22" + deepest + "%22"), "ada",
       "a filter finds an indirect member at a depth of 10");
    const std::string outer = world.group("g11", {inner});
    is(world.groups(ada), "g1:direct", "of a user in deeper groups, only direct ones are shown");
    is(world.found("groups%20eq%20%22" + deepest + "%22"), "",
       "a filter does not find a user in deeper groups by a group of depth 10");
    is(world.found("groups%20eq%20%22" + outer + "%22"), "",
       "a filter does not find a user in deeper groups by the deepest");
    bool complete = true;
    is(world.value(ada, "groups.display", true, &complete), "g1",
       "beyond it, values have direct groups");
    ok(!complete, "values of a user in deeper groups are cut");

    World wide;
    const std::string eve = wide.user("eve"), first = wide.group("first", {eve});
    std::vector<Job *> jobs;
    auto add = [&](size_t count) {
        jobs.clear();
        for (size_t i = 0; i < count; i++)
            jobs.push_back(wide.client.job(Method::post, "/Groups",
                                           R"({"displayName":"w)" + std::to_string(count + i) +
                                               R"(","members":[{"value":")" + first + "\"}]}"));
        wide.client.run(jobs);
    };
    add(nested_groups_max - 1);
    auto count = [&] {
        return World::parts(wide.client.get("/Users/" + eve).body, "\"type\":\"indirect").size();
    };
    is(count(), nested_groups_max - 1, "1,000 groups are shown");
    add(1);
    is(count(), size_t(0), "of more groups, only the direct one is shown");
}

// A user of indirect groups in a snapshot, read with a budget of which `spent` bytes are used up.
size_t read_with(World &world, const std::string &user, size_t spent) {
    Snapshot snapshot(world.session);
    store::ReadBudget budget({}, store::RunOn::event_loop);
    store::Directory directory(snapshot.txn, world.client.tenant(), &budget);
    (void)budget.has_time(spent);
    return indirect_groups(*snapshot.catalog(), directory, snapshot.groups, *parse_id(user))
        .ids.size();
}

void test_budget() {
    World world;
    const std::string ada = world.user("ada"), a = world.group("A", {ada});
    for (const char *name : {"B", "C", "D", "E"}) world.group(name, {a});
    constexpr size_t all = 1 << 20, row = 64;
    is(read_with(world, ada, all + 1), size_t(0), "a budget that is used up ends the reading");
    for (size_t rows = 0; rows < 12; rows++) (void)read_with(world, ada, all - rows * row);
    is(read_with(world, ada, 0), size_t(4),
       "groups that a used-up budget has cut off are not remembered");
    ok(read_with(world, ada, all - 2 * row) < 4, "groups from the cache are charged to the budget");
}

}  // namespace

int main() {
    test_groups_of_user();
    test_limits();
    test_budget();
    return tap::done();
}
