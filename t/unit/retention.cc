// The oldest changes go when they are too old, or when there are too many of all tenants together:
// in steps, never a part of a position without the others, and nothing else goes with them.

#include "store/retention.h"

#include "store/log.h"
#include "verify_fixture.h"

namespace {

constexpr uint64_t large = uint64_t(1) << 40;

// A change of `parts` parts that is not of a resource that exists, behind the tenant's last.
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

// "2:3+4 3:" — tenants with the positions of their logs' rows.
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

// As a writer does, to the end; the number of its write transactions.
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
    ok(trimmer.due(0), "the first look is due at once");
    is(run(env, trimmer, 110, 100), 0, "what is as old as may be stays");
    ok(!trimmer.due(110 + 49999) && trimmer.due(110 + 50000),
       "the next look is due a minute later");
    ok(trimmer.due(109), "or when the clock goes back");
    trimmer = LogTrimmer({100, large});
    is(run(env, trimmer, 111, 100), 1, "older than that");
    is(logs(env, {one, two}), "1:2+3+4 2:1+2", "goes");
    trimmer = LogTrimmer({100, large});
    run(env, trimmer, 121, 100);
    is(logs(env, {one, two}), "1:4 2:2", "all of one time, of every tenant");
    sound(env, "what is left is sound");
    trimmer = LogTrimmer({100, large});
    run(env, trimmer, 1000000, 100);
    is(logs(env, {one, two}), "1: 2:", "all of it");
    sound(env, "is sound, with a resource whose change is gone");
    Reader reader(env);
    ReadTxn txn(reader);
    Directory directory(txn, one);
    is(directory.position().position, 4u, "the position stays");
    is(directory.position().time, 30, "and the time");
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
    is(start_of(one), "5 at no time, trimmed", "an empty log begins with what comes");
    is(start_of(fresh), "1 at no time", "one that was never written, too");
    write(env, [&](WriteTxn &txn) {
        put_change(txn, one, 2000);
        put_change(txn, fresh, 4000);
    });
    is(start_of(one), "5 at 2000, trimmed", "and with its first row");
    is(start_of(fresh), "1 at 4000", "which may be the first of all");
}

void test_parts(Env &env, TenantNumber one) {
    write(env, [&](WriteTxn &txn) {
        put_change(txn, one, 3000, 7);
        put_change(txn, one, 3001, 7);
        put_change(txn, one, 3002, 7);
    });
    LogTrimmer trimmer({10, large});
    ok(look(env, trimmer, 3012), "found");
    trim(env, trimmer, 3);
    ok(trimmer.due(3012), "there is more");
    sound(env, "a step ends with a position, however many parts it has");
    is(logs(env, {one}), "1:7+8", "and then stops");
    trim(env, trimmer, 3);
    sound(env, "the next goes on with whole positions");
    trim(env, trimmer, 3);
    ok(!trimmer.due(3012), "until it is done");
    is(logs(env, {one}), "1:8", "and no further");
}

void test_size(Env &env, TenantNumber one, TenantNumber two) {
    write(env, [&](WriteTxn &txn) {
        for (int64_t i = 0; i < 40; i++) put_change(txn, i % 2 ? one : two, 5000 + i, 1, 1000);
    });
    LogTrimmer none({1000000, large});
    is(run(env, none, 6000, 100), 0, "as long as there is room everything stays");
    constexpr uint64_t size = 400000;
    LogTrimmer trimmer({1000000, size});
    int steps = run(env, trimmer, 6000, 3);
    ok(steps > 5, "in steps");
    Reader reader(env);
    {
        ReadTxn txn(reader);
        ok(txn.bytes(Db::changes) <= size, "what is left has room");
        ok(txn.bytes(Db::changes) > size - 50000, "and no more than must has gone");
        Directory first(txn, one), second(txn, two);
        auto a = log_start(first), b = log_start(second);
        ok(a.time && b.time && std::abs(*a.time - *b.time) == 1, "the oldest of both tenants");
    }
    sound(env, "what is left is sound");
    uint64_t left = rows(env);
    LogTrimmer again({1000000, size});
    is(run(env, again, 6000, 3), 0, "and nothing is left to do");
    LogTrimmer last({1000000, 0});
    run(env, last, 6000, 1000);
    ok(left > 0 && rows(env) == 0, "no size at all leaves nothing, and comes to an end");
    sound(env, "nothing is sound");
}

void test_two_at_once(Env &env, TenantNumber one, TenantNumber two) {
    write(env, [&](WriteTxn &txn) {
        for (int64_t i = 0; i < 30; i++) put_change(txn, i % 2 ? one : two, 7000 + i);
    });
    LogTrimmer a({100, large}), b({100, large});
    ok(look(env, a, 7120) && look(env, b, 7120), "two find the same");
    for (int i = 0; i < 30; i++) {
        trim(env, a, 2);
        trim(env, b, 3);
    }
    is(rows(env), 10u, "together they take what one would have taken");
    ok(!a.due(7120) && !b.due(7120), "and both are done");
    write(env, [&](WriteTxn &txn) { txn.put(Db::changes, change_key(two, 1, 0), "short"); });
    LogTrimmer c({100, large});
    ok(run(env, c, 8000, 100) == 1, "a row that nobody can read holds up no other tenant");
    is(rows(env), 6u, "but is left, with what is behind it");
    write(env, [&](WriteTxn &txn) { txn.del(Db::changes, change_key(two, 1, 0)); });
    run(env, c, 100000, 100);
    is(rows(env), 0u, "until it is gone");
}

void test_many(Env &env) {
    write(env, [](WriteTxn &txn) {
        for (TenantNumber tenant = 100; tenant < 1100; tenant++) put_change(txn, tenant, 9000);
        put_change(txn, UINT32_MAX, 9000);
    });
    LogTrimmer trimmer({100, large});
    int looks = 1;
    while (!look(env, trimmer, 10000) && looks < 100) looks++;
    is(looks, 5, "a thousand tenants are not looked at at once");
    trim(env, trimmer, 500);
    ok(rows(env) > 800, "nor trimmed: each has pages of its own");
    while (trimmer.has_found()) trim(env, trimmer, 500);
    is(rows(env), 0u, "but all of them");
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
    test_two_at_once(env, one, two);
    test_many(env);
    return tap::done();
}
