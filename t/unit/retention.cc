// Tests that LogTrimmer deletes the oldest changes when they are too old or when the log of all
// tenants is too large: in steps, whole positions only, and nothing else.

#include "store/retention.h"

#include "store/log.h"
#include "verify_fixture.h"

namespace {

constexpr uint64_t large = uint64_t(1) << 40;

// Appends a change of `parts` rows to the tenant's log. Its resource does not exist.
void put_change(WriteTxn &txn, TenantNumber tenant, int64_t time, int parts = 1, size_t ids = 0) {
    uint64_t position = Directory(txn, tenant).position().position + 1;
    Change change;
    change.time = time;
    change.operation = Operation::remove;
    change.type = 1;
    change.added.resize(ids);
    for (int part = 0; part < parts; part++)
        txn.put(Db::changes, change_key(tenant, position, uint16_t(part)), encode_change(change));
    txn.put(Db::meta, position_key(tenant), number(position, 8) + number(uint64_t(time), 8));
}

template <class Change>
void write(Env &env, Change &&change) {
    WriteTxn txn(env);
    change(txn);
    if (txn.commit() != Errc::ok) diag("the commit failed");
}

uint64_t rows(Env &env) {
    Reader reader(env);
    ReadTxn txn(reader);
    return txn.entries(Db::changes);
}

// Returns the positions of the rows in the tenants' logs, such as "2:3+4 3:".
std::string logs(Env &env, std::initializer_list<TenantNumber> tenants) {
    std::string out;
    Reader reader(env);
    ReadTxn txn(reader);
    for (TenantNumber tenant : tenants) {
        Directory directory(txn, tenant);
        out += (out.empty() ? "" : " ") + std::to_string(tenant) + ":";
        for (const LoggedChange &change : changes_after(directory, {}, 1000))
            out += (out.back() == ':' ? "" : "+") + std::to_string(change.place.position);
    }
    return out;
}

bool look(Env &env, LogTrimmer &trimmer, int64_t now) {
    Reader reader(env);
    ReadTxn txn(reader);
    trimmer.look(txn, now);
    return trimmer.has_found();
}

void trim(Env &env, LogTrimmer &trimmer, size_t rows) {
    write(env, [&](WriteTxn &txn) { trimmer.trim(txn, rows); });
}

// Trims as a writer does until nothing is due. Returns the number of write transactions.
int run(Env &env, LogTrimmer &trimmer, int64_t now, size_t rows) {
    int steps = 0;
    while (trimmer.due(now) && steps < 1000) {
        if (!look(env, trimmer, now)) continue;
        trim(env, trimmer, rows);
        steps++;
    }
    return steps;
}

void test_time(Env &env, TenantNumber one, TenantNumber two) {
    write(env, [&](WriteTxn &txn) {
        for (int64_t time : {10, 20, 20, 30}) put_change(txn, one, time);
        put_change(txn, two, 15);
        put_user(txn, two, 1, "Ada");
    });
    LogTrimmer trimmer({100, large});
    ok(trimmer.due(0), "the first look at the log is due at once");
    is(run(env, trimmer, 110, 100), 0, "a change as old as the retention age is kept");
    ok(!trimmer.due(110 + 49999) && trimmer.due(110 + 50000),
       "the next look at the log is due after 50 s");
    ok(trimmer.due(109), "a look at the log is due when the clock goes back");
    trimmer = LogTrimmer({100, large});
    is(run(env, trimmer, 111, 100), 1,
       "a change older than the retention age is trimmed in one step");
    is(logs(env, {one, two}), "1:2+3+4 2:1+2",
       "the change older than the retention age is deleted");
    trimmer = LogTrimmer({100, large});
    run(env, trimmer, 121, 100);
    is(logs(env, {one, two}), "1:4 2:2", "all older changes of all tenants are deleted");
    sound(env, "verify finds no problem in a trimmed log");
    trimmer = LogTrimmer({100, large});
    run(env, trimmer, 1000000, 100);
    is(logs(env, {one, two}), "1: 2:", "all changes are deleted when all are too old");
    sound(env, "verify finds no problem with a resource whose change is deleted");
    Reader reader(env);
    ReadTxn txn(reader);
    Directory directory(txn, one);
    is(directory.position().position, 4u, "the position of an empty log is kept");
    is(directory.position().time, 30, "the time of the last change of an empty log is kept");
}

void test_start(Env &env, TenantNumber one, TenantNumber fresh) {
    auto start_of = [&](TenantNumber tenant) {
        Reader reader(env);
        ReadTxn txn(reader);
        Directory directory(txn, tenant);
        LogStart start = log_start(directory);
        return std::to_string(start.position) + " at " +
               (start.time ? std::to_string(*start.time) : "no time") +
               (start.trimmed() ? ", trimmed" : "");
    };
    is(start_of(one), "5 at no time, trimmed",
       "an empty trimmed log starts at the next position and has no time");
    is(start_of(fresh), "1 at no time",
       "a log that was never written starts at position 1 and has no time");
    write(env, [&](WriteTxn &txn) {
        put_change(txn, one, 2000);
        put_change(txn, fresh, 4000);
    });
    is(start_of(one), "5 at 2000, trimmed", "a trimmed log starts at its first row");
    is(start_of(fresh), "1 at 4000",
       "a log that was never trimmed starts at position 1 with the time of its first row");
}

void test_parts(Env &env, TenantNumber one) {
    write(env, [&](WriteTxn &txn) {
        put_change(txn, one, 3000, 7);
        put_change(txn, one, 3001, 7);
        put_change(txn, one, 3002, 7);
    });
    LogTrimmer trimmer({10, large});
    ok(look(env, trimmer, 3012), "changes of several rows that are too old are found");
    trim(env, trimmer, 3);
    ok(trimmer.due(3012), "a step of 3 rows leaves more to trim");
    sound(env, "verify finds no problem after a step of 3 rows at a change of 7 rows");
    is(logs(env, {one}), "1:7+8", "a step of 3 rows deletes a whole change of 7 rows");
    trim(env, trimmer, 3);
    sound(env, "verify finds no problem after the next step");
    trim(env, trimmer, 3);
    ok(!trimmer.due(3012), "nothing is due when all changes that are too old are deleted");
    is(logs(env, {one}), "1:8", "the youngest change is kept");
}

void test_size(Env &env, TenantNumber one, TenantNumber two) {
    write(env, [&](WriteTxn &txn) {
        for (int64_t i = 0; i < 40; i++) put_change(txn, i % 2 ? one : two, 5000 + i, 1, 1000);
    });
    LogTrimmer none({1000000, large});
    is(run(env, none, 6000, 100), 0, "no change is deleted while the log is below its size");
    constexpr uint64_t size = 400000;
    LogTrimmer trimmer({1000000, size});
    int steps = run(env, trimmer, 6000, 3);
    ok(steps > 5, "a log above its size is trimmed in more than 5 steps");
    Reader reader(env);
    {
        ReadTxn txn(reader);
        ok(txn.bytes(Db::changes) <= size, "a trimmed log is not above its size");
        ok(txn.bytes(Db::changes) > size - 50000,
           "a trimmed log is at most 50,000 bytes below its size");
        Directory first(txn, one), second(txn, two);
        auto a = log_start(first), b = log_start(second);
        ok(a.time && b.time && std::abs(*a.time - *b.time) == 1,
           "the oldest changes of both tenants are deleted");
    }
    sound(env, "verify finds no problem in a log trimmed to its size");
    uint64_t left = rows(env);
    LogTrimmer again({1000000, size});
    is(run(env, again, 6000, 3), 0, "a log trimmed to its size needs no further step");
    LogTrimmer last({1000000, 0});
    run(env, last, 6000, 1000);
    ok(left > 0 && rows(env) == 0, "a size of 0 deletes all changes");
    sound(env, "verify finds no problem in an empty log");
}

void test_two_trimmers(Env &env, TenantNumber one, TenantNumber two) {
    write(env, [&](WriteTxn &txn) {
        for (int64_t i = 0; i < 30; i++) put_change(txn, i % 2 ? one : two, 7000 + i);
    });
    LogTrimmer a({100, large}), b({100, large});
    ok(look(env, a, 7120) && look(env, b, 7120), "two trimmers find the same changes");
    for (int i = 0; i < 30; i++) {
        trim(env, a, 2);
        trim(env, b, 3);
    }
    is(rows(env), 10u, "two trimmers together delete what one would delete");
    ok(!a.due(7120) && !b.due(7120), "nothing is due for two trimmers after they have finished");
    write(env, [&](WriteTxn &txn) { txn.put(Db::changes, change_key(two, 1, 0), "short"); });
    LogTrimmer c({100, large});
    ok(run(env, c, 8000, 100) == 1, "a damaged row does not stop the trimming of other tenants");
    is(rows(env), 6u, "a damaged row and the changes after it are kept");
    write(env, [&](WriteTxn &txn) { txn.del(Db::changes, change_key(two, 1, 0)); });
    run(env, c, 100000, 100);
    is(rows(env), 0u, "the changes after a damaged row are deleted when the row is gone");
}

void test_many(Env &env) {
    write(env, [](WriteTxn &txn) {
        for (TenantNumber tenant = 100; tenant < 1100; tenant++) put_change(txn, tenant, 9000);
        put_change(txn, UINT32_MAX, 9000);
    });
    LogTrimmer trimmer({100, large});
    int looks = 1;
    while (!look(env, trimmer, 10000) && looks < 100) looks++;
    is(looks, 5, "looking at the logs of a thousand tenants takes 5 looks");
    trim(env, trimmer, 500);
    ok(rows(env) > 800,
       "a step deletes fewer than 200 rows if each tenant's log is on other pages");
    while (trimmer.has_found()) trim(env, trimmer, 500);
    is(rows(env), 0u, "the changes of a thousand tenants are deleted in the end");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(64) << 20, {*load_definition(extension)});
    Env &env = store->env();
    TenantNumber one = fixture::add_tenant(env, "one").number,
                 two = fixture::add_tenant(env, "two").number,
                 fresh = fixture::add_tenant(env, "fresh").number;
    test_time(env, one, two);
    test_start(env, one, fresh);
    test_parts(env, one);
    test_size(env, one, two);
    test_two_trimmers(env, one, two);
    test_many(env);
    return tap::done();
}
