// Tests that a query finds what evaluating the filter on every resource finds, whatever its plan,
// in the order and on the page asked for, and that explain() names the plan.
//
//     SCIM_SEED=n SCIM_CASES=n query_plan.t

#include "service/access_path.h"

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
    is(wrong, 0u, std::to_string(cases) + " random queries find what a naive evaluator finds");
    ok(some > cases / 4, "more than a quarter of the random queries find some users and not all");
    for (const auto &[plan, count] : plans) note(plan + ": " + std::to_string(count));
    for (const char *plan :
         {"scan", "nothing", "id", "members of a", "any of", "index userName", "index active",
          "index name.familyName", "index emails.value", "index externalId"})
        ok(plans[plan] > cases / 2000,
           std::string("some random queries have the plan '") + plan + "'");
}

// ---- Sorting ----

// Returns the JSON value of a resource that sorting compares, or null if there is none.
json_t *sorted_value(const Known &known, json_t *body) {
    std::vector<json_t *> all = tops(body, known.extension, known.top);
    if (*known.sub)
        for (json_t *one : all)
            if (json_is_true(json_object_get(one, "primary")))
                if (auto parts = each(json_object_get(one, known.sub)); !parts.empty())
                    return parts[0];
    for (json_t *one : all) {
        auto parts = *known.sub ? each(json_object_get(one, known.sub)) : std::vector{one};
        if (!parts.empty()) return parts[0];
    }
    return nullptr;
}

int order(const Known &known, json_t *a, json_t *b) {
    auto sign = [](auto x, auto y) { return x < y ? -1 : int(y < x); };
    auto number = [](json_t *v) { return json_number_value(v); };
    switch (known.type) {
        case AttrType::boolean: return sign(json_is_true(a), json_is_true(b));
        case AttrType::integer: return sign(json_integer_value(a), json_integer_value(b));
        case AttrType::decimal: return sign(number(a), number(b));
        case AttrType::date_time:
            return sign(*parse_datetime(text_of(a)), *parse_datetime(text_of(b)));
        default: break;
    }
    std::string x = key_of(known.matching, text_of(a)), y = key_of(known.matching, text_of(b));
    return sign(x.substr(0, 336), y.substr(0, 336));
}

std::vector<Id> naive_sorted(const Population &population, const Known &known, bool descending) {
    std::vector<const Person *> all;
    for (const Person &person : population.people) all.push_back(&person);
    std::stable_sort(all.begin(), all.end(), [&](const Person *a, const Person *b) {
        json_t *x = sorted_value(known, a->body.get()), *y = sorted_value(known, b->body.get());
        if (!x || !y) return descending ? !x && y : x && !y;
        int sign = order(known, x, y);
        return descending ? sign > 0 : sign < 0;
    });
    std::vector<Id> ids;
    ids.reserve(all.size());
    for (const Person *person : all) ids.push_back(person->id);
    return ids;
}

void sorting(Population &population) {
    for (const Known &known : attributes) {
        std::string path = path_of(known.extension, known.top, known.sub);
        for (bool descending : {false, true}) {
            Query query = query_of("");
            query.sort_by = path;
            query.sort_order = descending ? "DESCENDING" : "ascending";
            std::vector<Id> all = naive_sorted(population, known, descending);
            Answer answer = ask(population, query);
            ok(answer.why.empty() && answer.page == all,
               "all users are sorted by " + path + (descending ? ", descending" : ""));
            query.start_index = int64_t(1 + below(user_count));
            query.count = int64_t(below(12));
            Answer page = ask(population, query);
            size_t start = size_t(*query.start_index - 1);
            size_t end = std::min(all.size(), start + size_t(*query.count));
            ok(page.total == user_count &&
                   page.page == std::vector<Id>(all.begin() + long(start), all.begin() + long(end)),
               "a page of users sorted by " + path + (descending ? ", descending," : "") +
                   " is the part of all");
        }
    }
    Query unprefixed = query_of("");
    unprefixed.sort_by = "seat.floor";
    is(ask(population, unprefixed).dialect, "unprefixed-extension",
       "sortBy with an extension's attribute without its URN is accepted and reported");
    unprefixed.sort_by = "division";
    is(ask(population, unprefixed).why,
       "invalidPath: \"sortBy\" is \"division\", which several extensions have; expected one with "
       "its URN such as \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division\"",
       "sortBy with a name that two extensions have is refused");
    auto refused = [&](const char *path, const char *order, const char *why) {
        Query query = query_of("");
        query.sort_by = path;
        query.sort_order = order;
        std::string got = ask(population, query).why;
        ok(got.find(why) != got.npos,
           std::string("sortBy '") + path + "' with sortOrder '" + order + "' is refused");
        if (got.find(why) == got.npos) diag(got);
    };
    refused("name", "", "invalidPath: \"sortBy\" is \"name\", which is complex");
    refused("nothing", "", "invalidPath: \"sortBy\" is \"nothing\", which no attribute of User");
    refused("password", "", "invalidPath: \"sortBy\" is \"password\", which is never returned");
    refused("userName", "up", "invalidValue: \"sortOrder\" is \"up\"");
}

// Adds more hits than a sorter keeps.
void sorter() {
    Sorter sorter(false, 10);
    std::vector<size_t> numbers(50000);
    for (size_t i = 0; i < numbers.size(); i++) numbers[i] = i;
    std::shuffle(numbers.begin(), numbers.end(), engine);
    for (size_t n : numbers) {
        Hit hit;
        hit.id[0] = uint8_t(n % 7);
        std::string key = std::to_string(100000 + n);
        sorter.add(hit, n % 1000 == 999 ? nullptr : &key);
    }
    auto hits = sorter.take(3, 7);
    bool good = hits.size() == 7;
    for (size_t i = 0; good && i < hits.size(); i++) good = hits[i].id[0] == (3 + i) % 7;
    ok(good, "a sorter that keeps 10 hits returns the first of 50,000");
}

// ---- Plans ----

void plans(Population &population) {
    std::string person = to_string(population.people[0].id),
                group = to_string(population.groups[0].id);
    auto planned = [&](const std::string &filter, const std::string &expected,
                       const char *type = "User") {
        Answer answer = ask(population, query_of(filter), {type});
        bool good = answer.plan.compare(0, expected.size(), expected) == 0;
        ok(good, filter + " has the plan '" + expected + "'");
        if (!good) diag(answer.plan + answer.why);
    };
    planned("userName eq \"x\"", "User: index userName eq, 1 rows");
    planned("userName eq \"x\" and active eq true", "User: index userName eq, 1 rows, verified");
    planned("active eq true and userName eq \"x\"", "User: index userName eq, 1 rows, verified");
    planned("id eq \"" + person + "\"", "User: id, 1 rows, verified");
    planned("active eq true and id eq \"" + person + "\"", "User: id, 1 rows, verified");
    planned("id eq \"x\"", "User: nothing, 0 rows");
    planned("userName sw \"a\"", "User: index userName sw, ");
    planned("userName ge \"a\" and userName lt \"b\"", "User: index userName range, ");
    planned("level gt 5", "User: index urn:example:acme:2.0:User:level gt, ");
    planned("level gt 5.5", "User: scan, 40 resources, verified");
    planned("level lt 9223372036854775808", "User: scan, 40 resources, verified");
    planned("externalId pr", "User: index externalId pr, ");
    planned("userName eq \"x\" or id eq \"" + person + "\"",
            "User: any of (index userName eq, id), 2 rows, verified");
    planned("userName eq \"x\" or title eq \"y\"", "User: scan, 40 resources, verified");
    planned("emails[value eq \"x\"]", "User: index emails.value eq, ");
    planned("emails[value eq \"x\" and type eq \"work\"]", "User: index emails.value eq, ");
    planned("seat.tags eq \"x\"", "User: scan, ");
    planned("not (userName eq \"x\")", "User: scan, ");
    planned("userName ne \"x\"", "User: scan, ");
    planned("userName eq null", "User: scan, ");
    planned("title co \"x\"", "User: scan, ");
    planned("meta.resourceType eq \"Group\"", "User: nothing, 0 rows");
    planned("groups eq \"" + group + "\"", "User: members of a group, ");
    planned("groups.value eq \"" + group + "\"", "User: members of a group, ");
    planned("groups[value eq \"" + group + "\"]", "User: members of a group, ");
    planned("members eq \"" + person + "\"", "Group: groups of a member, ", "Group");
    planned("members[value eq \"" + person + "\"]", "Group: groups of a member, ", "Group");
    planned("id eq \"" + group + "\" and members eq \"" + person + "\"", "Group: id, 1 rows",
            "Group");
    planned("members pr", "Group: scan, 10 resources, verified", "Group");
    // Of two indexes the one with fewer matching rows is used.
    planned("active pr and level eq 1000", "User: index urn:example:acme:2.0:User:level eq, ");
    planned("level eq 1000 and active pr", "User: index urn:example:acme:2.0:User:level eq, ");
}

// A union of the rows of many terms is used until a scan is cheaper.
void unions(Population &population) {
    const std::string group = to_string(population.groups[0].id);
    auto joined = [](const std::string &term, size_t terms) {
        std::string filter = term;
        for (size_t i = 1; i < terms; i++) filter += " or " + term;
        return query_of(filter);
    };
    auto kind = [](const Answer &answer) { return answer.plan.substr(0, answer.plan.find(" (")); };
    std::vector<Id> all, members;
    for (const Person &person : population.people) all.push_back(person.id);
    for (size_t n : population.groups[0].members) members.push_back(population.people[n].id);
    for (size_t terms : {2, 249, 250, 2500}) {
        Answer answer = ask(population, joined("userName sw \"\"", terms));
        const std::string name = std::to_string(terms) + " terms that match every user";
        is(kind(answer), terms < 250 ? "User: any of" : "User: scan, 40 resources, verified",
           name + (terms < 250 ? " have the plan any of" : " have the plan scan"));
        ok(answer.page == all, name + " find every user");
    }
    Answer answer = ask(population, joined("groups eq \"" + group + "\"", 2000));
    is(kind(answer), "User: any of", "2,000 terms on a group have the plan any of");
    ok(answer.page == members, "2,000 terms on a group find its members");
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

// ---- Groups ----

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

// ---- Several types, limits ----

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
       "userName pr in a query of two types finds all users");
    is(ask(population, query_of("not (userName pr)"), both).total, group_count,
       "not (userName pr) in a query of two types finds all groups");
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

void limits(Population &population) {
    std::string why = ask(population, query_of("title eq \"x\""), {"User"}, 39).why;
    ok(why.find("tooMany: this query has to look at more than scim_max_scan (39) resources; title "
                "has no index; add a condition with eq on one of ") == 0,
       "a scan of one resource more than scim_max_scan is refused with tooMany");
    note(why);
    is(ask(population, query_of("title eq \"x\""), {"User"}, 40).why, "",
       "a scan of scim_max_scan resources is answered");
    is(ask(population, query_of("userName eq \"x\""), {"User"}, 1).why, "",
       "a query by an index does not count as a scan");
    is(ask(population, query_of("meta.created pr", 0), {"User"}, 49).why, "",
       "a scan of one type counts the resources of this type");
    ok(!ask(population, query_of("meta.created pr", 0), {"User", "Group"}, 49).why.empty(),
       "a scan of two types counts the resources of both");
    Query sorted = query_of("");
    sorted.sort_by = "title";
    ok(!ask(population, sorted, {"User"}, 39).why.empty(), "sorting counts as a scan");
    sorted.count = 0;
    is(ask(population, sorted, {"User"}, 39).why, "",
       "sorting with count=0 does not count as a scan");
    is(ask(population, query_of("title pr", 0)).page.size(), 0u, "count=0 gives an empty page");

    auto is_long = [&](const std::string &filter, const char *type = "User") {
        return ask(population, query_of(filter, 100), {type}, 1000000, RunOn::event_loop).is_long;
    };
    ok(!is_long("userName eq \"x\""), "a query by an index is short enough for the event loop");
    ok(!is_long("title eq \"x\""), "a scan of 40 users is short enough for the event loop");
    std::string many = "title eq \"x\"";
    for (int i = 0; i < 100; i++) many += " or title eq \"x\"";
    ok(is_long(many), "a scan with 101 terms is too long for the event loop");
    ok(!is_long("members eq \"x\"", "Group") && !is_long("members pr", "Group"),
       "queries by membership are short enough for the event loop");
    ok(is_long("members.display eq \"x\"", "Group"),
       "a query by the display of members is too long for the event loop");
}

void budgets() {
    Settings settings;
    Request request;
    std::atomic<bool> cancelled{false};
    request.settings = &settings;
    request.cancelled = &cancelled;
    request.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
    auto records = [&] {
        ReadBudget budget(request, RunOn::thread);
        size_t n = 0;
        while (n < 100000 && budget.go_on()) n++;
        return std::pair(n, budget.stopped() ? budget.error().detail : "");
    };
    auto rows = [&](RunOn run_on) {
        ReadBudget budget(request, run_on);
        size_t n = 0;
        while (n < 100000 && budget.may_walk()) n++;
        return n;
    };
    is(rows(RunOn::thread), 100000u, "a thread before its deadline walks 100,000 rows");
    is(rows(RunOn::event_loop), 16384u, "the event loop walks at most 16,384 rows");
    is(records().first, 100000u, "a search before its deadline reads 100,000 records");
    request.deadline = std::chrono::steady_clock::now();
    is(records().first, 999u, "a search checks its deadline at the 1,000th record");
    ok(records().second.find("took too long") != std::string::npos,
       "the error of a search after its deadline says that it took too long");
    is(rows(RunOn::thread), 16384u, "a thread checks its deadline after 16,384 rows");
    request.deadline = {};
    cancelled = true;
    is(records().second, "the client is gone", "a search ends when the client has disconnected");
    is(rows(RunOn::thread), 16384u,
       "a thread that walks rows ends when the client has disconnected");
}

uint64_t setting(const char *name, uint64_t default_value) {
    const char *value = std::getenv(name);
    return value ? std::strtoull(value, nullptr, 10) : default_value;
}

}  // namespace

int main() {
    uint64_t seed = setting("SCIM_SEED", std::random_device()());
    engine.seed(seed);
    diag("SCIM_SEED=" + std::to_string(seed));
    Population population;
    population.fill();
    plans(population);
    unions(population);
    long_values(population);
    members(population);
    several_types(population);
    limits(population);
    budgets();
    sorting(population);
    sorter();
    agree(population, setting("SCIM_CASES", 20000));
    return tap::done();
}
