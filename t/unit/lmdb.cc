// Transactions commit as a whole or not at all, errors stick to them, one process opens a file
// once, and a map that another process has grown is adopted.

#include "store/lmdb.h"

#include <sys/wait.h>

#include "fixture.h"

namespace scim::store {
std::ostream &operator<<(std::ostream &out, Errc code) { return out << to_string(code); }
}  // namespace scim::store

using namespace scim::store;

namespace {

std::unique_ptr<Env> open(const std::string &path, size_t map = size_t(1) << 20) {
    std::string why;
    auto env = Env::open({path, map, 16}, why);
    if (env == nullptr) diag(why);
    return env;
}

std::string value_of(Env &env, Bytes key) {
    Reader reader(env);
    ReadTxn txn(reader);
    Bytes value;
    return txn.get(Db::meta, key, value) ? std::string(value) : "-";
}

void test_transactions(Env &env) {
    {
        WriteTxn txn(env);
        txn.put(Db::meta, "a", "1");
        ok(txn.insert(Db::meta, "b", "2"), "a new key is inserted");
        ok(!txn.insert(Db::meta, "b", "3"), "a key that is there is not");
        is(txn.commit(), Errc::ok, "commit");
    }
    is(value_of(env, "b"), "2", "what was committed is there");
    {
        WriteTxn txn(env);
        txn.put(Db::meta, "a", "9");
    }
    is(value_of(env, "a"), "1", "what was not committed is not");
    {
        WriteTxn txn(env);
        ok(txn.del(Db::meta, "b"), "delete says that there was something");
        ok(!txn.del(Db::meta, "b"), "and that there was nothing");
        ok(txn.good(), "neither is an error");
        txn.put(Db::meta, std::string(600, 'k'), "long");
        is(to_string(txn.error()), to_string(Errc::invalid),
           "a key beyond LMDB's bound is an error");
        txn.put(Db::meta, "c", "after");
        is(txn.commit(), Errc::invalid, "which sticks: commit says it");
    }
    is(value_of(env, "c"), "-", "and nothing was written");
}

void test_cursor(Env &env) {
    WriteTxn txn(env);
    for (const char *key : {"k1", "k2", "k3"}) txn.put(Db::catalog, key, key);
    Cursor cursor(txn, Db::catalog);
    ok(cursor.seek("") && cursor.key() == "k1", "the empty key seeks the first");
    ok(cursor.seek("k15") && cursor.key() == "k2", "seek finds the next");
    ok(cursor.seek_before("k2") && cursor.key() == "k1", "seek_before finds the one before");
    ok(cursor.seek_before("zzz") && cursor.key() == "k3", "beyond the end: the last");
    ok(!cursor.seek_before("k1"), "nothing before the first");
    ok(!cursor.seek("k4"), "nothing behind the last");
    cursor.seek("k1");
    cursor.del();
    ok(cursor.next() && cursor.key() == "k2", "after a delete next() goes to the following entry");
    ok(txn.good(), "an end is no error");
}

void test_once_a_process(const std::string &path) {
    std::string why;
    ok(Env::open({path, size_t(1) << 20, 16}, why) == nullptr,
       "a second open in one process is refused");
    ok(why.find("in this process already") != std::string::npos, "with a sentence");
}

void test_full_map(Env &env) {
    WriteTxn txn(env);
    is(txn.room(env.info().map_size / 2), env.info().map_size / 2, "a new store is not full");
    for (int i = 0; i < 2000 && txn.good(); i++)
        txn.put(Db::resources, "r" + std::to_string(i), std::string(2000, 'x'));
    is(to_string(txn.error()), to_string(Errc::map_full), "a full map is said");
    txn.abort();
    is(value_of(env, "a"), "1", "and nothing is lost");
}

// The map is larger in another process, and the file grows beyond ours.
void test_adopt(const std::string &path, Env &env) {
    Reader reader(env), other(env);
    { ReadTxn txn(reader); }
    auto long_read = std::make_unique<ReadTxn>(other);
    pid_t child = fork();
    if (child == 0) {
        // The child opens the file anew: its copy of the parent's environment is never used.
        execl("/proc/self/exe", "lmdb", "grow", path.c_str(), nullptr);
        _exit(1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    is(status, 0, "another process has grown the store");
    ok(!long_read->must_end(), "a long read goes on");
    is(ReadTxn(reader).error(), Errc::map_resized, "until another read needs the larger map");
    ok(long_read->must_end(), "then it is told to end");
    long_read.reset();
    {
        ReadTxn txn(reader);
        ok(txn.good(), "a reader adopts the larger map");
        ok(!txn.must_end(), "and may take its time");
        Bytes value;
        ok(txn.get(Db::resources, "g1999", value), "and sees what was written in it");
    }
    WriteTxn txn(env);
    txn.put(Db::meta, "after", "growth");
    is(txn.commit(), Errc::ok, "a writer goes on");
}

int grow(const std::string &path) {
    auto env = open(path, size_t(16) << 20);
    if (env == nullptr || env->open_databases() != Errc::ok) return 2;
    WriteTxn txn(*env);
    for (int i = 0; i < 2000; i++)
        txn.put(Db::resources, "g" + std::to_string(i), std::string(2000, 'x'));
    return txn.commit() == Errc::ok ? 0 : 3;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc == 3 && std::string_view(argv[1]) == "grow") return grow(argv[2]);
    fixture::TempDir dir;
    auto env = open(dir.path);
    is(env->open_databases(), Errc::not_found, "a new environment has no databases");
    is(env->create_databases(), Errc::ok, "they are made");
    is(env->displaced(), "", "the files are in place");
    test_transactions(*env);
    test_cursor(*env);
    test_once_a_process(dir.path);
    test_full_map(*env);
    test_adopt(dir.path, *env);
    env.reset();
    std::string why;
    ok(Env::open({"/nonexistent/scim", size_t(1) << 20, 16}, why) == nullptr,
       "a directory that is not there is refused");
    ok(why.find("/nonexistent/scim") != std::string::npos, "by name");
    return tap::done();
}
