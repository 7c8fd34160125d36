// Steps are prepared from parsed JSON without an HTTP request, and planned and applied in order in
// one transaction: each step sees the writes of the steps before it. A Plan is self-contained.

#include "client.h"
#include "scim/text/json.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

Id id_of(uint8_t last) {
    Id id{};
    id[15] = last;
    return id;
}

class Import {
  public:
    Import(Store &store, store::TenantNumber tenant) : session_(store), snapshot_(session_) {
        context_ = std::make_unique<StepContext>(
            StepContext{snapshot_.catalog(), settings_, tenant, 0, {}, 1000});
    }

    // Prepares a step of `operation` on `path`; if it is refused, `why` is the detail of the error.
    std::optional<Step> step(store::Operation operation, const std::string &path,
                             const std::string &json, uint8_t new_id = 0) {
        auto target = parse_target(*context_->catalog, path);
        auto data = parse_json(json, {});
        if (!target || !data) return std::nullopt;
        const Query query;
        DeviationReport report;
        auto step = prepare_step(*context_, {operation, *target, query, data->get(), {}, {}},
                                 id_of(new_id), report);
        why = step ? "" : step.error().detail;
        return step ? std::optional(std::move(*step)) : std::nullopt;
    }

    std::string why;

  private:
    Settings settings_;
    Session session_;
    Snapshot snapshot_;
    std::unique_ptr<StepContext> context_;
};

// Plans and applies a step. Returns a summary such as "201 changes" or "409: …".
std::string decide(store::WriteTxn &txn, Step &step) {
    store::DirectoryWriter directory(txn, step.command.tenant);
    DeviationReport report;
    Work work;
    step.planned = plan(step.command, directory, report, work);
    if (!step.planned)
        return std::to_string(step.planned.error().status()) + ": " + step.planned.error().detail;
    // Applies a copy of the plan: it must not depend on the command or its catalog.
    const Plan copy = *step.planned;
    step.command = Command();
    apply(copy, directory);
    return std::to_string(copy.status) + (copy.changes ? " changes" : "");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    Client client(*store);
    const std::string user = to_string(id_of(1)), group = to_string(id_of(2));
    std::vector<Step> steps;
    {
        Import import(*store, client.tenant());
        auto add = [&](store::Operation operation, const std::string &path, const std::string &json,
                       uint8_t id = 0) {
            auto step = import.step(operation, path, json, id);
            ok(step.has_value(), "a step is prepared from JSON: " + path + " " + import.why);
            if (step) steps.push_back(std::move(*step));
        };
        add(store::Operation::create, "/Users", R"({"userName":"ada"})", 1);
        add(store::Operation::create, "/Groups",
            R"({"displayName":"g","members":[{"value":")" + user + "\"}]}", 2);
        add(store::Operation::patch, "/Users/" + user,
            R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],)"
            R"("Operations":[{"op":"add","path":"title","value":"x"}]})");
        add(store::Operation::create, "/Users", R"({"userName":"ADA"})", 3);
        add(store::Operation::remove, "/Groups/" + group, "{}");
        ok(!import.step(store::Operation::create, "/Users", "{}", 4) &&
               import.why.find("userName") != import.why.npos,
           "a step without a required attribute is refused when it is prepared");
    }
    is(steps.size(), 5u, "all five steps are prepared");
    store::WriteTxn txn(store->env());
    is(decide(txn, steps[0]), "201 changes", "the first step creates the user");
    is(decide(txn, steps[1]), "201 changes",
       "the second step creates a group with this user as a member");
    is(decide(txn, steps[2]), "200 changes", "the third step changes the user");
    is(decide(txn, steps[3]).substr(0, 4), "409:", "the fourth step gets 409: the name is taken");
    is(decide(txn, steps[4]), "204 changes", "the fifth step deletes the group");
    ok(txn.commit() == store::Errc::ok, "the transaction of all steps is committed");
    const Response response = client.get("/Users/" + user);
    ok(response.body.find("\"title\":\"x\"") != response.body.npos &&
           response.body.find("\"groups\"") == response.body.npos,
       "after the commit the user has the new title and no groups");
    is(client.get("/Groups/" + group).status, 404,
       "after the commit GET of the group is answered with 404");
    return tap::done();
}
