// Tests the states in which a store is opened: undeclared, ready, read-only because a later build
// wrote it, or refused with the reason; and that the error of a damaged catalog names the row.

#include "service/store.h"

#include <lmdb.h>

#include <atomic>
#include <ctime>

#include "fixture.h"
#include "scim/text/matching_key.h"
#include "store/bytes.h"
#include "store/keys.h"

using namespace scim;
using namespace scim::service;
using store::Db;

namespace {

struct Opened {
    std::unique_ptr<Store> store;
    std::string why;
};

Opened open(const std::string &path) {
    Store::Options options;
    options.env.directory = path;
    options.env.map_size = size_t(16) << 20;
    options.declaration = *make_declaration(1, {});
    Opened opened;
    opened.store = Store::open(std::move(options), opened.why);
    return opened;
}

bool contains(const std::string &text, std::string_view part) {
    if (text.find(part) != std::string::npos) return true;
    diag(text);
    return false;
}

// Writes one row directly, or deletes it if there is no value.
void put_row(Store &store, Db db, std::string_view key, std::optional<std::string_view> value) {
    store::WriteTxn txn(store.env());
    if (value)
        txn.put(db, key, *value);
    else
        txn.del(db, key);
    if (txn.commit() != store::Errc::ok) diag("the commit failed");
}

std::string catalog_key(uint8_t kind, uint16_t number) {
    std::string key(1, char(kind));
    store::append_be(key, number, 2);
    return key;
}

std::string row(Store &store, Db db, std::string_view key) {
    store::Reader reader(store.env());
    store::ReadTxn txn(reader);
    store::Bytes bytes;
    return txn.get(db, key, bytes) ? std::string(bytes) : "";
}

std::string replaced(std::string text, const std::string &from, const std::string &to) {
    size_t at = text.find(from);
    if (at == std::string::npos) diag("no " + from + " in " + text);
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

void test_new(const std::string &path) {
    auto nowhere = open(path + "/nowhere");
    ok(nowhere.store == nullptr && contains(nowhere.why, "nowhere"),
       "opening a store in a missing directory is refused with its path");

    auto opened = open(path);
    ok(opened.store && opened.store->state() == Store::State::undeclared,
       "a new store is undeclared");
    is(opened.why, "", "opening a new store gives no error text");
    ok(!open(path).store, "a second open of a store in one process is refused");
    ok(opened.store->declare(opened.why) && opened.store->state() == Store::State::ready,
       "a store is ready after declare()");
    opened.store.reset();
    opened = open(path);
    ok(opened.store && opened.store->state() == Store::State::ready && opened.why.empty(),
       "a declared store is ready when it is opened again");
    is(opened.store->warning(), "", "a declared store is opened without a warning");
}

// Returns the warning or error of opening the store with one row of `meta` changed. Restores the
// row.
std::string with_meta(const std::string &path, const std::string &key,
                      std::optional<std::string_view> value, Store::State state) {
    auto opened = open(path);
    std::string was = row(*opened.store, Db::meta, key);
    put_row(*opened.store, Db::meta, key, value);
    opened.store.reset();
    opened = open(path);
    std::string said = opened.store ? opened.store->warning() : opened.why;
    if (opened.store && opened.store->state() != state) said += " (in another state)";
    opened.store.reset();

    std::string why;
    auto env = store::Env::open({path, size_t(16) << 20, 126}, why);
    if (!env || env->open_databases() != store::Errc::ok) diag("not opened: " + why);
    store::WriteTxn txn(*env);
    txn.put(Db::meta, key, was);
    if (txn.commit() != store::Errc::ok) diag("the commit failed");
    return said;
}

// Removes the database `access` and states format 2, as an earlier build would have left the store.
void make_format_2(const std::string &path) {
    MDB_env *env = nullptr;
    MDB_txn *txn = nullptr;
    MDB_dbi access = 0, meta = 0;
    mdb_env_create(&env);
    mdb_env_set_maxdbs(env, 2);
    bool done = mdb_env_open(env, path.c_str(), 0, 0600) == 0 &&
                mdb_txn_begin(env, nullptr, 0, &txn) == 0 &&
                mdb_dbi_open(txn, "access", 0, &access) == 0 && mdb_drop(txn, access, 1) == 0 &&
                mdb_dbi_open(txn, "meta", 0, &meta) == 0;
    for (std::string name : {"min_reader", "min_writer", "write_format"}) {
        std::string two = "2";
        MDB_val key{name.size(), name.data()}, value{two.size(), two.data()};
        done = done && mdb_put(txn, meta, &key, &value, 0) == 0;
    }
    if (!done || mdb_txn_commit(txn) != 0) diag("the store of format 2 was not made");
    mdb_env_close(env);
}

uint64_t last_txn(const std::string &path) {
    std::string why;
    auto env = store::Env::open({path, size_t(16) << 20, 126}, why);
    return env ? env->info().last_txn : 0;
}

void test_format_2() {
    fixture::TempDir dir;
    {
        auto opened = open(dir.path);
        ok(opened.store->declare(opened.why), "a store is declared");
    }
    make_format_2(dir.path);
    const uint64_t before = last_txn(dir.path);
    auto opened = open(dir.path);
    ok(!opened.store, "a store of format 2, which lacks a database, is not opened");
    is(opened.why,
       "store \"" + dir.path +
           "\" has format 2 of a version before 0.1.0, which this one does not read: remove the "
           "directory and provision again",
       "the refusal of a store of format 2 names its format");
    is(last_txn(dir.path), before, "nothing is written to a refused store of format 2");
}

void test_format(const std::string &path) {
    is(with_meta(path, "min_writer", "6", Store::State::read_only),
       "store \"" + path +
           "\" has format 5, which needs a version that knows format 6; this one knows format 5: "
           "it is served read-only",
       "a store with a newer min_writer is opened read-only");
    is(with_meta(path, "min_reader", "6", Store::State::ready),
       "store \"" + path +
           "\" has format 5, which needs a version that knows format 6; this one knows format 5: "
           "upgrade the module",
       "a store with a newer min_reader is refused");
    is(with_meta(path, "write_format", "4", Store::State::ready),
       "store \"" + path +
           "\" has format 4 of a version before 0.1.0, which this one does not read: remove the "
           "directory and provision again",
       "a store of an earlier format is refused");
    ok(contains(with_meta(path, "min_reader", "one", Store::State::ready), "cannot be read"),
       "a store whose min_reader is not a number is refused");
    ok(contains(with_meta(path, "write_format", std::nullopt, Store::State::ready),
                "cannot be read"),
       "a store without write_format is refused");
    is(with_meta(path, "min_reader", std::nullopt, Store::State::undeclared), "",
       "a store without min_reader, whose creation was interrupted, is undeclared");
}

// Returns the result of reading the catalog with one row changed. Restores the row.
std::string with_row(Store &store, const std::string &key, std::string_view value) {
    std::string was = row(store, Db::catalog, key);
    put_row(store, Db::catalog, key, value);
    std::string said;
    {
        store::Reader reader(store.env());
        store::ReadTxn txn(reader);
        auto rows = store::read_catalog(txn);
        said = rows ? "read" : rows.error().detail;
        if (!rows && rows.error().refusal != Refusal::catalog_damaged) said += " (another id)";
        CatalogCache cache;
        auto catalog = cache.at(txn);
        if (bool(catalog) != bool(rows)) said += " (but the cache differs)";
        if (!catalog && catalog.error().refusal != Refusal::catalog_unreadable)
            said += " (but is not catalog-unreadable)";
    }
    put_row(store, Db::catalog, key,
            was.empty() ? std::nullopt : std::optional<std::string_view>(was));
    return said;
}

void test_damaged_catalog(const std::string &path) {
    auto opened = open(path);
    Store &store = *opened.store;
    ok(contains(with_row(store, "ab", "{}"), "the key has 2 bytes"),
       "a catalog row with a key of another length is named by its length");
    ok(contains(with_row(store, catalog_key(1, 1), "{"), "catalog row 1/1: "),
       "a catalog row that is not JSON is named");
    ok(contains(with_row(store, catalog_key(1, 1), R"({"schema":{"id":7}})"), "catalog row 1/1: "),
       "a catalog row with an invalid schema is named");
    ok(contains(with_row(store, catalog_key(2, 1), R"({"resourceType":[]})"), "catalog row 2/1: "),
       "a catalog row with an invalid resource type is named");
    std::string attr = row(store, Db::catalog, catalog_key(3, 1));
    ok(contains(with_row(store, catalog_key(3, 1), replaced(attr, "\"string\"", "\"strong\"")),
                "catalog row 3/1: unknown type \"strong\""),
       "a catalog row with an unknown attribute type is named");
    std::string index = row(store, Db::catalog, catalog_key(4, 1));
    ok(contains(with_row(store, catalog_key(4, 1), replaced(index, "\"ready\"", "\"reedy\"")),
                "catalog row 4/1: unknown index state \"reedy\""),
       "a catalog row with an unknown index state is named");
    is(with_row(store, catalog_key(9, 1), "{}"), "read",
       "a catalog row of an unknown kind is skipped");
    ok(contains(with_row(store, catalog_key(9, 1), "{"), "catalog row 9/1: "),
       "a catalog row of an unknown kind that is not JSON is named");
}

void test_unopenable(const std::string &path) {
    {
        auto opened = open(path);
        put_row(*opened.store, Db::catalog, catalog_key(1, 1), "{");
    }
    auto opened = open(path);
    ok(!opened.store && contains(opened.why, "catalog row 1/1"),
       "a store with a damaged catalog is refused");
}

void test_unicode(const std::string &path) {
    {
        auto opened = open(path);
        std::string header = row(*opened.store, Db::catalog, catalog_key(0, 0));
        auto version = std::string(unicode_version());
        put_row(*opened.store, Db::catalog, catalog_key(0, 0), replaced(header, version, "1.1"));
    }
    auto opened = open(path);
    ok(opened.store && contains(opened.store->warning(), "was made with Unicode 1.1"),
       "a store made with another Unicode version is opened with a warning");
}

std::vector<Definition> badge_of(const std::string &name) {
    return {*load_definition(R"({"id":"urn:example:)" + name +
                             R"(:User","name":"User","attributes":[)"
                             R"({"name":"badge","type":"string"}]})")};
}

// A configuration and the workers that share its generation.
struct Configuration {
    uint64_t loaded;  // milliseconds since 1970
    const char *name;
    std::atomic<uint64_t> generation{0};

    Configuration(uint64_t loaded, const char *name) : loaded(loaded), name(name) {}

    // Opens the store as a worker of this configuration. Returns the declared schemas of the tests,
    // '|' and the warning.
    std::string open(const std::string &path) {
        service::Store::Options options;
        options.env.directory = path;
        options.env.map_size = size_t(16) << 20;
        options.declaration = *make_declaration(loaded, badge_of(name));
        options.generation = &generation;
        std::string why, urns;
        auto store = service::Store::open(std::move(options), why);
        if (store == nullptr) return why;
        if (store->state() == service::Store::State::undeclared && !store->declare(why)) return why;
        store::Reader reader(store->env());
        store::ReadTxn txn(reader);
        auto rows = store::read_catalog(txn);
        for (const auto &row : rows->schemas)
            if (row.declared && row.schema.id.find("urn:example") == 0) urns += row.schema.id;
        return urns + "|" + store->warning();
    }
};

constexpr uint64_t day = 24 * 3600 * 1000;  // milliseconds

uint64_t time_now() { return uint64_t(std::time(nullptr)) * 1000; }

void test_generations() {
    const uint64_t now = time_now();
    fixture::TempDir dir;
    Configuration first(now - 2 * day, "one"), second(now - day, "two"),
        third(now - day + 1, "one");
    is(first.open(dir.path), "urn:example:one:User|", "a first declaration is applied");
    is(second.open(dir.path), "urn:example:two:User|", "a newer declaration is applied");
    const std::string older = first.open(dir.path);
    ok(contains(older, "urn:example:two:User|") &&
           contains(older, "declared by a newer configuration"),
       "a worker of an older configuration does not apply its declaration, and the warning says "
       "so");
    is(second.open(dir.path), "urn:example:two:User|",
       "a second worker of the newer configuration opens the store without a warning");
    Configuration late(now - 3 * day, "one");
    ok(contains(late.open(dir.path), "urn:example:two:User|"),
       "an older configuration that opens the store for the first time changes nothing");
    Configuration same(now - day / 2, "two");
    is(same.open(dir.path), "urn:example:two:User|",
       "a newer configuration with the same declaration changes nothing");
    is(third.open(dir.path), "urn:example:one:User|",
       "a configuration that was loaded after the last applied one is applied");
    ok(contains(same.open(dir.path), "urn:example:one:User|"),
       "a worker of a configuration that changed nothing does not undo a later declaration");
}

// The clock was nine days ahead, and was set back.
void test_clock_ahead() {
    const uint64_t now = time_now();
    fixture::TempDir dir;
    Configuration ahead(now + 9 * day, "one"), also_ahead(now + 9 * day + 1, "two");
    is(ahead.open(dir.path), "urn:example:one:User|",
       "a configuration that was loaded while the clock was ahead declares its schemas");
    ok(contains(also_ahead.open(dir.path), "urn:example:two:User|"),
       "a second configuration that was loaded while the clock was ahead declares its schemas");
    Configuration corrected(now, "one"), next(now + 1, "two"), same(now + 2, "two"),
        last(now + 3, "one");
    std::string text = corrected.open(dir.path);
    ok(contains(text, "urn:example:one:User|") && contains(text, "the clock was set back"),
       "a declaration is applied over one of the future, and the warning says so");
    text = also_ahead.open(dir.path);
    ok(contains(text, "urn:example:one:User|") &&
           contains(text, "declared by a newer configuration"),
       "a worker of the configuration of the future does not undo it, and the warning says so");
    ok(contains(next.open(dir.path), "urn:example:two:User|"),
       "the next configuration is applied over it");
    ok(contains(corrected.open(dir.path), "urn:example:two:User|"),
       "a worker of the previous configuration does not undo the next one");
    same.open(dir.path);
    ok(contains(last.open(dir.path), "urn:example:one:User|"),
       "a configuration is applied after one that changed nothing");
    for (Configuration *one : {&ahead, &also_ahead, &corrected, &next, &same})
        ok(contains(one->open(dir.path), "urn:example:one:User|"),
           "a worker of an older configuration does not undo the last one");
    is(fixture::open_store(dir.path, size_t(16) << 20, {}, 0)->warning(), "",
       "opening with generation 0, as tools do, gives no warning");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    test_new(dir.path);
    test_format(dir.path);
    test_format_2();
    test_damaged_catalog(dir.path);
    test_unicode(dir.path);
    test_unopenable(dir.path);
    test_generations();
    test_clock_ahead();
    return tap::done();
}
