// A tenant's log is read back from its end or onwards from a place, no further than is wanted, with
// the parts of one change put together and those of others left apart.

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

// A part about the resource `id`: `added` and `removed` members, numbered from `first`.
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

// "position.part/resource …"
std::string words(const std::vector<LoggedChange> &changes) {
    std::string out;
    for (const LoggedChange &change : changes)
        out += (out.empty() ? "" : " ") + std::to_string(change.place.position) + '.' +
               std::to_string(change.place.part) + '/' + std::to_string(change.change.id[15]);
    return out;
}

void test_backwards(Directory &directory) {
    is(words(last_changes(directory, 100, 0)), "4.0/5 3.2/5 3.1/4 3.0/3 2.2/2 1.0/1",
       "the newest first, and nothing of the tenants beside");
    is(words(last_changes(directory, 3, 0)), "4.0/5 3.2/5 3.1/4", "no more than is wanted");
    is(words(last_changes(directory, 100, 30)), "4.0/5 3.2/5 3.1/4 3.0/3", "nothing older");
    is(words(last_changes(directory, 100, 41)), "", "not even the last");
    is(last_changes(directory, 0, 0).size(), 0u, "none");
}

void test_forwards(Directory &directory) {
    is(words(changes_after(directory, {}, 100)), "1.0/1 2.2/2 3.0/3 3.1/4 3.2/5 4.0/5",
       "the oldest first");
    is(words(changes_after(directory, {2, UINT16_MAX}, 100)), "3.0/3 3.1/4 3.2/5 4.0/5",
       "behind a position");
    is(words(changes_after(directory, {3, 1}, 100)), "3.2/5 4.0/5", "behind a part");
    is(words(changes_after(directory, {4, 0}, 100)), "", "behind the last");
    LogPlace place;
    std::string all;
    for (auto some = changes_after(directory, place, 2); !some.empty();
         some = changes_after(directory, place, 2)) {
        all += words(some) + ';';
        place = some.back().place;
    }
    is(all, "1.0/1 2.2/2;3.0/3 3.1/4;3.2/5 4.0/5;", "in steps, each once");
}

void test_parts(Directory &directory) {
    for (const auto &changes :
         {last_changes(directory, 100, 20), changes_after(directory, {1, 0}, 1)}) {
        const LoggedChange &change = changes.size() == 1 ? changes[0] : changes.back();
        is(change.added, 190u, "members of all parts are counted");
        is(change.removed, 3u, "those that left, too");
        ok(change.change.added.size() == members_kept && change.change.added[0] == id_of(0) &&
               change.change.added[99] == id_of(99),
           "the first hundred are kept, in order");
        ok(change.change.emptied && change.change.attrs == std::vector<AttrNumber>{7},
           "and what the first part says");
    }
}

void test_damage(Env &env) {
    {
        WriteTxn txn(env);
        txn.put(Db::changes, change_key(2, 5, 0), "short");
        ok(txn.commit() == Errc::ok, "a damaged row");
    }
    Reader reader(env);
    ReadTxn txn(reader);
    Directory directory(txn, 2);
    is(last_changes(directory, 100, 0).size(), 0u, "is not shown");
    ok(txn.error() == Errc::damaged, "and fails the transaction");
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
        ok(txn.good(), "nothing failed");
    }
    test_damage(store->env());
    return tap::done();
}
