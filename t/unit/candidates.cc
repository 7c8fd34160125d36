// Candidates come in the order of their ids, each once, for any starting point and any number of
// ids that are read ahead.

#include "service/candidates.h"

#include <algorithm>

#include "query_fixture.h"

using namespace fixture;

int main() {
    std::random_device random;
    engine.seed(random());
    Population population;
    population.fill();
    const std::string group = to_string(population.groups[0].id);
    Snapshot snapshot(population.session());
    const TypeView &type = *snapshot.catalog()->type_by_name("User");
    store::Directory directory(snapshot.txn, population.tenant());
    for (const std::string &text :
         {std::string("userName sw \"\""), std::string("externalId pr"),
          "groups eq \"" + group + "\"", "userName sw \"\" or groups eq \"" + group + "\"",
          std::string("title pr")}) {
        DeviationReport report;
        Dialect dialect(false, report);
        auto filter = Filter::parse(type, text, FilterLimits(), dialect);
        const AccessPath path(&*filter, *snapshot.catalog(), type, directory, {100000, 100000});
        std::vector<Id> all;
        for (Candidates every = path.candidates(); every.next();) all.push_back(every.id());
        ok(std::is_sorted(all.begin(), all.end()) &&
               std::adjacent_find(all.begin(), all.end()) == all.end() && !all.empty(),
           text + ": candidates come in the order of their ids, each once");
        bool same = true;
        for (size_t chunk : {1, 2, 3, 7})
            for (size_t from = 0; from <= all.size(); from++) {
                std::vector<Id> rest;
                const Id *after = from > 0 ? &all[from - 1] : nullptr;
                for (Candidates some = path.candidates(after, {chunk, chunk}); some.next();)
                    rest.push_back(some.id());
                same &= rest == std::vector<Id>(all.begin() + long(from), all.end());
            }
        ok(same,
           text + ": a walk in small chunks gives the same candidates from each starting point");
    }
    return tap::done();
}
