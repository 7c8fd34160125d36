// Tests that candidates come in the order of their ids, each once, for any starting point and any
// number of ids that are read ahead, and that the memory of a range of index rows is bounded.
//
//     SCIM_SEED=n candidates.t

#include "service/candidates.h"

#include <malloc.h>

#include <algorithm>
#include <new>

#include "query_fixture.h"

using namespace fixture;

// Bytes that are allocated now, and their maximum since a test has set it.
static size_t allocated, allocated_max;

void *operator new(size_t size) {
    void *p = std::malloc(size);
    if (p == nullptr) throw std::bad_alloc();
    allocated += malloc_usable_size(p);
    allocated_max = std::max(allocated_max, allocated);
    return p;
}
void operator delete(void *p) noexcept {
    allocated -= malloc_usable_size(p);
    std::free(p);
}
void operator delete(void *p, size_t) noexcept { operator delete(p); }

namespace {

void test_order(Population &population) {
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
}

// Writes index rows of userName, of resources that do not exist: Candidates reads no records. The
// greatest value has the smallest id, so that each row replaces an id that was read before.
void put_rows(store::Env &env, const store::Tenant &tenant, const TypeView &type, size_t count) {
    const AttrNumber user_name = type.find("userName")->number;
    store::WriteTxn txn(env);
    for (size_t i = 0; i < count; i++) {
        const Id id = make_id(int64_t(count - i), {});
        const std::string value = std::to_string(1000000 + i);
        txn.put(store::Db::index,
                store::index_key(tenant.number, type.number, user_name, value, id), "");
    }
    if (txn.commit() != store::Errc::ok) std::abort();
}

// Walks the candidates of `text`. Returns their number, and the maximum of the memory in `bytes`.
size_t walk(Session &session, const store::Tenant &tenant, const std::string &text, size_t &bytes) {
    Snapshot snapshot(session);
    const TypeView &type = *snapshot.catalog()->type_by_name("User");
    store::Directory directory(snapshot.txn, tenant.number);
    DeviationReport report;
    Dialect dialect(false, report);
    auto filter = Filter::parse(type, text, FilterLimits(), dialect);
    const AccessPath path(&*filter, *snapshot.catalog(), type, directory, {1000000, 1000000});
    const size_t before = allocated_max = allocated;
    size_t count = 0;
    for (Candidates all = path.candidates(); all.next();) count++;
    bytes = allocated_max - before;
    return count;
}

void test_memory() {
    TempDir dir;
    auto opened = open_store(dir.path, size_t(128) << 20);
    Session session(*opened);
    for (size_t rows : {1000, 65536, 65537, 100000, 300000}) {
        const auto tenant = add_tenant(opened->env(), "t" + std::to_string(rows));
        {
            Snapshot snapshot(session);
            auto catalog = snapshot.catalog();
            put_rows(opened->env(), tenant, *catalog->type_by_name("User"), rows);
        }
        constexpr size_t each_range = size_t(2) << 20, overhead = 16384;
        const std::string name = std::to_string(rows) + " index rows";
        size_t one = 0, two = 0;
        is(walk(session, tenant, "userName sw \"1\"", one), rows, name + " are all found");
        ok(one <= each_range + overhead, "a range of " + name + " takes at most 2 MiB");
        walk(session, tenant, "userName sw \"1\" or userName ge \"1\"", two);
        ok(two <= 2 * each_range + overhead, "two ranges of " + name + " take at most 4 MiB");
        note(std::to_string(one) + " and " + std::to_string(two) + " bytes");
    }
}

}  // namespace

int main() {
    seed_from_environment();
    Population population;
    population.fill();
    test_order(population);
    test_memory();
    return tap::done();
}
