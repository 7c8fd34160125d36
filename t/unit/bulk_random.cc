// Random bulk requests: the status of each operation and the directory afterwards are those of a
// naive model, also if a request is spread over several batches.
//
//     SCIM_SEED=n build/unit/bulk_random.t      repeats the run of seed n

#include <cstdlib>
#include <ctime>
#include <map>
#include <random>
#include <set>

#include "bulk_fixture.h"
#include "bulk_model.h"

using namespace scim;
using namespace scim::service;
using namespace fixture;
using namespace bulk_model;

namespace {

constexpr int requests = 400;
constexpr double limit = 20;  // seconds; reached only by slow builds, such as those with sanitizers

double seconds() { return double(std::clock()) / CLOCKS_PER_SEC; }

// ---- Requests ----

class Maker {
  public:
    Maker(std::mt19937 &random, const std::vector<Thing> &things)
        : random_(random), things_(things) {}

    std::vector<Act> acts() {
        const size_t count = 1 + below(12);
        for (size_t i = 0; i < count; i++) {
            const size_t dice = below(12);
            kinds_.push_back(dice < 3   ? Act::post_user
                             : dice < 7 ? Act::post_group
                                        : Act::Kind(Act::put_user + (dice - 7)));
        }
        std::vector<Act> acts;
        for (size_t i = 0; i < count; i++) acts.push_back(act(i));
        return acts;
    }

  private:
    size_t below(size_t n) { return random_() % n; }

    Act act(size_t i) {
        Act act;
        act.kind = kinds_[i];
        act.name = std::string(1, char('a' + below(24)));
        if (!act.creates()) {
            const bool wants_group = act.kind == Act::add_member || act.kind == Act::remove_member;
            act.target = reference(wants_group ? 1 : act.kind == Act::remove ? 2 : 0);
            act.is_stale = below(8) == 0;
        }
        if (act.kind == Act::post_group)
            for (size_t members = below(4); members > 0; members--)
                act.members.push_back(reference(2));
        if (act.kind == Act::add_member || act.kind == Act::remove_member)
            act.members.push_back(reference(2));
        return act;
    }

    bool is_wanted(bool is_group, int kind) const { return kind == 2 || is_group == (kind == 1); }

    // A reference to a user (kind 0), a group (1) or either (2).
    int reference(int kind) {
        std::vector<int> all;
        for (size_t i = 0; i < things_.size(); i++)
            if (is_wanted(things_[i].is_group, kind) && (things_[i].exists || below(20) == 0))
                all.push_back(int(i));
        for (size_t i = 0; i < kinds_.size(); i++)
            if ((kinds_[i] == Act::post_user || kinds_[i] == Act::post_group) &&
                is_wanted(kinds_[i] == Act::post_group, kind))
                for (int times = 0; times < 3; times++) all.push_back(-1 - int(i));
        if (all.empty() || below(40) == 0) return unknown_reference;
        return all[below(all.size())];
    }

    std::mt19937 &random_;
    const std::vector<Thing> &things_;
    std::vector<Act::Kind> kinds_;
};

std::string reference_text(const std::vector<Thing> &things, int reference) {
    if (reference == unknown_reference) return "bulkId:nothing";
    return reference < 0 ? "bulkId:" + std::to_string(-1 - reference)
                         : things[size_t(reference)].id;
}

std::string operation_text(const std::vector<Thing> &things, const Act &act, size_t i) {
    const std::string bulk_id = std::to_string(i);
    std::vector<std::string> members;
    for (int member : act.members) members.push_back(reference_text(things, member));
    if (act.kind == Act::post_user) return post_user(act.name, bulk_id);
    if (act.kind == Act::post_group) return post_group(act.name, bulk_id, members);
    const bool is_group =
        act.kind == Act::add_member || act.kind == Act::remove_member ||
        (act.kind == Act::remove && act.target >= 0 && things[size_t(act.target)].is_group);
    const std::string version = act.is_stale ? R"(,"version":"W/\"999999999\"")" : "";
    const std::string path =
        (is_group ? "/Groups/" : "/Users/") + reference_text(things, act.target);
    auto patch = [&](const std::string &operation) {
        return fixture::operation("PATCH", path, R"({"Operations":[)" + operation + "]}", "",
                                  version);
    };
    switch (act.kind) {
        case Act::put_user:
            return fixture::operation("PUT", path, R"({"userName":")" + act.name + "\"}", "",
                                      version);
        case Act::patch_user: return patch(R"({"op":"replace","path":"title","value":"patched"})");
        case Act::add_member:
            return patch(R"({"op":"add","path":"members","value":[{"value":")" + members[0] +
                         R"("}]})");
        case Act::remove_member:
            return patch(R"({"op":"remove","path":"members[value eq \")" + members[0] + R"(\"]"})");
        default: return fixture::operation("DELETE", path, "", "", version);
    }
}

// A DELETE of what the request creates needs the endpoint of its type.
void fix_endpoints(const std::vector<Act> &acts, std::vector<std::string> &texts) {
    for (size_t i = 0; i < acts.size(); i++) {
        const Act &act = acts[i];
        if (act.kind != Act::remove || act.target >= 0 || act.target == unknown_reference) continue;
        if (acts[size_t(-1 - act.target)].kind != Act::post_group) continue;
        std::string &text = texts[i];
        text.replace(text.find("/Users/"), 7, "/Groups/");
    }
}

// ---- Comparison ----

std::string directory_of(Client &client) {
    client.settings.max_results = 10000;
    std::string text;
    for (const char *type : {"/Users", "/Groups"}) {
        const Json list = tree_of(client.get(type, "count=10000"));
        const json_t *resources = json_object_get(list.get(), "Resources");
        std::set<std::string> lines;
        for (size_t i = 0; i < json_array_size(resources); i++) {
            const json_t *one = json_array_get(resources, i);
            std::string line = at(one, "id") + at(one, "userName") + at(one, "displayName") + " " +
                               at(one, "title");
            std::set<std::string> members;
            const json_t *list_of = json_object_get(one, "members");
            for (size_t m = 0; m < json_array_size(list_of); m++)
                members.insert(at(json_array_get(list_of, m), "value"));
            for (const std::string &member : members) line += " " + member;
            lines.insert(line + "\n");
        }
        for (const std::string &line : lines) text += line;
    }
    return text;
}

std::string directory_of(const std::vector<Thing> &things) {
    std::string text;
    for (bool is_group : {false, true}) {
        std::set<std::string> lines;
        for (const Thing &thing : things) {
            if (!thing.exists || thing.is_group != is_group) continue;
            std::string line = thing.id + thing.name + " " + thing.title;
            std::set<std::string> members;
            for (int member : thing.members) members.insert(things[size_t(member)].id);
            for (const std::string &member : members) line += " " + member;
            lines.insert(line + "\n");
        }
        for (const std::string &line : lines) text += line;
    }
    return text;
}

// A write of so much work that a bulk request behind it finds little of the batch's left.
std::string long_user(std::mt19937 &random) {
    std::string emails;
    const size_t length = 16030 + random() % 70;
    for (int email = 0; email < 10; email++) {
        std::string value;
        for (size_t i = 0; i < length; i++) value += random() % 2 ? "\xce\x90" : "\xce\xb0";
        emails += (email ? "," : "") + (R"({"value":")" + value + "\"}");
    }
    return R"({"userName":"long","emails":[)" + emails + "]}";
}

class Run {
  public:
    explicit Run(uint32_t seed)
        : random_(seed),
          store_(open_store(dir_.path, size_t(1) << 30)),
          client_(*store_),
          other_(*store_, add_tenant(store_->env(), "other")),
          filler_("/Users/" + other_.create("/Users", R"({"userName":"long"})")) {}

    // Sends a random request. False if the response or the directory is not that of the model.
    bool request() {
        const std::vector<Act> acts = Maker(random_, things_).acts();
        const size_t most_errors = random_() % 4 == 0 ? 1 + random_() % 3 : 0;
        client_.settings.bulk_atomic = random_() % 5 == 0;
        const std::string body = body_of(acts, most_errors);
        const Response &response = send(body);
        const Model model(things_, acts, most_errors, client_.settings.bulk_atomic);
        operations += acts.size();
        const std::string want = note(model, acts.size()), got = statuses(response);
        if (got != want) {
            diag("statuses " + got + ", expected " + want + "\n" + body + "\n" + response.body);
            return false;
        }
        learn_ids(model, acts.size(), response);
        const std::string is = directory_of(client_);
        if (is == directory_of(things_)) return true;
        diag("the directory is\n" + is + "expected\n" + directory_of(things_) + body);
        return false;
    }

    size_t operations = 0;
    int spread = 0;           // requests that took several batches
    std::map<int, int> seen;  // statuses

  private:
    std::string body_of(const std::vector<Act> &acts, size_t most_errors) const {
        std::vector<std::string> texts;
        for (size_t i = 0; i < acts.size(); i++)
            texts.push_back(operation_text(things_, acts[i], i));
        fix_endpoints(acts, texts);
        return bulk_text(texts, most_errors != 0
                                    ? R"("failOnErrors":)" + std::to_string(most_errors) + ","
                                    : "");
    }

    const Response &send(const std::string &body) {
        Job *job = client_.job(Method::post, "/Bulk", body);
        if (random_() % 8 == 0) {
            Job *before = other_.job(Method::put, filler_, long_user(random_));
            client_.run({before, job});
            spread += job->continues;
            if (job->is_left()) run_bulk(client_, *job);
        } else {
            run_bulk(client_, *job);
        }
        return job->response;
    }

    // The expected statuses.
    std::string note(const Model &model, size_t count) {
        std::string want;
        for (size_t i = 0; i < count; i++) {
            const int status = model.statuses()[i];
            seen[status]++;
            if (status != 0) want += (want.empty() ? "" : " ") + std::to_string(status);
        }
        return want;
    }

    void learn_ids(const Model &model, size_t count, const Response &response) {
        size_t place = 0;
        for (size_t i = 0; i < count; i++) {
            if (model.statuses()[i] == 0) continue;
            if (const int number = model.created()[i]; number >= 0)
                things_[size_t(number)].id = id_at(response, place);
            place++;
        }
    }

    std::mt19937 random_;
    TempDir dir_;
    std::unique_ptr<Store> store_;
    Client client_, other_;
    const std::string filler_;
    std::vector<Thing> things_;
};

}  // namespace

int main() {
    const char *set = std::getenv("SCIM_SEED");
    const auto seed = uint32_t(set != nullptr ? std::strtoul(set, nullptr, 10)
                                              : (unsigned long)(std::time(nullptr)));
    note("SCIM_SEED=" + std::to_string(seed));
    Run run(seed);
    int count = 0;
    bool good = true;
    for (; count < requests && good && seconds() < limit; count++) good = run.request();
    if (!good) diag("SCIM_SEED=" + std::to_string(seed));
    ok(good, "[S-144] " + std::to_string(run.operations) + " operations of " +
                 std::to_string(count) + " random bulk requests do what the model does");
    note(std::to_string(run.spread) + " requests were spread");
    ok(count < 100 || run.spread > 0, "some requests are spread over several batches");
    for (int status : {0, 200, 201, 204, 400, 404, 409, 412, 424})
        ok(count < 100 || run.seen[status] > 0,
           "the requests have operations with the result " + std::to_string(status));
    return tap::done();
}
