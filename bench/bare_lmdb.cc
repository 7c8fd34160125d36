// Measures the disk and LMDB alone: a loop that writes the rows of new users and does nothing else.
//
//     bare_lmdb DIRECTORY FIRST COUNT BATCH
//
// DIRECTORY is a store that bench/load made, or a copy of it, so that the trees are as deep as the
// server's. Writes users FIRST, FIRST + 1, … with BATCH users per durable commit: record, index rows,
// change, counter and position, with the server's keys and values. The time for making the rows is
// not measured. Prints users per second.

#include <lmdb.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "bench/rows.h"
#include "store/bytes.h"
#include "store/keys.h"

using namespace scim;

namespace {

constexpr store::TenantNumber tenant = 1;

void check(int rc) {
    if (rc != 0) bench::die(mdb_strerror(rc));
}

struct Put {
    Put(MDB_dbi *db, store::Bytes k, store::Bytes v) : dbi(db), key(k), value(v) {}
    MDB_dbi *dbi;
    std::string key, value;
};

MDB_dbi resources, indexes, changes, meta;

std::vector<Put> puts_of(const store::ResourceEdit &edit) {
    std::vector<Put> puts;
    puts.emplace_back(&resources, store::resource_key(tenant, edit.type, edit.id), edit.record);
    for (const auto &[attr, value] : edit.after)
        puts.emplace_back(&indexes, store::index_key(tenant, edit.type, attr, value, edit.id), "");
    puts.emplace_back(&changes, store::change_key(tenant, edit.position, 0),
                      store::encode_change(edit.change));
    std::string count, position;
    store::append_le(count, edit.position, 8);
    store::append_le(position, edit.position, 8);
    store::append_le(position, uint64_t(edit.change.time), 8);
    puts.emplace_back(&meta, store::count_key(tenant, edit.type), count);
    puts.emplace_back(&meta, store::position_key(tenant), position);
    return puts;
}

double seconds() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 5) return std::fprintf(stderr, "usage: bare_lmdb DIRECTORY FIRST COUNT BATCH\n"), 2;
    uint64_t first = std::strtoull(argv[2], nullptr, 10),
             count = std::strtoull(argv[3], nullptr, 10);
    double batch = std::max(1.0, std::strtod(argv[4], nullptr));
    auto catalog = bench::new_catalog();
    std::vector<std::vector<Put>> users;
    for (uint64_t n = first; n < first + count; n++)
        users.push_back(puts_of(bench::create_user(*catalog, n, n + 1)));

    MDB_env *env;
    MDB_txn *txn;
    check(mdb_env_create(&env));
    check(mdb_env_set_maxdbs(env, 16));
    check(mdb_env_set_mapsize(env, size_t(16) << 30));
    check(mdb_env_open(env, argv[1], MDB_NOTLS | MDB_NORDAHEAD, 0600));
    check(mdb_txn_begin(env, nullptr, 0, &txn));
    check(mdb_dbi_open(txn, "resources", 0, &resources));
    check(mdb_dbi_open(txn, "index", 0, &indexes));
    check(mdb_dbi_open(txn, "changes", 0, &changes));
    check(mdb_dbi_open(txn, "meta", 0, &meta));
    check(mdb_txn_commit(txn));

    double start = seconds(), due = 0;
    for (size_t at = 0; at < users.size();) {
        due += batch;  // with a BATCH of 45.3, some commits have 45 users and some 46
        check(mdb_txn_begin(env, nullptr, 0, &txn));
        for (; at < users.size() && double(at) < due; at++)
            for (Put &put : users[at]) {
                MDB_val key = {put.key.size(), put.key.data()},
                        value = {put.value.size(), put.value.data()};
                check(mdb_put(txn, *put.dbi, &key, &value, 0));
            }
        check(mdb_txn_commit(txn));
    }
    std::printf("%.0f\n", double(users.size()) / (seconds() - start));
    mdb_env_close(env);
}
