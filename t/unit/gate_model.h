#pragma once
// Compares the access gate with a naive model: a few users, groups in groups, and requirements. The
// tests draw them at random (t/unit/gate_random.cc), or from the input of a fuzzer (t/fuzz/gate.cc).

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "client.h"
#include "gate_texts.h"
#include "scim/text/text.h"
#include "service/block_user.h"
#include "service/gate_cache.h"
#include "service/nested_groups.h"

namespace fixture {

// What draws the numbers.
class Choices {
  public:
    virtual ~Choices() = default;
    virtual size_t below(size_t n) = 0;
    bool chance(size_t percent) { return below(100) < percent; }
};

constexpr size_t model_users = 4, model_groups = 12, model_roles = 3;

// What the store holds. Members of a group are users (below model_users) and then groups.
struct GateModel {
    bool active[model_users] = {}, blocked[model_users] = {};
    std::set<size_t> roles[model_users], members[model_groups];

    // The groups that the user is in. Element 0 are the direct ones; element n those that contain
    // one of element n - 1 and are in none before.
    std::vector<std::set<size_t>> groups_of(size_t user) const {
        std::vector<std::set<size_t>> levels(1);
        std::set<size_t> seen;
        for (size_t group = 0; group < model_groups; group++)
            if (members[group].count(user) != 0) levels[0].insert(group);
        while (!levels.back().empty()) {
            seen.insert(levels.back().begin(), levels.back().end());
            std::set<size_t> next;
            for (size_t group = 0; group < model_groups; group++)
                for (size_t inner : levels.back())
                    if (members[group].count(model_users + inner) != 0 && seen.count(group) == 0)
                        next.insert(group);
            levels.push_back(next);
        }
        levels.pop_back();
        // Whoever is in deeper groups is in none indirectly.
        if (levels.size() > scim::service::nested_depth_max) levels.resize(1);
        return levels;
    }
    bool is_member(size_t group, size_t user, bool nested) const {
        const auto levels = groups_of(user);
        for (size_t i = 0; i < levels.size() && (i == 0 || nested); i++)
            if (levels[i].count(group) != 0) return true;
        return false;
    }
};

class GateWorld {
  public:
    GateWorld() {
        for (size_t i = 0; i < model_users; i++)
            ids_.push_back(client_.create("/Users", body_of(i)));
        for (size_t i = 0; i < model_groups; i++)
            ids_.push_back(
                client_.create("/Groups", R"({"displayName":")" + name_of("group", i) + "\"}"));
        actual_ = model_;
    }

    // Changes one or several users and groups, in one commit (blocks: in one more).
    void change(Choices &choices) {
        const bool is_one = choices.chance(50);
        const size_t one = choices.below(model_users + model_groups);
        for (size_t i = 0; i < model_users; i++)
            if (!is_one || one == i) draw_user(choices, i);
        for (size_t i = 0; i < model_groups; i++)
            if (!is_one || one == model_users + i) draw_members(choices, i);
        write();
    }

    // The next change() begins with users and groups that have no values and no members.
    void forget() { model_ = {}; }

    // Decides for every user by requirements, which are drawn or were drawn before. Returns the first
    // difference from the model, or between the gate with and without its cache, or "".
    std::string compare(Choices &choices) {
        const Question &question = draw_question(choices);
        Snapshot snapshot(session_);
        for (size_t i = 0; i < model_users; i++) {
            const std::string subject = draw_subject(choices, i);
            const auto user = gate_.find(snapshot, {"one", by_, subject});
            const Decision decision =
                user.reason == Reason::none
                    ? gate_.decide(snapshot, user, question.requirements, question.options)
                    : Decision{user.reason, nullptr, nullptr, false};
            const std::string expected = expected_of(i, question), got = text_of(decision);
            if (got != expected)
                return "user " + std::to_string(i) + " by " + by_ + ": \"" + question.text() +
                       "\" gives \"" + got + "\", not \"" + expected + '"';
            if (std::string wrong = compare_groups(snapshot, user, i, question.options);
                !wrong.empty())
                return wrong;
            if (std::string wrong = compare_cached(snapshot, {"one", by_, subject}, i, question);
                !wrong.empty())
                return wrong;
        }
        return {};
    }
    // How often the cache has answered in compare().
    size_t cached() const { return cached_; }

    // True if a subject of any bytes names a user, or if it is wrongly said to be one.
    bool is_somebody(const std::string &by, const std::string &subject) {
        Snapshot snapshot(session_);
        const auto user = gate_.find(snapshot, {"one", by, subject});
        return user.found() ||
               (user.reason != Reason::unknown && user.reason != Reason::no_subject);
    }
    // True if the subject is the value of a user.
    bool is_value(const std::string &by, const std::string &subject) const {
        for (size_t i = 0; i < model_users; i++)
            if (by == "id"           ? scim::ascii_iequals(ids_[i], subject)
                : by == "externalId" ? subject == name_of("Ext", i)
                                     : scim::ascii_iequals(subject, name_of("User", i)))
                return true;
        return false;
    }

    // Reads of SCIM, with and without indirect groups, against the model. Returns the first
    // difference, or "".
    std::string compare_reads(bool nested) {
        client_.settings.nested_groups = nested;
        for (size_t group = 0; group < model_groups; group++) {
            std::string expected, got;
            for (size_t user = 0; user < model_users; user++)
                if (model_.is_member(group, user, nested)) expected += ids_[user] + ' ';
            const std::string filter =
                "filter=groups%20eq%20%22" + id_of(group) + "%22&attributes=id&sortBy=userName";
            const std::string body = client_.get("/Users", filter).body;
            for (size_t user = 0; user < model_users; user++)
                if (body.find("\"id\":\"" + ids_[user]) != body.npos) got += ids_[user] + ' ';
            if (got != expected)
                return "the filter for group " + std::to_string(group) + " finds " + got + "not " +
                       expected + body;
        }
        for (size_t user = 0; user < model_users; user++) {
            const std::string shown =
                client_.get("/Users/" + ids_[user], "attributes=groups.value,groups.type").body;
            if (shown.find(groups_json(user, nested)) == shown.npos)
                return shown + " lacks " + groups_json(user, nested);
        }
        return {};
    }

  private:
    using CachingGate = scim::service::CachingGate;
    using Reason = scim::service::Reason;
    using Snapshot = scim::service::Snapshot;
    using UserAttribute = scim::service::UserAttribute;
    using Decision = scim::service::Decision;
    using GateOptions = scim::service::GateOptions;

    // A condition that names a group, a role or a user by their numbers.
    struct Condition {
        size_t kind, group, role, user;
    };
    // Lines of scim_require.
    struct Question {
        std::vector<std::vector<Condition>> lines;
        scim::service::Requirements requirements;
        GateOptions options;

        std::string text() const {
            std::string text = options.nested_groups ? "nested: " : "";
            for (const auto &line : requirements.lines()) text += line.text() + "; ";
            return text;
        }
    };

    static std::string name_of(const char *kind, size_t n) { return kind + std::to_string(n); }
    const std::string &id_of(size_t group) const { return ids_[model_users + group]; }

    void draw_user(Choices &choices, size_t i) {
        if (choices.chance(60)) return;
        model_.active[i] = choices.chance(80);
        model_.blocked[i] = choices.chance(10);
        model_.roles[i].clear();
        for (size_t role = 0; role < model_roles; role++)
            if (choices.chance(40)) model_.roles[i].insert(role);
    }
    void draw_members(Choices &choices, size_t i) {
        if (choices.chance(60)) return;
        model_.members[i].clear();
        // Long chains of groups are rare among random members.
        const bool is_chain = choices.chance(50);
        if (is_chain) model_.members[i].insert(model_users + (i + 1) % model_groups);
        for (size_t member = 0; member < model_users + model_groups; member++)
            if (member != model_users + i && choices.chance(member < model_users ? 20
                                                            : is_chain           ? 0
                                                                                 : 15))
                model_.members[i].insert(member);
    }

    std::string body_of(size_t user) const {
        std::string roles;
        for (size_t role : model_.roles[user])
            roles += (roles.empty() ? R"({"value":")" : R"(,{"value":")") + name_of("role", role) +
                     "\"}";
        return R"({"userName":")" + name_of("User", user) + R"(","externalId":")" +
               name_of("Ext", user) + R"(","active":)" + (model_.active[user] ? "true" : "false") +
               R"(,"roles":[)" + roles + "]}";
    }
    std::string patch_of(size_t group) const {
        std::string values;
        for (size_t member : model_.members[group])
            values += (values.empty() ? R"({"value":")" : R"(,{"value":")") + ids_[member] + "\"}";
        return R"({"Operations":[{"op":"replace","path":"members","value":[)" + values + "]}]}";
    }

    void write() {
        std::vector<Job *> jobs;
        for (size_t i = 0; i < model_users; i++)
            if (model_.active[i] != actual_.active[i] || model_.roles[i] != actual_.roles[i])
                jobs.push_back(client_.job(Method::put, "/Users/" + ids_[i], body_of(i)));
        for (size_t i = 0; i < model_groups; i++)
            if (model_.members[i] != actual_.members[i])
                jobs.push_back(client_.job(Method::patch, "/Groups/" + id_of(i), patch_of(i)));
        if (!jobs.empty()) client_.run(jobs);
        for (const Job *job : jobs)
            if (job->response.status / 100 != 2) abort();
        client_.forget_jobs();
        for (size_t i = 0; i < model_users; i++)
            if (model_.blocked[i] != actual_.blocked[i]) write_block(ids_[i], model_.blocked[i]);
        actual_ = model_;
    }
    void write_block(const std::string &user, bool blocked) {
        Snapshot snapshot(session_);
        const auto catalog = snapshot.catalog();
        const auto tenant = *scim::store::find_tenant(snapshot.txn, "one");
        scim::store::WriteTxn txn(store_->env());
        if (blocked)
            (void)block_user(txn, *catalog, tenant, user, client_.now);
        else
            (void)unblock_user(txn, *catalog, tenant, user, client_.now);
        if (txn.commit() != scim::store::Errc::ok) abort();
    }

    const Question &draw_question(Choices &choices) {
        constexpr size_t questions_max = 8;
        if (!questions_.empty() && choices.chance(75))
            return *questions_[choices.below(questions_.size())];
        if (questions_.size() == questions_max) {
            caching_ = std::make_unique<CachingGate>();  // requirements live as long as it
            questions_.clear();
        }
        auto question = std::make_unique<Question>();
        question->options.nested_groups = choices.chance(50);
        question->lines.resize(choices.below(4));
        for (auto &line : question->lines) {
            std::vector<std::string> texts;
            for (size_t count = 1 + choices.below(3); count > 0; count--) {
                const size_t kind = choices.below(6), group = choices.below(model_groups + 1),
                             role = choices.below(model_roles), user = choices.below(model_users);
                line.push_back({kind, group, role, user});
                texts.push_back(text_of(line.back()));
            }
            question->requirements.add(parsed(texts));
        }
        questions_.push_back(std::move(question));
        return *questions_.back();
    }
    std::string text_of(const Condition &c) const {
        const std::string id = c.group < model_groups ? id_of(c.group) : ids_[c.user];
        const std::string texts[] = {"group=" + name_of("GROUP", c.group),
                                     "group_id=" + id,
                                     "role=" + name_of("role", c.role),
                                     "filter=userName eq \"" + name_of("user", c.user) + '"',
                                     "filter=groups.value eq \"" + id + '"',
                                     "filter=groups[display eq \"" + name_of("group", c.group) +
                                         "\" and type eq \"indirect\"]"};
        return texts[c.kind];
    }
    bool holds(const Condition &c, size_t user, bool nested) const {
        const bool is_in = c.group < model_groups && model_.is_member(c.group, user, nested);
        return c.kind == 2   ? model_.roles[user].count(c.role) != 0
               : c.kind == 3 ? user == c.user
               : c.kind == 5 ? is_in && !model_.is_member(c.group, user, false)
                             : is_in;
    }
    static scim::service::Requirement parsed(const std::vector<std::string> &texts) {
        return *scim::service::parse_requirement(
            std::vector<std::string_view>(texts.begin(), texts.end()));
    }
    // Sets by_, too.
    std::string draw_subject(Choices &choices, size_t user) {
        const size_t kind = choices.below(4);
        by_ = kind == 0 ? "id" : kind == 1 ? "externalId" : "userName";
        if (kind == 0) return ids_[user];
        return name_of(kind == 1 ? "Ext" : kind == 2 ? "user" : "USER", user);
    }
    // A reason, or the conditions of the first line that does not hold.
    std::string expected_of(size_t user, const Question &question) const {
        if (model_.blocked[user]) return "blocked";
        if (!model_.active[user]) return "inactive";
        for (size_t i = 0; i < question.lines.size(); i++) {
            const auto &line = question.lines[i];
            if (std::none_of(line.begin(), line.end(), [&](const Condition &condition) {
                    return holds(condition, user, question.options.nested_groups);
                }))
                return question.requirements.lines()[i].text();
        }
        return {};
    }
    static std::string text_of(const Decision &decision) {
        return decision.failed != nullptr ? decision.failed->text()
                                          : std::string(to_string(decision.reason));
    }

    // Asks the gate with its cache for a decision and for the values of the user.
    std::string compare_cached(Snapshot &snapshot, const scim::service::Subject &subject,
                               size_t user, const Question &question) {
        auto known = caching_->find(snapshot, subject);
        if (!known->decisions.empty()) cached_++;
        Decision decision{known->user.reason, nullptr, nullptr, false};
        if (decision.reason == Reason::none)
            decision = caching_->decide(snapshot, *known, question.requirements, question.options);
        if (text_of(decision) != expected_of(user, question))
            return "with its cache, the gate gives \"" + text_of(decision) + "\" for user " +
                   std::to_string(user) + " and \"" + question.text() + '"';
        for (const UserAttribute *attribute : {&groups_, &roles_}) {
            if (known->user.reason != Reason::none) break;
            const scim::service::ValueDefinition definition = {attribute, &format_, true,
                                                               &no_names_, question.options};
            const auto *made = CachingGate::find_value(*known, definition);
            if (made == nullptr) made = &caching_->make_value(&snapshot, *known, definition);
            const auto fresh = gate_.find(snapshot, subject);
            const std::string expected =
                join_values(texts(*attribute, fresh, &snapshot, question.options), format_, true)
                    .text;
            if (made->text != expected)
                return "with its cache, the gate has \"" + made->text + "\", not \"" + expected +
                       "\" of " + attribute->path();
        }
        caching_->keep(known);
        return {};
    }

    std::vector<std::string> ordered(const std::set<size_t> &groups) const {
        std::vector<std::string> ids;
        for (size_t group : groups) ids.push_back(id_of(group));
        std::sort(ids.begin(), ids.end());
        return ids;
    }
    std::string groups_json(size_t user, bool nested) const {
        std::string json;
        const auto levels = model_.groups_of(user);
        for (size_t i = 0; i < levels.size() && (i == 0 || nested); i++)
            for (const std::string &id : ordered(levels[i]))
                json += (json.empty() ? R"("groups":[{"value":")" : R"(,{"value":")") + id +
                        R"(","type":")" + (i == 0 ? "direct" : "indirect") + "\"}";
        return json.empty() ? ids_[user] + "\"}" : json + ']';
    }
    std::string compare_groups(Snapshot &snapshot, const scim::service::GateUser &user, size_t n,
                               GateOptions options) const {
        if (!user.found()) return {};
        std::vector<std::string> expected;
        const auto levels = model_.groups_of(n);
        for (size_t i = 0; i < levels.size() && (i == 0 || options.nested_groups); i++)
            for (const std::string &id : ordered(levels[i])) expected.push_back(id);
        if (texts(UserAttribute("groups"), user, &snapshot, options) == expected) return {};
        return "the groups of user " + std::to_string(n) + " are others";
    }

    TempDir dir_;
    std::unique_ptr<Store> store_ = open_store(dir_.path);
    Client client_{*store_};
    Session session_{*store_};
    scim::service::Gate gate_;
    std::vector<std::unique_ptr<Question>> questions_;
    const UserAttribute groups_{"groups"}, roles_{"roles"};
    const scim::service::ValueFormat format_;
    const std::vector<std::string> no_names_;
    std::unique_ptr<CachingGate> caching_ = std::make_unique<CachingGate>();
    size_t cached_ = 0;
    GateModel model_, actual_;      // as drawn, and as written
    std::vector<std::string> ids_;  // of the users, then of the groups
    std::string by_;
};

}  // namespace fixture
