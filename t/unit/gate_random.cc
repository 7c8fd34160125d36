// Compares decisions of the access gate with a naive model: random users, groups in groups and
// requirements. Damaged conditions and subjects of random bytes do not crash.
//
//     SCIM_SEED=n SCIM_CASES=n gate_random.t

#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>

#include "client.h"
#include "service/gate.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

unsigned long number_of(const char *variable, unsigned long otherwise) {
    const char *text = getenv(variable);
    return text != nullptr ? strtoul(text, nullptr, 10) : otherwise;
}

std::mt19937 &dice() {
    static std::mt19937 dice(unsigned(number_of("SCIM_SEED", std::random_device()())));
    return dice;
}
size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(dice()); }
bool chance(size_t percent) { return below(100) < percent; }

constexpr size_t users = 6, groups = 6, roles = 3;

std::string name_of(const char *kind, size_t n) { return kind + std::to_string(n); }

// What the store holds. Members of a group are users (below `users`) and then groups.
struct Model {
    bool active[users];
    std::set<size_t> roles_of[users];
    std::set<size_t> members[groups];

    bool is_member(size_t group, size_t user, bool nested) const {
        std::set<size_t> seen{group};
        std::vector<size_t> open{group};
        while (!open.empty()) {
            const size_t current = open.back();
            open.pop_back();
            if (members[current].count(user) != 0) return true;
            if (!nested) break;
            for (size_t member : members[current])
                if (member >= users && seen.insert(member - users).second)
                    open.push_back(member - users);
        }
        return false;
    }
};

// One random condition, and whether it holds for each user.
struct RandomCondition {
    std::string text;
    bool holds[users];
};

class World {
  public:
    World() {
        for (size_t i = 0; i < users; i++) add_user(i);
        for (size_t i = 0; i < groups; i++)
            ids_.push_back(
                client_.create("/Groups", R"({"displayName":")" + name_of("group", i) + "\"}"));
        for (size_t i = 0; i < groups; i++) add_members(i);
    }

    RandomCondition condition(bool nested) {
        RandomCondition out;
        const size_t n = below(groups + 1);  // one group does not exist
        const size_t role = below(roles), user = below(users);
        const size_t kind = below(4);
        if (kind == 0) out.text = "group=" + name_of("group", n);
        if (kind == 1) out.text = "group_id=" + (n < groups ? ids_[users + n] : ids_[user]);
        if (kind == 2) out.text = "role=" + name_of("role", role);
        if (kind == 3) out.text = "filter=userName eq \"" + name_of("user", user) + "\"";
        for (size_t i = 0; i < users; i++) {
            out.holds[i] = n < groups && model_.is_member(n, i, nested);
            if (kind == 2) out.holds[i] = model_.roles_of[i].count(role) != 0;
            if (kind == 3) out.holds[i] = i == user;
        }
        return out;
    }

    // Decides for every user, and compares with the model. Returns the number of differences.
    size_t compare() {
        GateOptions options;
        options.nested_groups = chance(50);
        Requirements requirements;
        bool passes[users];
        std::copy(std::begin(model_.active), std::end(model_.active), passes);
        for (size_t lines = below(4); lines > 0; lines--) {
            std::vector<RandomCondition> alternatives(1 + below(3));
            for (RandomCondition &alternative : alternatives)
                alternative = condition(options.nested_groups);
            std::vector<std::string_view> texts;
            texts.reserve(alternatives.size());
            for (const RandomCondition &alternative : alternatives)
                texts.push_back(alternative.text);
            requirements.add(*parse_requirement(texts));
            for (size_t i = 0; i < users; i++)
                passes[i] &= std::any_of(
                    alternatives.begin(), alternatives.end(),
                    [&](const RandomCondition &alternative) { return alternative.holds[i]; });
        }
        size_t wrong = 0;
        Snapshot snapshot(session_);
        for (size_t i = 0; i < users; i++) {
            const std::string name = name_of(chance(50) ? "user" : "USER", i);
            const GateUser user = gate_.find(snapshot, {"one", "userName", name});
            const bool passed =
                user.reason == Reason::none &&
                gate_.decide(snapshot, user, requirements, options).reason == Reason::none;
            wrong += passed != passes[i];
        }
        return wrong;
    }

    // A subject of random bytes names nobody.
    bool is_nobody(const std::string &subject) {
        Snapshot snapshot(session_);
        return gate_.find(snapshot, {"one", "userName", subject}).reason != Reason::none;
    }

  private:
    void add_user(size_t i) {
        model_.active[i] = chance(80);
        std::string values;
        for (size_t role = 0; role < roles; role++) {
            if (!chance(40)) continue;
            model_.roles_of[i].insert(role);
            values +=
                (values.empty() ? "" : ",") + (R"({"value":")" + name_of("role", role) + "\"}");
        }
        ids_.push_back(client_.create(
            "/Users", R"({"userName":")" + name_of("user", i) + R"(","active":)" +
                          (model_.active[i] ? "true" : "false") + R"(,"roles":[)" + values + "]}"));
    }
    void add_members(size_t i) {
        std::string values;
        for (size_t member = 0; member < users + groups; member++) {
            if (member == users + i || !chance(member < users ? 30 : 20)) continue;
            model_.members[i].insert(member);
            values += (values.empty() ? "" : ",") + (R"({"value":")" + ids_[member] + "\"}");
        }
        client_.send(Method::patch, "/Groups/" + ids_[users + i],
                     R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],)"
                     R"("Operations":[{"op":"replace","path":"members","value":[)" +
                         values + "]}]}");
    }

    fixture::TempDir dir_;
    std::unique_ptr<Store> store_ = fixture::open_store(dir_.path);
    Client client_{*store_};
    Session session_{*store_};
    Gate gate_;
    Model model_;
    std::vector<std::string> ids_;  // of the users, then of the groups
};

std::string random_bytes() {
    std::string bytes(below(40), '\0');
    for (char &c : bytes) c = char(below(256));
    return bytes;
}

}  // namespace

int main() {
    const unsigned long seed = number_of("SCIM_SEED", std::random_device()());
    setenv("SCIM_SEED", std::to_string(seed).c_str(), 1);
    const size_t cases = number_of("SCIM_CASES", 4000);
    diag("SCIM_SEED=" + std::to_string(seed));
    size_t wrong = 0;
    for (size_t i = 0; i < cases; i += 200) {
        World world;
        for (size_t k = 0; k < 200; k++) wrong += world.compare();
    }
    is(wrong, size_t(0), std::to_string(cases) + " decisions for 6 users are those of the model");
    size_t accepted = 0;
    World world;
    for (size_t i = 0; i < cases; i++) {
        accepted += !world.is_nobody(random_bytes());
        const char *names[] = {"", "group=", "group_id=", "role=", "filter=", "error="};
        const std::string text = names[below(6)] + random_bytes();
        (void)bool(parse_requirement({text}));
    }
    is(accepted, size_t(0), "random bytes name no user, and damaged conditions do not crash");
    return tap::done();
}
