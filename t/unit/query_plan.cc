// A query finds what a look at every resource would find, whichever way it is answered, in the order
// and on the page that were asked for; and it says which way that was.
//
//     SCIM_SEED=n SCIM_CASES=n query_plan.t

#include "service/query_plan.h"

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

// A filter that begins with a condition rows can answer, as those of identity providers do.
Tree query_tree() {
    Tree tree = random_tree(3, nullptr);
    if (chance(2)) return tree;
    Tree both;
    both.kind = chance(3) ? Tree::disjunction : Tree::conjunction;
    for (size_t n = 1 + below(3); n > 0; n--) {
        both.children.push_back(random_term(nullptr));
        const Known *known = both.children.back().known;
        if (!known || !chance(3)) continue;
        // Two bounds of one attribute.
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
    std::map<std::string, size_t> ways;
    for (size_t i = 0; i < cases && wrong < 5; i++) {
        Tree tree = query_tree();
        std::string text = write_tree(tree, false);
        Answer answer = ask(population, query_of(text));
        std::vector<Id> expected = naive_ids(population, tree);
        some += !expected.empty() && expected.size() < user_count;
        std::string way = answer.plan.substr(std::min<size_t>(6, answer.plan.size()));
        way.erase(std::min(way.size(), way.find_first_of(",(")));
        ways[way.substr(0, way.find(' ') == way.npos ? way.npos : way.rfind(' '))]++;
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
    ok(some > cases / 4, "many find some and not all");
    for (const auto &[way, count] : ways) note(way + ": " + std::to_string(count));
    for (const char *way :
         {"scan", "nothing", "id", "members of a", "any of", "index userName", "index active",
          "index name.familyName", "index emails.value", "index externalId"})
        ok(ways[way] > cases / 2000, std::string("some of them by: ") + way);
}

// ---- Sorting ----

// The one value of a resource that sorting looks at, as JSON; null if there is none.
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
        case Type::boolean: return sign(json_is_true(a), json_is_true(b));
        case Type::integer: return sign(json_integer_value(a), json_integer_value(b));
        case Type::decimal: return sign(number(a), number(b));
        case Type::date_time: return sign(*parse_datetime(text_of(a)), *parse_datetime(text_of(b)));
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
               "sorted by " + path + (descending ? ", descending" : ""));
            query.start_index = int64_t(1 + below(user_count));
            query.count = int64_t(below(12));
            Answer page = ask(population, query);
            size_t start = size_t(*query.start_index - 1);
            size_t end = std::min(all.size(), start + size_t(*query.count));
            ok(page.total == user_count &&
                   page.page == std::vector<Id>(all.begin() + long(start), all.begin() + long(end)),
               "a page of it");
        }
    }
    Query unprefixed = query_of("");
    unprefixed.sort_by = "seat.floor";
    is(ask(population, unprefixed).dialect, "unprefixed-extension", "an extension without its URN");
    unprefixed.sort_by = "division";
    is(ask(population, unprefixed).why,
       "invalidPath: \"sortBy\" is \"division\", which several extensions have; expected one with "
       "its URN such as \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division\"",
       "a name of two extensions");
    auto refused = [&](const char *path, const char *order, const char *why) {
        Query query = query_of("");
        query.sort_by = path;
        query.sort_order = order;
        std::string got = ask(population, query).why;
        ok(got.find(why) != got.npos, std::string("sortBy ") + path + ", sortOrder " + order);
        if (got.find(why) == got.npos) diag(got);
    };
    refused("name", "", "invalidPath: it cannot be sorted by \"name\", which has parts");
    refused("nothing", "", "invalidPath: \"sortBy\" is \"nothing\", which no attribute of User");
    refused("password", "", "invalidPath: it cannot be sorted by \"password\"");
    refused("userName", "up", "invalidValue: \"sortOrder\" is \"up\"");
}

// More than a sorter keeps.
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
    ok(good, "the first of 50,000, though few are kept");
}

// ---- Plans ----

void plans(Population &population) {
    std::string person = to_string(population.people[0].id),
                group = to_string(population.groups[0].id);
    auto planned = [&](const std::string &filter, const std::string &expected,
                       const char *type = "User") {
        Answer answer = ask(population, query_of(filter), {type});
        bool good = answer.plan.compare(0, expected.size(), expected) == 0;
        ok(good, filter + " by: " + expected);
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
    // Of two sets of rows the smaller one.
    planned("active pr and level eq 1000", "User: index urn:example:acme:2.0:User:level eq, ");
    planned("level eq 1000 and active pr", "User: index urn:example:acme:2.0:User:level eq, ");
}

// The same rows again and again: there is an end to what they are better for than a scan.
void unions(Population &population) {
    const std::string group = to_string(population.groups[0].id);
    auto joined = [](const std::string &term, size_t terms) {
        std::string filter = term;
        for (size_t i = 1; i < terms; i++) filter += " or " + term;
        return query_of(filter);
    };
    auto way = [](const Answer &answer) { return answer.plan.substr(0, answer.plan.find(" (")); };
    std::vector<Id> all, members;
    for (const Person &person : population.people) all.push_back(person.id);
    for (size_t n : population.groups[0].members) members.push_back(population.people[n].id);
    for (size_t terms : {2, 249, 250, 2500}) {
        Answer answer = ask(population, joined("userName sw \"\"", terms));
        const std::string name = " " + std::to_string(terms) + " terms";
        is(way(answer), terms < 250 ? "User: any of" : "User: scan, 40 resources, verified",
           "the plan of" + name);
        ok(answer.page == all, "all by" + name);
    }
    Answer answer = ask(population, joined("groups eq \"" + group + "\"", 2000));
    is(way(answer), "User: any of", "memberships are not looked up for each resource");
    ok(answer.page == members, "all of them");
}

void id_set() {
    constexpr uint64_t distinct = 30000;
    IdSet set;
    size_t most = 0;
    for (uint64_t i = 0; i < 40 * distinct; i++) {
        set.add(make_id(int64_t(i * 7919 % distinct), {}));
        most = std::max(most, set.size());
    }
    std::vector<Id> ids = set.take();
    ok(most <= 2 * distinct + 4096, "there are never many more ids than are different");
    is(ids.size(), distinct, "each once");
    ok(std::is_sorted(ids.begin(), ids.end()), "in order");
}

// Values whose rows have a digest in place of their end, and what is like them.
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
            if (!is_utf8(literal)) continue;  // cut within a character
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
    ok(wrong == 0 && found > 0, "long values");
}

// ---- Groups ----

using Test = std::function<bool(const Group &)>;

void group_filter(Population &population, const std::string &filter, const Test &test) {
    std::vector<Id> expected;
    for (const Group &group : population.groups)
        if (test(group)) expected.push_back(group.id);
    Answer answer = ask(population, query_of(filter), {"Group"});
    if (ok(answer.page == expected && answer.total == expected.size(), filter)) return;
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

void several(Population &population) {
    std::vector<const char *> both = {"User", "Group"};
    std::vector<Id> all;
    for (const Person &person : population.people) all.push_back(person.id);
    for (const Group &group : population.groups) all.push_back(group.id);
    Answer answer = ask(population, query_of(""), both);
    ok(answer.page == all && answer.total == all.size(), "all of both types");
    for (size_t start : {1, 36, 40, 41, 45, 50, 51}) {
        Query query = query_of("", 7);
        query.start_index = int64_t(start);
        answer = ask(population, query, both);
        size_t end = std::min(all.size(), start - 1 + 7);
        ok(answer.total == all.size() &&
               answer.page ==
                   std::vector<Id>(all.begin() + long(start) - 1, all.begin() + long(end)),
           "a page across types from " + std::to_string(start));
    }
    is(ask(population, query_of("meta.resourceType eq \"Group\""), both).total, group_count,
       "one type of them");
    is(ask(population, query_of("userName pr"), both).total, user_count,
       "an attribute that groups lack");
    is(ask(population, query_of("not (userName pr)"), both).total, group_count, "and has no value");
    is(ask(population, query_of("emails[value eq \"x\"] or members[value eq \"y\"]"), both).why, "",
       "parts, too");
    is(ask(population, query_of("nothing eq 1"), both).why,
       "invalidFilter: no resource type has an attribute \"nothing\"", "but none that nobody has");
    Query sorted = query_of("");
    sorted.sort_by = "meta.lastModified";
    sorted.sort_order = "descending";
    std::reverse(all.begin(), all.end());
    ok(ask(population, sorted, both).page == all, "sorted across types");
    sorted.sort_by = "members.value";
    ok(ask(population, sorted, both).why.empty(), "by what one type has");
}

void limits(Population &population) {
    std::string why = ask(population, query_of("title eq \"x\""), {"User"}, 39).why;
    ok(why.find("tooMany: this query has to look at more than scim_max_scan (39) resources; title "
                "has no index; add a condition with eq on one of ") == 0,
       "one resource too many");
    note(why);
    is(ask(population, query_of("title eq \"x\""), {"User"}, 40).why, "", "not one too many");
    is(ask(population, query_of("userName eq \"x\""), {"User"}, 1).why, "", "rows are no scan");
    is(ask(population, query_of("meta.created pr", 0), {"User"}, 49).why, "", "one type");
    ok(!ask(population, query_of("meta.created pr", 0), {"User", "Group"}, 49).why.empty(),
       "types count together");
    Query sorted = query_of("");
    sorted.sort_by = "title";
    ok(!ask(population, sorted, {"User"}, 39).why.empty(), "sorting is a look at all");
    sorted.count = 0;
    is(ask(population, sorted, {"User"}, 39).why, "", "but for a count");
    is(ask(population, query_of("title pr", 0)).page.size(), 0u, "count=0: nothing on the page");

    auto is_long = [&](const std::string &filter, const char *type = "User") {
        return ask(population, query_of(filter, 100), {type}, 1000000, Patience::event_loop)
            .is_long;
    };
    ok(!is_long("userName eq \"x\""), "the event loop answers a look-up");
    ok(!is_long("title eq \"x\""), "and a scan of a few");
    std::string many = "title eq \"x\"";
    for (int i = 0; i < 100; i++) many += " or title eq \"x\"";
    ok(is_long(many), "not one that compares much");
    ok(!is_long("members eq \"x\"", "Group") && !is_long("members pr", "Group"),
       "membership is looked up");
    ok(is_long("members.display eq \"x\"", "Group"), "names of members are not");
}

void ended() {
    Settings settings;
    Request request;
    std::atomic<bool> cancelled{false};
    request.settings = &settings;
    request.cancelled = &cancelled;
    request.deadline = std::chrono::steady_clock::now() + std::chrono::hours(1);
    auto looks = [&] {
        Watch watch(request, Patience::thread);
        size_t n = 0;
        while (n < 100000 && watch.go_on()) n++;
        return std::pair(n, watch.stopped() ? watch.error().detail : "");
    };
    auto rows = [&](Patience patience) {
        Watch watch(request, patience);
        size_t n = 0;
        while (n < 100000 && watch.may_walk()) n++;
        return n;
    };
    is(rows(Patience::thread), 100000u, "a thread with time walks on");
    is(rows(Patience::event_loop), 16384u, "the event loop does not");
    is(looks().first, 100000u, "a search with time goes on");
    request.deadline = std::chrono::steady_clock::now();
    is(looks().first, 999u, "a deadline is seen after 1,000 records");
    ok(looks().second.find("took too long") != std::string::npos, "and said");
    is(rows(Patience::thread), 16384u, "and after 16,384 rows");
    request.deadline = {};
    cancelled = true;
    is(looks().second, "the client is gone", "and so is a client that has gone");
    is(rows(Patience::thread), 16384u, "also by one who walks rows");
}

uint64_t setting(const char *name, uint64_t otherwise) {
    const char *value = std::getenv(name);
    return value ? std::strtoull(value, nullptr, 10) : otherwise;
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
    id_set();
    long_values(population);
    members(population);
    several(population);
    limits(population);
    ended();
    sorting(population);
    sorter();
    agree(population, setting("SCIM_CASES", 20000));
    return tap::done();
}
