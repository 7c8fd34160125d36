// Measures what substring indexes (scim_index … type=substring) take, without nginx.
//
//     substrings DIR USERS [CREATED]
//
// Writes two stores, 128 users in a transaction: DIR/without with USERS users, and DIR/with, which has
// substring indexes on userName, displayName and emails.value, with CREATED (as many by default).
// Prints the CPU time for each user, the size of the stores and that of the indexes. Then builds the
// same indexes in the first store and prints the CPU time of the whole build, and how long its steps
// hold the write lock. Search the stores with bench/search.

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "bench/rows.h"
#include "service/index_builder.h"
#include "service/store.h"
#include "store/format.h"
#include "store/tenants.h"

using namespace scim;
using bench::die;

namespace {

constexpr size_t users_a_transaction = 128;

// CPU time of this process in milliseconds: other processes do not affect it.
double cpu_time() { return double(std::clock()) * 1000 / CLOCKS_PER_SEC; }

void commit(store::WriteTxn &txn) {
    const store::Errc code = txn.commit();
    if (code != store::Errc::ok) die(std::string(to_string(code)));
}

std::unique_ptr<service::Store> open_store(const std::string &path) {
    mkdir(path.c_str(), 0700);
    service::Store::Options options;
    options.env.directory = path;
    options.env.map_size = size_t(16) << 30;
    options.declaration = *make_declaration(1, {});
    std::string why;
    auto store = service::Store::open(std::move(options), why);
    if (store == nullptr || !store->declare(why)) die(why);
    return store;
}

std::shared_ptr<const Catalog> declare_indexes(service::Store &store) {
    store::WriteTxn txn(store.env());
    Declaration declaration = *make_declaration(2, {});
    for (const char *attribute : {"userName", "displayName", "emails.value"})
        declaration.indexes.push_back({"User", attribute, IndexKind::substring});
    auto rows = declare(*store::read_catalog(txn), declaration);
    if (!rows) die(rows.error().detail);
    store::write_catalog(txn, **rows);
    commit(txn);
    return *Catalog::build(std::move(**rows));
}

std::shared_ptr<const Catalog> catalog_of(service::Store &store) {
    store::Reader reader(store.env());
    store::ReadTxn txn(reader);
    return *Catalog::build(*store::read_catalog(txn));
}

// Declares the indexes and builds them. Returns for how many milliseconds each step held the write
// lock, with its commit, in ascending order.
std::vector<double> build_indexes(service::Store &store) {
    using Milliseconds = std::chrono::duration<double, std::milli>;
    std::vector<double> held;
    for (auto catalog = declare_indexes(store); !catalog->unfinished().empty();) {
        store::WriteTxn txn(store.env());
        const auto begun = std::chrono::steady_clock::now();
        service::advance_index(txn, *catalog, *catalog->unfinished().front());
        commit(txn);
        held.push_back(Milliseconds(std::chrono::steady_clock::now() - begun).count());
        catalog = catalog_of(store);
    }
    std::sort(held.begin(), held.end());
    return held;
}

void fill(service::Store &store, const Catalog &catalog, uint64_t users, const char *name) {
    store::TenantNumber tenant = 0;
    {
        store::WriteTxn txn(store.env());
        tenant = store::add_tenant(txn, "bench", bench::first_time, {}).number;
        commit(txn);
    }
    double time = 0;
    size_t trigrams = 0;
    for (uint64_t done = 0; done < users;) {
        std::vector<store::ResourceEdit> edits;
        while (edits.size() < users_a_transaction && done < users) {
            edits.push_back(bench::create_user(catalog, done + 1, done + 1));
            done++;
        }
        const double start = cpu_time();
        store::WriteTxn txn(store.env());
        store::DirectoryWriter writer(txn, tenant);
        for (const store::ResourceEdit &edit : edits) writer.apply(edit);
        commit(txn);
        time += cpu_time() - start;
        for (const store::ResourceEdit &edit : edits)
            trigrams += store::differing_trigrams({}, edit.trigrams_after);
    }
    store::Reader reader(store.env());
    store::ReadTxn txn(reader);
    const double each = double(users);
    std::printf("%s: %.1f us CPU, %.0f bytes of the file and %.1f trigrams for each user\n", name,
                time * 1000 / each, double(store.env().info().used) / each,
                double(trigrams) / each);
    std::printf("    indexes: %.0f bytes, %.2f blocks for each user\n",
                double(txn.bytes(store::Db::trigrams)) / each,
                double(txn.entries(store::Db::trigrams)) / each);
}

void build(service::Store &store) {
    const double start = cpu_time();
    const std::vector<double> held = build_indexes(store);
    store::Reader reader(store.env());
    store::ReadTxn txn(reader);
    std::printf("build: %.1f s CPU in %zu steps; %.0f MB\n", (cpu_time() - start) / 1000,
                held.size(), double(txn.bytes(store::Db::trigrams)) / 1e6);
    std::printf("    a step holds the write lock for %.1f ms (99 %%: %.1f ms; longest: %.1f ms)\n",
                held[held.size() / 2], held[held.size() * 99 / 100], held.back());
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) die("usage: substrings DIR USERS [CREATED]");
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    const std::string dir = argv[1];
    const uint64_t users = std::strtoull(argv[2], nullptr, 10);
    const uint64_t created = argc == 4 ? std::strtoull(argv[3], nullptr, 10) : users;
    mkdir(dir.c_str(), 0700);
    auto without = open_store(dir + "/without"), with = open_store(dir + "/with");
    fill(*without, *catalog_of(*without), users, "without");
    build_indexes(*with);
    fill(*with, *catalog_of(*with), created, "with");
    build(*without);
}
