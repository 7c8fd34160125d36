// Tests that transactions are atomic and keep their first error, that a process opens a store only
// once, and that a map that another process has grown is adopted.

#include "store/lmdb.h"

#include <sys/wait.h>

#include "fixture.h"
#include "store/read_budget.h"

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
        ok(!txn.insert(Db::meta, "b", "3"), "an existing key is not inserted");
        is(txn.commit(), Errc::ok, "a write transaction is committed");
    }
    is(value_of(env, "b"), "2", "a committed value is read");
    {
        WriteTxn txn(env);
        txn.put(Db::meta, "a", "9");
    }
    is(value_of(env, "a"), "1", "a value of an uncommitted transaction is not read");
    {
        WriteTxn txn(env);
        ok(txn.del(Db::meta, "b"), "del() of an existing key returns true");
        ok(!txn.del(Db::meta, "b"), "del() of a missing key returns false");
        ok(txn.good(), "del() of a missing key is not an error");
        txn.put(Db::catalog, std::string(600, 'k'), "long");
        is(to_string(txn.error()), to_string(Errc::invalid),
           "a key above LMDB's bound sets the error of the transaction");
        txn.put(Db::meta, "c", "after");
        is(txn.commit(), Errc::invalid, "commit() returns an earlier error of the transaction");
    }
    is(value_of(env, "c"), "-", "a transaction with an error writes nothing");
}

// commit() writes the rows of `meta`; the transaction sees them before.
void test_meta(Env &env) {
    {
        WriteTxn txn(env);
        const uint64_t rows = txn.entries(Db::meta);
        Bytes value;
        txn.put(Db::meta, "m1", "1");
        ok(txn.get(Db::meta, "m1", value) && value == "1", "get() finds a row of meta");
        txn.put(Db::meta, "m1", "2");
        ok(txn.get(Db::meta, "m1", value) && value == "2", "and its last value");
        is(txn.entries(Db::meta), rows + 1, "entries() counts it once");
        txn.put(Db::meta, "m2", "3");
        {
            Cursor cursor(txn, Db::meta);
            ok(cursor.seek("m2") && cursor.value() == "3", "a cursor finds it");
        }
        txn.put(Db::meta, "m3", "4");
        ok(txn.del(Db::meta, "m3"), "del() of a row that is not written returns true");
        ok(!txn.get(Db::meta, "m3", value), "and the row is gone");
        txn.put(Db::meta, "m4", "5");
        ok(!txn.insert(Db::meta, "m4", "6"), "insert() finds it");
        is(txn.commit(), Errc::ok, "the transaction is committed");
    }
    is(value_of(env, "m1") + value_of(env, "m2") + value_of(env, "m3") + value_of(env, "m4"),
       "23-5", "its rows are read");
    {
        WriteTxn txn(env);
        txn.put(Db::catalog, "with", "row");
        txn.put(Db::meta, std::string(600, 'k'), "long");
        is(to_string(txn.commit()), to_string(Errc::invalid),
           "commit() returns the error of a row of meta");
    }
    WriteTxn txn(env);
    Bytes value;
    ok(!txn.get(Db::catalog, "with", value), "and nothing of that transaction is written");
}

// The pages of 300 rows of 900 bytes in ascending order; four fit into one.
template <class Put>
uint64_t pages_of_rows(WriteTxn &txn, size_t page_size, Put put) {
    for (int i = 0; i < 300; i++) put("n" + std::to_string(1000 + i), std::string(900, 'x'));
    Cursor cursor(txn, Db::resources);
    bool more = cursor.seek("n");
    for (int i = 0; i < 300 && more; i++) {
        more = cursor.key() == "n" + std::to_string(1000 + i) && cursor.value().size() == 900;
        cursor.next();
    }
    ok(more, "each row is found");
    return txn.bytes(Db::resources) / page_size;
}

void test_put_new(Env &env) {
    const size_t page_size = env.info().page_size;
    {
        WriteTxn txn(env);
        const auto pages = pages_of_rows(
            txn, page_size, [&](Bytes key, Bytes value) { txn.put(Db::resources, key, value); });
        ok(pages > 100, "put() of the last row of all leaves space in each page");
    }
    WriteTxn txn(env);
    const auto pages = pages_of_rows(
        txn, page_size, [&](Bytes key, Bytes value) { txn.put_new(Db::resources, key, value); });
    ok(pages < 80, "put_new() fills the pages");
    txn.put_new(Db::resources, "m", "before");
    txn.put_new(Db::resources, "n1000", "again");
    Bytes value;
    ok(txn.get(Db::resources, "m", value) && value == "before",
       "put_new() of a row before others writes it");
    ok(txn.get(Db::resources, "n1000", value) && value == "again",
       "put_new() of an existing row replaces it");
}

void test_cursor(Env &env) {
    WriteTxn txn(env);
    for (const char *key : {"k1", "k2", "k3"}) txn.put(Db::catalog, key, key);
    Cursor cursor(txn, Db::catalog);
    ok(cursor.seek("") && cursor.key() == "k1", "seek() to the empty key finds the first entry");
    ok(cursor.seek("k15") && cursor.key() == "k2", "seek() to a missing key finds the next entry");
    ok(cursor.seek_before("k2") && cursor.key() == "k1",
       "seek_before() finds the entry before a key");
    ok(cursor.seek_before("zzz") && cursor.key() == "k3",
       "seek_before() a key beyond the end finds the last entry");
    ok(!cursor.seek_before("k1"), "seek_before() the first key finds nothing");
    ok(!cursor.seek("k4"), "seek() beyond the last key finds nothing");
    cursor.seek("k1");
    cursor.del();
    ok(cursor.next() && cursor.key() == "k2",
       "next() after del() goes to the entry after the deleted one");
    ok(txn.good(), "the end of a cursor is not an error");
}

void test_once_a_process(const std::string &path) {
    std::string why;
    ok(Env::open({path, size_t(1) << 20, 16}, why) == nullptr,
       "a second open in one process is refused");
    ok(why.find("in this process already") != std::string::npos,
       "the error of a second open says so");
}

void test_full_map(Env &env) {
    WriteTxn txn(env);
    is(txn.room(env.info().map_size / 2), env.info().map_size / 2,
       "a new store has room for half its map");
    for (int i = 0; i < 2000 && txn.good(); i++)
        txn.put(Db::resources, "r" + std::to_string(i), std::string(2000, 'x'));
    is(to_string(txn.error()), to_string(Errc::map_full),
       "writing beyond the map sets the error map_full");
    txn.abort();
    is(value_of(env, "a"), "1", "a committed value is read after a full map");
}

// Another process has a larger map, and its writes make the file larger than this process's map.
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
    ok(!long_read->must_end(), "a running read need not end when another process grows the store");
    is(ReadTxn(reader).error(), Errc::map_resized,
       "a new read that needs the larger map gets map_resized");
    ok(long_read->must_end(), "a running read must end once another read needs the larger map");
    ReadBudget budget({}, RunOn::thread, &*long_read);
    while (budget.next_resource()) continue;
    ok(budget.error().refusal == scim::Refusal::read_interrupted,
       "the refusal of a read that must end is read-interrupted");
    long_read.reset();
    {
        ReadTxn txn(reader);
        ok(txn.good(), "a reader adopts the larger map once the running read has ended");
        ok(!txn.must_end(), "a read in the larger map need not end");
        Bytes value;
        ok(txn.get(Db::resources, "g1999", value),
           "a read in the larger map finds what the other process has written");
    }
    WriteTxn txn(env);
    txn.put(Db::meta, "after", "growth");
    is(txn.commit(), Errc::ok, "a write after the map was adopted is committed");
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
    is(env->create_databases(), Errc::ok, "the databases are created");
    is(env->displaced(), "", "displaced() is empty while the files are in place");
    test_transactions(*env);
    test_meta(*env);
    test_put_new(*env);
    test_cursor(*env);
    test_once_a_process(dir.path);
    test_full_map(*env);
    test_adopt(dir.path, *env);
    env.reset();
    std::string why;
    ok(Env::open({"/nonexistent/scim", size_t(1) << 20, 16}, why) == nullptr,
       "opening a missing directory is refused");
    ok(why.find("/nonexistent/scim") != std::string::npos,
       "the error of a missing directory names it");
    return tap::done();
}
