// Tests that a query finds what evaluating the filter on every resource finds, whatever its access
// path.
//
//     SCIM_SEED=n SCIM_CASES=n search.t

#include "service/query.h"

#include <algorithm>
#include <functional>
#include <map>

#include "query_fixture.h"

using namespace fixture;

namespace {

std::string dump(const json_t *json) {
    std::string out;
    write_value(out, json);
    return out;
}

std::vector<Id> naive_ids(const Population &population, const Tree &tree) {
    std::vector<Id> ids;
    for (const Person &person : population.people)
        if (naive(tree, person.body.get(), nullptr)) ids.push_back(person.id);
    return ids;
}

// Returns a filter that often begins with a condition that an index can answer, as those of
// identity providers do.
Tree query_tree() {
    Tree tree = random_tree(3, nullptr);
    if (chance(2)) return tree;
    Tree both;
    both.kind = chance(3) ? Tree::disjunction : Tree::conjunction;
    for (size_t n = 1 + below(3); n > 0; n--) {
        both.children.push_back(random_term(nullptr));
        const Known *known = both.children.back().known;
        if (!known || !chance(3)) continue;
        // Adds a second condition on the same attribute.
        Tree other;
        other.known = known;
        other.op = random_op(known->type);
        random_literal(other, known->type);
        both.children.push_back(std::move(other));
    }
    if (chance(2)) both.children.push_back(std::move(tree));
    if (both.children.size() == 1) return std::move(both.children[0]);
    return both;
}

void agree(Population &population, size_t cases) {
    size_t wrong = 0, some = 0;
    std::map<std::string, size_t> plans;
    for (size_t i = 0; i < cases && wrong < 5; i++) {
        Tree tree = query_tree();
        std::string text = write_tree(tree, false);
        Answer answer = ask(population, query_of(text));
        std::vector<Id> expected = naive_ids(population, tree);
        some += !expected.empty() && expected.size() < user_count;
        std::string plan = answer.plan.substr(std::min<size_t>(6, answer.plan.size()));
        plan.erase(std::min(plan.size(), plan.find_first_of(",(")));
        plans[plan.substr(0, plan.find(' ') == plan.npos ? plan.npos : plan.rfind(' '))]++;
        Answer walked = walk(population, query_of(text, int64_t(1 + below(12))), {"User"},
                             chance(2) ? 1 + below(user_count) : 1000000);
        if (walked.page != expected || !walked.why.empty()) {
            diag("by cursor: " + walked.plan + " " + walked.why);
            answer.why += "it differs by cursor";
        }
        if (answer.why.empty() && answer.total == expected.size() && answer.page == expected)
            continue;
        wrong++;
        diag(text);
        diag(answer.plan + " " + answer.why + ": " + std::to_string(answer.page.size()) +
             ", expected " + std::to_string(expected.size()));
        for (const Person &person : population.people) {
            bool is = std::count(answer.page.begin(), answer.page.end(), person.id) > 0;
            if (is != naive(tree, person.body.get(), nullptr)) diag(dump(person.body.get()));
        }
    }
    is(wrong, 0u,
       std::to_string(cases) +
           " random queries, as a list and page by page by cursor, find what a naive evaluator "
           "finds");
    ok(some > cases / 4, "more than a quarter of the random queries find some users and not all");
    for (const auto &[plan, count] : plans) note(plan + ": " + std::to_string(count));
    for (const char *plan :
         {"scan", "nothing", "id", "members of a", "any of", "index userName", "index active",
          "index name.familyName", "index emails.value", "index externalId",
          "substring index displayName", "substring index name.givenName",
          "substring index urn:example:acme:2.0:User:code",
          "substring index urn:example:acme:2.0:User:words"})
        ok(plans[plan] > cases / 2000,
           std::string("some random queries have the plan '") + plan + "'");
}

// Compares values whose index rows end with a digest, and literals that are similar to them.
void long_values(Population &population) {
    size_t wrong = 0, found = 0;
    for (const Person &person : population.people) {
        const json_t *value = json_object_get(person.body.get(), "externalId");
        if (!value || json_string_length(value) < 300) continue;
        std::string text(text_of(value)), json;
        write_string(json, text);
        std::string row = *store::index_value(*user().find("externalId"), json);
        for (const std::string &literal : {text, text.substr(0, 336), text.substr(0, 335), row,
                                           text.substr(0, 350) + "y", text.substr(0, 336) + "0"}) {
            if (!is_utf8(literal)) continue;  // the cut is within a character
            for (FilterOp op : {FilterOp::eq, FilterOp::sw, FilterOp::gt, FilterOp::ge,
                                FilterOp::lt, FilterOp::le}) {
                Tree tree;
                tree.known = &attributes[2];
                tree.op = op;
                tree.text = literal;
                json.clear();
                write_string(json, literal);
                std::string filter = "externalId " + std::string(to_string(op)) + " " + json;
                std::vector<Id> expected = naive_ids(population, tree);
                found += expected.size();
                Answer answer = ask(population, query_of(filter));
                if (answer.page == expected) continue;
                if (wrong++ == 0)
                    diag(filter + " by " + answer.plan + " " + answer.why + ": " +
                         std::to_string(answer.page.size()) + ", expected " +
                         std::to_string(expected.size()));
            }
        }
    }
    ok(wrong == 0 && found > 0,
       "queries for values of 300 bytes and more find what a naive evaluator finds");
}

using Test = std::function<bool(const Group &)>;

void group_filter(Population &population, const std::string &filter, const Test &test) {
    std::vector<Id> expected;
    for (const Group &group : population.groups)
        if (test(group)) expected.push_back(group.id);
    Answer answer = ask(population, query_of(filter), {"Group"});
    if (ok(answer.page == expected && answer.total == expected.size(),
           filter + " finds the expected groups"))
        return;
    note(answer.plan + " " + answer.why + ": " + std::to_string(answer.page.size()) +
         ", expected " + std::to_string(expected.size()));
}

void members(Population &population) {
    const Id &first = population.groups[0].id;
    size_t n = 7;
    const Person &person = population.people[n];
    std::string id = to_string(person.id);
    auto has = [&](size_t member) {
        return [member](const Group &group) {
            return std::count(group.members.begin(), group.members.end(), member) > 0;
        };
    };
    auto is_full = [](const Group &group) { return !group.members.empty() || group.holds_first; };
    auto negated = [](const Test &test) { return [test](const Group &g) { return !test(g); }; };
    group_filter(population, "members eq \"" + id + "\"", has(n));
    group_filter(population, "members.value eq \"" + id + "\"", has(n));
    group_filter(population, "members[value eq \"" + id + "\"]", has(n));
    group_filter(population, "members[type eq \"user\" and value eq \"" + id + "\"]", has(n));
    group_filter(population, "members[value eq \"" + id + "\" and type eq \"Group\"]",
                 [](const Group &) { return false; });
    group_filter(population, "members.value co \"" + id + "\"", has(n));
    group_filter(population, "members ne \"" + id + "\"", negated(has(n)));
    group_filter(population, "not (members eq \"" + id + "\")", negated(has(n)));
    group_filter(population, "members.$ref ew \"/Users/" + id + "\"", has(n));
    group_filter(population, "members.$ref eq \"" + std::string(base_url) + "/Users/" + id + "\"",
                 has(n));
    group_filter(population, "members pr", is_full);
    group_filter(population, "members.value pr", is_full);
    group_filter(population, "not (members pr)", negated(is_full));
    group_filter(population, "members eq null", negated(is_full));
    group_filter(population, "members ne null", is_full);
    group_filter(population, "members.type eq \"Group\"",
                 [](const Group &group) { return group.holds_first; });
    group_filter(population, "members eq \"" + to_string(first) + "\"",
                 [](const Group &group) { return group.holds_first; });
    std::string name;
    write_string(name, population.groups[0].name);
    group_filter(population, "members[type eq \"Group\" and display eq " + name + "]",
                 [](const Group &group) { return group.holds_first; });
    group_filter(population, "members eq \"nobody\"", [](const Group &) { return false; });
    group_filter(population, "members eq \"" + id + "\" or members eq \"" + to_string(first) + "\"",
                 [&](const Group &g) { return has(n)(g) || g.holds_first; });
}

void several_types(Population &population) {
    std::vector<const char *> both = {"User", "Group"};
    std::vector<Id> all;
    for (const Person &person : population.people) all.push_back(person.id);
    for (const Group &group : population.groups) all.push_back(group.id);
    Answer answer = ask(population, query_of(""), both);
    ok(answer.page == all && answer.total == all.size(),
       "a query of two types finds all resources of both");
    for (size_t start : {1, 36, 40, 41, 45, 50, 51}) {
        Query query = query_of("", 7);
        query.start_index = int64_t(start);
        answer = ask(population, query, both);
        size_t end = std::min(all.size(), start - 1 + 7);
        ok(answer.total == all.size() &&
               answer.page ==
                   std::vector<Id>(all.begin() + long(start) - 1, all.begin() + long(end)),
           "a page of two types from " + std::to_string(start) + " is the part of all");
    }
    is(ask(population, query_of("meta.resourceType eq \"Group\""), both).total, group_count,
       "meta.resourceType selects one of two types");
    is(ask(population, query_of("userName pr"), both).total, user_count,
       "[S-66] userName pr in a query of two types finds all users");
    is(ask(population, query_of("not (userName pr)"), both).total, group_count,
       "[S-66] not (userName pr) in a query of two types finds all groups");
    is(ask(population, query_of("emails[value eq \"x\"] or members[value eq \"y\"]"), both).why, "",
       "sub-attributes of one type are accepted in a query of two types");
    is(ask(population, query_of("nothing eq 1"), both).why,
       "invalidFilter: no resource type has an attribute \"nothing\"",
       "an attribute that neither type has is refused in a query of two types");
    Query sorted = query_of("");
    sorted.sort_by = "meta.lastModified";
    sorted.sort_order = "descending";
    std::reverse(all.begin(), all.end());
    ok(ask(population, sorted, both).page == all, "a query of two types is sorted across types");
    sorted.sort_by = "members.value";
    ok(ask(population, sorted, both).why.empty(),
       "a query of two types is sorted by an attribute of one type");
}

}  // namespace

int main() {
    seed_from_environment();
    Population population;
    population.fill();
    long_values(population);
    members(population);
    several_types(population);
    agree(population, setting("SCIM_CASES", 20000));
    return tap::done();
}
