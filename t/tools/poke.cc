// Changes a store while nginx runs, without the module:
//
//     poke DIR meta NAME          print a value of the database "meta"
//     poke DIR meta NAME VALUE    set it
//     poke DIR count DATABASE     print the number of rows of members, jobs, changes or local
//     poke DIR commit             print the number of the last transaction
//     poke DIR log TENANT N AGE   append N changes to the log of a tenant, each of 1,000 members
//                                 (16 KB) and AGE seconds old
//     poke DIR ahead SECONDS      set the time of the last declaration to SECONDS from now
//     poke DIR hold               take the write lock, print "held", and release the lock at a
//                                 byte or the end of stdin
//     poke DIR read               the same with a snapshot: print "reading"
//
// On failure the exit code is 1 and stderr has a sentence.

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "store/bytes.h"
#include "store/directory.h"
#include "store/format.h"
#include "store/tenants.h"
#include "store/verify.h"

using namespace scim::store;

static int fail(const std::string &why) {
    std::fprintf(stderr, "poke: %s\n", why.c_str());
    return 1;
}

static int set_meta(Env &env, const char *name, const char *value) {
    WriteTxn txn(env);
    txn.put(Db::meta, name, value);
    Errc code = txn.commit();
    return code == Errc::ok ? 0 : fail(std::string(to_string(code)));
}

static int print_meta(Env &env, const char *name) {
    Reader reader(env);
    ReadTxn txn(reader);
    Bytes value;
    if (!txn.get(Db::meta, name, value)) return fail(std::string("no value ") + name);
    std::printf("%.*s\n", int(value.size()), value.data());
    return 0;
}

static int print_count(Env &env, const char *name) {
    Reader reader(env);
    ReadTxn txn(reader);
    for (Db db : {Db::members, Db::jobs, Db::changes, Db::local})
        if (database_name(db) == name) std::printf("%ju\n", uintmax_t(txn.entries(db)));
    return txn.good() ? 0 : fail(std::string(to_string(txn.error())));
}

static int put_log(Env &env, const char *name, int count, int age) {
    WriteTxn txn(env);
    auto tenant = find_tenant(txn, name);
    if (!tenant) return fail(std::string("no tenant ") + name);
    uint64_t position = Directory(txn, tenant->number).position().position;
    Change change;
    change.time = (int64_t(std::time(nullptr)) - age) * 1000;
    change.operation = Operation::patch;
    change.type = 1;
    change.added.resize(members_per_part);
    for (int i = 0; i < count; i++)
        txn.put(Db::changes, change_key(tenant->number, ++position, 0), encode_change(change));
    std::string last;
    append_le(last, position, 8);
    append_le(last, uint64_t(change.time), 8);
    txn.put(Db::meta, position_key(tenant->number), last);
    Errc code = txn.commit();
    return code == Errc::ok ? 0 : fail(std::string(to_string(code)));
}

static int declare_ahead(Env &env, int seconds) {
    WriteTxn txn(env);
    auto rows = read_catalog(txn);
    if (!rows) return fail(rows.error().detail);
    rows->generation = uint64_t(int64_t(std::time(nullptr)) + seconds) * 1000;
    write_catalog(txn, *rows);
    Errc code = txn.commit();
    return code == Errc::ok ? 0 : fail(std::string(to_string(code)));
}

static int wait_with(const Txn &txn, const char *what) {
    if (!txn.good()) return fail(std::string(to_string(txn.error())));
    std::puts(what);
    std::fflush(stdout);
    char byte;
    return read(STDIN_FILENO, &byte, 1) < 0;
}

static int hold(Env &env) {
    WriteTxn txn(env);
    return wait_with(txn, "held");
}

static int hold_snapshot(Env &env) {
    Reader reader(env);
    ReadTxn txn(reader);
    return wait_with(txn, "reading");
}

int main(int argc, char **argv) {
    if (argc < 3) return fail("usage: poke DIR meta|count|commit|log|ahead|hold|read [ARGUMENTS]");
    EnvOptions options;
    options.directory = argv[1];
    options.map_size = 0;  // the size of the store
    std::string why;
    auto env = Env::open(options, why);
    if (!env) return fail(why);
    Errc code = env->open_databases();
    if (code != Errc::ok) return fail(std::string(to_string(code)));
    if (std::strcmp(argv[2], "hold") == 0) return hold(*env);
    if (std::strcmp(argv[2], "read") == 0) return hold_snapshot(*env);
    if (std::strcmp(argv[2], "ahead") == 0 && argc == 4)
        return declare_ahead(*env, std::atoi(argv[3]));
    if (std::strcmp(argv[2], "commit") == 0)
        return std::printf("%ju\n", uintmax_t(env->info().last_txn)) < 0;
    if (std::strcmp(argv[2], "count") == 0 && argc == 4) return print_count(*env, argv[3]);
    if (std::strcmp(argv[2], "log") == 0 && argc == 6)
        return put_log(*env, argv[3], std::atoi(argv[4]), std::atoi(argv[5]));
    return argc > 4   ? set_meta(*env, argv[3], argv[4])
           : argc > 3 ? print_meta(*env, argv[3])
                      : fail("usage: poke DIR meta NAME [VALUE]");
}
