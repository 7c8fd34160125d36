// What a test does to a store behind everybody's back:
//
//     poke DIR meta NAME          prints a value of `meta`
//     poke DIR meta NAME VALUE    sets it
//     poke DIR count members|jobs prints how many rows there are
//     poke DIR hold               takes the write lock, prints "held", and lets it go when a byte
//                                 or the end comes from stdin
//
// Exit code 1 and a sentence on stderr if that fails.

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "store/lmdb.h"

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
    std::printf("%ju\n", uintmax_t(txn.entries(*name == 'm' ? Db::members : Db::jobs)));
    return txn.good() ? 0 : fail(std::string(to_string(txn.error())));
}

static int hold(Env &env) {
    WriteTxn txn(env);
    if (!txn.good()) return fail(std::string(to_string(txn.error())));
    std::puts("held");
    std::fflush(stdout);
    char byte;
    return read(STDIN_FILENO, &byte, 1) < 0;
}

int main(int argc, char **argv) {
    if (argc < 3) return fail("usage: poke DIR meta NAME [VALUE] | poke DIR hold");
    EnvOptions options;
    options.directory = argv[1];
    options.map_size = 0;  // whatever the store has
    std::string why;
    auto env = Env::open(options, why);
    if (!env) return fail(why);
    Errc code = env->open_databases();
    if (code != Errc::ok) return fail(std::string(to_string(code)));
    if (std::strcmp(argv[2], "hold") == 0) return hold(*env);
    if (std::strcmp(argv[2], "count") == 0 && argc == 4) return print_count(*env, argv[3]);
    return argc > 4   ? set_meta(*env, argv[3], argv[4])
           : argc > 3 ? print_meta(*env, argv[3])
                      : fail("which value?");
}
