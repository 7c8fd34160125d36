// Tests that candidates come in the order of their ids, each once, for any starting point and any
// number of ids that are read ahead, and that the memory of a range of index rows is bounded.
//
//     SCIM_SEED=n candidates.t

#include "service/candidates.h"

#include <malloc.h>

#include <algorithm>
#include <new>

#include "client.h"
#include "query_fixture.h"

using namespace fixture;

// Bytes that are allocated now, and their maximum since a test has set it.
static size_t allocated, allocated_max;

void *operator new(size_t size, const std::nothrow_t &) noexcept {
    void *p = std::malloc(size);
    allocated += malloc_usable_size(p);
    allocated_max = std::max(allocated_max, allocated);
    return p;
}
void *operator new(size_t size) {
    if (void *p = operator new(size, std::nothrow)) return p;
    throw std::bad_alloc();
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
        const AccessPath path(&*filter, *snapshot.catalog(), type, directory,
                              {100000, 100000, 100000});
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

// Writes index rows of one externalId, of users that do not exist.
void put_external_ids(store::Env &env, store::TenantNumber tenant, const TypeView &type,
                      size_t count) {
    const AttrNumber attr = type.find("externalId")->number;
    store::WriteTxn txn(env);
    for (size_t i = 0; i < count; i++)
        txn.put(
            store::Db::index,
            store::index_key(tenant, type.number, attr, "x", make_id(int64_t(10000000 + i), {})),
            "");
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
    const AccessPath path(&*filter, *snapshot.catalog(), type, directory,
                          {1000000, 1000000, 1000000});
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
    constexpr size_t others = 2000;  // with greater ids
    for (size_t rows : {1000, 65536, 65537, 100000, 300000}) {
        const auto tenant = add_tenant(opened->env(), "t" + std::to_string(rows));
        {
            Snapshot snapshot(session);
            const auto &catalog = snapshot.catalog();
            const TypeView &type = *catalog->type_by_name("User");
            put_user_names(opened->env(), tenant.number, type, rows);
            put_external_ids(opened->env(), tenant.number, type, others);
        }
        constexpr size_t most = size_t(2) << 20, overhead = 16384, each_part = 512;
        const std::string name = std::to_string(rows) + " index rows";
        size_t one = 0, many = 0, mixed = 0;
        is(walk(session, tenant, "userName sw \"1\"", one), rows, name + " are all found");
        ok(one <= most + overhead, "a range of " + name + " takes at most 2 MiB");
        std::string filter = "userName sw \"1\"";
        for (int i = 0; i < 19; i++) filter += " or userName ge \"1\"";
        is(walk(session, tenant, filter, many), rows, name + " in twenty ranges are all found");
        ok(many <= most + overhead + 20 * each_part,
           "twenty ranges of " + name + " take at most 2 MiB");
        for (int i = 0; i < 180; i++) filter += " or externalId eq \"x\"";
        is(walk(session, tenant, filter, mixed), rows + others,
           name + " in twenty ranges and 180 values are all found");
        ok(mixed <= most + overhead + 200 * each_part,
           "twenty ranges of " + name + " and 180 values take at most 2 MiB");
        note(std::to_string(one) + ", " + std::to_string(many) + " and " + std::to_string(mixed) +
             " bytes");
    }
}

// The record of a group is charged to the budget when it is read.
void test_group_is_read_once() {
    TempDir dir;
    auto opened = open_store(dir.path);
    Client client(*opened);
    std::string members;
    constexpr size_t count = 300;
    for (size_t i = 0; i < count; i++)
        members += (i == 0 ? R"({"value":")" : R"(,{"value":")") +
                   client.create("/Users", R"({"userName":"u)" + std::to_string(i) + "\"}") + "\"}";
    const std::string group =
        client.create("/Groups", R"({"displayName":")" + std::string(60000, 'x') +
                                     R"(","members":[)" + members + "]}");
    Session session(*opened);
    Snapshot snapshot(session);
    const TypeView &type = *snapshot.catalog()->type_by_name("User");
    ReadBudget budget({}, RunOn::event_loop);
    store::Directory directory(snapshot.txn, client.tenant(), &budget);
    DeviationReport report;
    Dialect dialect(false, report);
    auto filter = Filter::parse(type, "groups eq \"" + group + "\"", FilterLimits(), dialect);
    const AccessPath path(&*filter, *snapshot.catalog(), type, directory, {1000, 1000, 1000});
    size_t found = 0;
    for (Candidates all = path.candidates(nullptr, {1, 1}); all.next();) found++;
    is(found, count, "the members of a group are read in 300 chunks, its record of 60 KB once");
}

}  // namespace

int main() {
    seed_from_environment();
    Population population;
    population.fill();
    test_order(population);
    test_memory();
    test_group_is_read_once();
    return tap::done();
}
