// Tests that the hits of a query come in the order asked for, on the page asked for.
//
//     SCIM_SEED=n sort.t

#include "service/sort.h"

#include <algorithm>

#include "query_fixture.h"

using namespace fixture;

namespace {

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

// Sorted lists with a filter, which the order of an index answers if it is cheaper than sorting.
void filtered(Population &population) {
    for (const Known &known : attributes) {
        const std::string path = path_of(known.extension, known.top, known.sub);
        if (path != "userName" && path != "externalId" && path != "name.familyName") continue;
        for (const std::string &filter :
             {path + " sw \"x\"", path + " ge \"m\"", path + " ge \"b\" and active eq true",
              std::string("active eq true"), std::string("meta.created pr"),
              std::string("not (active eq true)")}) {
            Query query = query_of(filter);
            const std::vector<Id> matches = ask(population, query).page;
            query.sort_by = path;
            for (bool descending : {false, true}) {
                query.sort_order = descending ? "descending" : "ascending";
                query.count = 1000;
                std::vector<Id> all = naive_sorted(population, known, descending);
                all.erase(std::remove_if(all.begin(), all.end(),
                                         [&](const Id &id) {
                                             return std::find(matches.begin(), matches.end(), id) ==
                                                    matches.end();
                                         }),
                          all.end());
                const Answer answer = ask(population, query);
                ok(answer.why.empty() && answer.page == all && answer.total == all.size(),
                   filter + " is sorted by " + path + (descending ? ", descending" : ""));
                for (int64_t count : {1, 2, 7}) {
                    query.count = count;
                    const Answer first = ask(population, query);
                    const size_t size = std::min(all.size(), size_t(count));
                    ok(first.why.empty() && first.total == all.size() &&
                           first.page == std::vector<Id>(all.begin(), all.begin() + long(size)),
                       "the first " + std::to_string(count) +
                           " are the first of all: " + first.plan);
                    const Answer walked = walk(population, query);
                    ok(walked.why.empty() && walked.page == all,
                       "the pages by cursor of " + std::to_string(count) +
                           " are the parts of all: " + walked.plan);
                }
            }
        }
    }
    auto plan = [&](const std::string &filter, const std::string &path, int64_t count) {
        Query query = query_of(filter, count);
        query.sort_by = path;
        return ask(population, query).plan;
    };
    is(plan("", "userName", 5), "User: index userName in order",
       "a list that is sorted by an indexed attribute is read in the order of the index");
    is(plan("userName sw \"x\"", "userName", 5), "User: index userName in order",
       "so is a range of the values of the attribute");
    is(plan("meta.created pr", "title", 5), "User: scan, 40 resources, verified, sorted",
       "a list that is sorted by another attribute is sorted");
    is(plan("", "emails.value", 5), "User: scan, 40 resources, sorted",
       "so is one that is sorted by a multi-valued attribute");
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
               "[S-90] all users are sorted by " + path + (descending ? ", descending" : ""));
            query.start_index = int64_t(1 + below(user_count));
            query.count = int64_t(below(12));
            Answer page = ask(population, query);
            size_t start = size_t(*query.start_index - 1);
            size_t end = std::min(all.size(), start + size_t(*query.count));
            ok(page.total == user_count &&
                   page.page == std::vector<Id>(all.begin() + long(start), all.begin() + long(end)),
               "a page of users sorted by " + path + (descending ? ", descending," : "") +
                   " is the part of all");
            query.start_index.reset();
            query.count = int64_t(1 + below(12));
            Answer walked = walk(population, query);
            ok(walked.why.empty() && walked.page == all,
               "the pages by cursor of users sorted by " + path +
                   (descending ? ", descending," : "") + " are the parts of all");
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
    refused("nothing", "",
            "invalidPath: \"sortBy\" is \"nothing\", but User has no attribute of this name");
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

}  // namespace

int main() {
    seed_from_environment();
    Population population;
    population.fill();
    sorting(population);
    filtered(population);
    sorter();
    return tap::done();
}
