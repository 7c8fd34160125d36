// Fills a store with users of the population.
//
//     load store DIRECTORY USERS FILES   creates the tenant "bench" with USERS users, and prints a
//                                        token with the scope write; writes the ids and names of up
//                                        to 200,000 users, shuffled, one per line, to FILES/ids and
//                                        FILES/names
//     load bodies FIRST COUNT FILE       writes the bodies of COUNT POST requests to FILE, one per
//                                        line
//
// No other process may have the store open. Each transaction writes 10,000 users while another
// thread makes the next ones.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <future>
#include <vector>

#include "bench/population.h"
#include "bench/rows.h"
#include "service/store.h"
#include "service/token.h"
#include "store/tenants.h"

using namespace scim;
using bench::die;

namespace {

constexpr uint64_t batch = 10000;
constexpr size_t sample_size = 200000;

void commit(store::WriteTxn &txn) {
    store::Errc code = txn.commit();
    if (code != store::Errc::ok) die("commit: " + std::string(to_string(code)));
}

std::unique_ptr<service::Store> open_store(const std::string &directory) {
    service::Store::Options options;
    options.env.directory = directory;
    options.env.map_size = size_t(16) << 30;
    // Generation 1 is older than any configuration of nginx, which declares the same catalog.
    options.declaration = *make_declaration(1, {});
    std::string why;
    auto store = service::Store::open(std::move(options), why);
    if (store == nullptr ||
        (store->state() == service::Store::State::undeclared && !store->declare(why)))
        die(why);
    return store;
}

store::TenantNumber make_tenant(service::Store &store) {
    std::array<uint8_t, 32> random;
    service::fill_random(random.data(), random.size());
    store::WriteTxn txn(store.env());
    if (store::find_tenant(txn, "bench")) die("the store already has a tenant \"bench\"");
    store::Token token;
    token.tenant = store::add_tenant(txn, "bench", bench::first_time, random).number;
    token.label = "bench";
    token.scopes = store::scope_read | store::scope_write;
    token.created = bench::first_time;
    service::fill_random(random.data(), random.size());
    std::string text = service::format_token(random);
    store::add_token(txn, token, service::digest_of(text));
    commit(txn);
    std::puts(text.c_str());
    return token.tenant;
}

std::vector<store::ResourceEdit> make_users(const Catalog &catalog, uint64_t from, uint64_t to) {
    std::vector<store::ResourceEdit> edits;
    edits.reserve(to - from);
    for (uint64_t n = from; n < to; n++) edits.push_back(bench::create_user(catalog, n, n + 1));
    return edits;
}

// Returns the ids in the order of the users' numbers.
std::vector<std::string> write_users(service::Store &store, store::TenantNumber tenant,
                                     uint64_t users) {
    service::Session session(store);
    std::shared_ptr<const Catalog> catalog = service::Snapshot(session).catalog();
    std::vector<std::string> ids;
    ids.reserve(users);
    auto make = [&](uint64_t from) {
        return make_users(*catalog, from, std::min(from + batch, users));
    };
    auto next = std::async(std::launch::async, make, 0);
    for (uint64_t from = 0; from < users; from += batch) {
        std::vector<store::ResourceEdit> edits = next.get();
        if (from + batch < users) next = std::async(std::launch::async, make, from + batch);
        store::WriteTxn txn(store.env());
        store::DirectoryWriter directory(txn, tenant);
        for (const store::ResourceEdit &edit : edits) {
            directory.apply(edit);
            ids.push_back(to_string(edit.id));
        }
        commit(txn);
    }
    return ids;
}

void write_samples(const std::vector<std::string> &ids, const std::string &directory) {
    std::vector<uint32_t> order(ids.size());
    for (uint32_t i = 0; i < order.size(); i++) order[i] = i;
    uint64_t state = 1;
    for (size_t i = order.size(); i > 1; i--)
        std::swap(order[i - 1], order[bench::next_random(state) % i]);
    order.resize(std::min(order.size(), sample_size));
    std::ofstream id_file(directory + "/ids"), name_file(directory + "/names"),
        active_file(directory + "/active");
    for (uint32_t n : order) {
        const bench::User user = bench::user(n);
        id_file << ids[n] << '\n';
        name_file << user.user_name << '\n';
        if (user.json.find("\"active\":true") != user.json.npos)
            active_file << user.user_name << '\n';
    }
    if (!id_file.flush() || !name_file.flush() || !active_file.flush())
        die("cannot write into " + directory);
}

}  // namespace

int main(int argc, char **argv) {
    if (argc == 5 && std::strcmp(argv[1], "store") == 0) {
        auto store = open_store(argv[2]);
        write_samples(write_users(*store, make_tenant(*store), std::strtoull(argv[3], nullptr, 10)),
                      argv[4]);
        return 0;
    }
    if (argc == 5 && std::strcmp(argv[1], "bodies") == 0) {
        std::ofstream out(argv[4]);
        uint64_t first = std::strtoull(argv[2], nullptr, 10),
                 count = std::strtoull(argv[3], nullptr, 10);
        for (uint64_t n = first; n < first + count; n++) out << bench::user(n).json << '\n';
        return out.flush() ? 0 : 1;
    }
    std::fprintf(stderr,
                 "usage: load store DIRECTORY USERS FILES | load bodies FIRST COUNT FILE\n");
    return 2;
}
