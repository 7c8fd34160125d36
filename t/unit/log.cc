// Tests that a tenant's log is read backwards from its end and forwards from a place, up to the
// number of changes asked for, and that the rows of one change are joined.

#include "store/log.h"

#include "fixture.h"

using namespace scim;
using namespace scim::store;

namespace {

Id id_of(uint64_t number) {
    Id id{};
    for (size_t i = 0; i < 8; i++) id[15 - i] = uint8_t(number >> 8 * i);
    return id;
}

// Writes a row about the resource `id` with `added` and `removed` members, numbered from `first`.
void put_part(WriteTxn &txn, TenantNumber tenant, LogPlace place, uint64_t id, uint64_t added = 0,
              uint64_t removed = 0, uint64_t first = 0) {
    Change change;
    change.time = int64_t(place.position) * 10;
    change.operation = Operation::patch;
    change.type = 1;
    change.id = id_of(id);
    change.emptied = added > 0 && first == 0;
    if (place.part == 0) change.attrs = {7};
    for (uint64_t i = 0; i < added; i++) change.added.push_back(id_of(first + i));
    for (uint64_t i = 0; i < removed; i++) change.removed.push_back(id_of(first + i));
    txn.put(Db::changes, change_key(tenant, place.position, place.part), encode_change(change));
}

void fill(Env &env) {
    WriteTxn txn(env);
    put_part(txn, 1, {9, 0}, 1);
    put_part(txn, 2, {1, 0}, 1);
    put_part(txn, 2, {2, 0}, 2, 90, 0, 0);
    put_part(txn, 2, {2, 1}, 2, 90, 3, 90);
    put_part(txn, 2, {2, 2}, 2, 10, 0, 180);
    put_part(txn, 2, {3, 0}, 3);
    put_part(txn, 2, {3, 1}, 4, 0, 1);
    put_part(txn, 2, {3, 2}, 5, 0, 1);
    put_part(txn, 2, {4, 0}, 5);
    put_part(txn, 3, {1, 0}, 1);
    if (txn.commit() != Errc::ok) diag("the commit failed");
}

// Returns "position.part/resource" of each change, separated by blanks.
std::string summary(const std::vector<LoggedChange> &changes) {
    std::string out;
    for (const LoggedChange &change : changes)
        out += (out.empty() ? "" : " ") + std::to_string(change.place.position) + '.' +
               std::to_string(change.place.part) + '/' + std::to_string(change.change.id[15]);
    return out;
}

void test_backwards(Directory &directory) {
    is(summary(last_changes(directory, 100, 0)), "4.0/5 3.2/5 3.1/4 3.0/3 2.2/2 1.0/1",
       "last_changes() lists the newest first and only those of the tenant");
    is(summary(last_changes(directory, 3, 0)), "4.0/5 3.2/5 3.1/4",
       "last_changes() lists at most as many as asked for");
    is(summary(last_changes(directory, 100, 30)), "4.0/5 3.2/5 3.1/4 3.0/3",
       "last_changes() lists none before the time asked for");
    is(summary(last_changes(directory, 100, 41)), "",
       "last_changes() from a time after the last change is empty");
    is(last_changes(directory, 0, 0).size(), 0u, "last_changes() of 0 changes is empty");
}

void test_forwards(Directory &directory) {
    is(summary(changes_after(directory, {}, 100)), "1.0/1 2.2/2 3.0/3 3.1/4 3.2/5 4.0/5",
       "changes_after() lists the oldest first");
    is(summary(changes_after(directory, {2, UINT16_MAX}, 100)), "3.0/3 3.1/4 3.2/5 4.0/5",
       "changes_after() the end of a position begins with the next position");
    is(summary(changes_after(directory, {3, 1}, 100)), "3.2/5 4.0/5",
       "changes_after() a part begins with the next part");
    is(summary(changes_after(directory, {4, 0}, 100)), "",
       "changes_after() the last change is empty");
    LogPlace place;
    std::string all;
    for (auto some = changes_after(directory, place, 2); !some.empty();
         some = changes_after(directory, place, 2)) {
        all += summary(some) + ';';
        place = some.back().place;
    }
    is(all, "1.0/1 2.2/2;3.0/3 3.1/4;3.2/5 4.0/5;",
       "changes_after() in steps of 2 lists each change once");
}

void test_parts(Directory &directory) {
    for (const auto &changes :
         {last_changes(directory, 100, 20), changes_after(directory, {1, 0}, 1)}) {
        const LoggedChange &change = changes.size() == 1 ? changes[0] : changes.back();
        is(change.added, 190u, "the added members of all rows of a change are counted");
        is(change.removed, 3u, "the removed members of all rows of a change are counted");
        ok(change.change.added.size() == members_kept && change.change.added[0] == id_of(0) &&
               change.change.added[99] == id_of(99),
           "the first members_kept added members are kept in order");
        ok(change.change.emptied && change.change.attrs == std::vector<AttrNumber>{7},
           "a change has the attributes and the emptied flag of its first row");
    }
}

void test_damage(Env &env) {
    {
        WriteTxn txn(env);
        txn.put(Db::changes, change_key(2, 5, 0), "short");
        ok(txn.commit() == Errc::ok, "a damaged change row is written");
    }
    Reader reader(env);
    ReadTxn txn(reader);
    Directory directory(txn, 2);
    is(last_changes(directory, 100, 0).size(), 0u, "last_changes() stops at a damaged row");
    ok(txn.error() == Errc::damaged,
       "a damaged change row sets the error of the transaction to damaged");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    fill(store->env());
    {
        Reader reader(store->env());
        ReadTxn txn(reader);
        Directory directory(txn, 2);
        test_backwards(directory);
        test_forwards(directory);
        test_parts(directory);
        ok(txn.good(), "reading the log sets no error");
    }
    test_damage(store->env());
    return tap::done();
}
