// Tests which access path a query has, that a union of many terms or a long range is used until a
// scan is cheaper, and when a query is refused with tooMany or is too long for the event loop.
//
//     SCIM_SEED=n choose_index.t

#include "service/choose_index.h"

#include "query_fixture.h"

using namespace fixture;

namespace {

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

// Ranges of index rows are read again for each chunk of ids, so that a scan costs less from a number
// of rows on.
void ranges(Population &population) {
    Snapshot snapshot(population.session());
    const TypeView &type = *snapshot.catalog()->type_by_name("User");
    store::Directory directory(snapshot.txn, population.tenant());
    auto has_too_many_rows = [&](const std::string &text, const RowBounds &bounds) {
        DeviationReport report;
        Dialect dialect(false, report);
        auto filter = Filter::parse(type, text, FilterLimits(), dialect);
        return AccessPath(&*filter, *snapshot.catalog(), type, directory, bounds)
            .has_too_many_rows();
    };
    const std::string range = "userName sw \"\"",
                      group = "groups eq \"" + to_string(population.groups[0].id) + "\"";
    ok(has_too_many_rows(range, {1000, 1000, 40}), "an exact range has too many rows at its bound");
    ok(!has_too_many_rows(range, {1, 1, 41}), "an exact range below its bound has not");
    ok(!has_too_many_rows("active eq true", {1, 1, 1}), "the rows of one value are never too many");
    ok(has_too_many_rows(range + " or active eq true", {1000, 1000, 40}),
       "a range joined with a value has too many rows at the bound of ranges");
    ok(has_too_many_rows(range + " and title pr", {1000, 1000, 40}),
       "a range whose candidates are tested has too many rows at the bound of ranges");
    ok(has_too_many_rows(group + " or " + range, {40, 40, 1}),
       "a range joined with a membership has too many rows if it has as many as the type");
    ok(!has_too_many_rows(group + " or " + range, {1, 41, 1}),
       "a range joined with a membership has not too many rows below that");
    ok(!has_too_many_rows(group + " or active eq true", {1, 1, 1}),
       "the rows of a membership and a value are never too many");
}

// With rows of more users than a walk reads ahead: these users do not exist.
void long_ranges(Population &population) {
    {
        Snapshot snapshot(population.session());
        const auto &catalog = snapshot.catalog();
        put_user_names(population.env(), population.tenant(), *catalog->type_by_name("User"),
                       70000);
    }
    is(ask(population, query_of("userName sw \"1\"")).plan, "User: scan, 40 resources, verified",
       "a range of more rows than a walk reads ahead has the plan scan");
    is(ask(population, query_of("userName sw \"103\"")).plan, "User: index userName sw, 10000 rows",
       "a range of fewer rows has the plan index");
}

void limits(Population &population) {
    std::string why = ask(population, query_of("title eq \"x\""), {"User"}, 39).why;
    ok(why.find(
           "tooMany: this query has to look at more than scim_max_scan (39) resources; ask for "
           "\"scim_index User title;\" in nginx's configuration, or add a condition with eq on "
           "one of ") == 0,
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

}  // namespace

int main() {
    seed_from_environment();
    Population population;
    population.fill();
    plans(population);
    unions(population);
    limits(population);
    ranges(population);
    long_ranges(population);
    return tap::done();
}
