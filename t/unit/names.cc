// Tests that the names of deleted resources are kept with the change that deletes them, found and
// forgotten by name and by id, trimmed with the log, and that verify() finds damage of them.

#include "store/names.h"

#include "store/retention.h"
#include "store/tenants.h"
#include "verify_fixture.h"

namespace {

// Deletes a user that put_user() has created.
void delete_user(WriteTxn &txn, TenantNumber tenant, uint8_t n, const std::string &name) {
    DirectoryWriter directory(txn, tenant);
    ResourceEdit edit;
    edit.type = 1;
    edit.id = id_of(n);
    edit.position = directory.position().position + 1;
    edit.before = index_values(*catalog_of(txn), *catalog_of(txn)->type_by_name("User"),
                               user_resource(*catalog_of(txn)->type_by_name("User"), name).leaves);
    edit.name = name;
    edit.change.time = 1000 + int64_t(edit.position);
    edit.change.operation = Operation::remove;
    edit.change.type = 1;
    edit.change.id = edit.id;
    directory.apply(edit);
}

std::string name_of(Env &env, TenantNumber tenant, uint8_t n) {
    Reader reader(env);
    ReadTxn txn(reader);
    const auto found = deleted_name(txn, tenant, id_of(n));
    return found ? found->name + "@" + std::to_string(found->position) : "none";
}

uint64_t rows(Env &env) {
    Reader reader(env);
    ReadTxn txn(reader);
    return txn.entries(Db::names);
}

template <class Change>
void write(Env &env, Change &&change) {
    WriteTxn txn(env);
    change(txn);
    if (txn.commit() != Errc::ok) diag("the commit failed");
}

void trim(Env &env, int64_t now) {
    LogTrimmer trimmer({100, uint64_t(1) << 40});
    while (trimmer.due(now)) {
        Reader reader(env);
        {
            ReadTxn txn(reader);
            trimmer.look(txn, now);
        }
        if (trimmer.has_found()) write(env, [&](WriteTxn &txn) { trimmer.trim(txn, 100); });
    }
}

void test_names(Env &env, TenantNumber acme, TenantNumber globex) {
    write(env, [&](WriteTxn &txn) {
        put_user(txn, acme, 1, "Ada");       // position 1
        put_user(txn, acme, 2, "bob");       // 2
        put_user(txn, globex, 1, "Ada");     // 1
        delete_user(txn, acme, 1, "Ada");    // 3
        delete_user(txn, globex, 1, "Ada");  // 2
    });
    is(name_of(env, acme, 1), "Ada@3", "a deleted resource has its name and its change");
    is(name_of(env, acme, 2), "none", "a resource that exists has none");
    sound(env, "verify finds no problem with names of deleted resources");
    write(env, [&](WriteTxn &txn) {
        is(drop_deleted_names(txn, acme, "ad", 9), 0u, "a part of a name forgets nothing");
        is(drop_deleted_names(txn, acme, "aDA", 9), 1u, "a name is forgotten whatever its case");
        is(drop_deleted_names(txn, acme, "ada", 9), 0u, "once");
    });
    is(name_of(env, acme, 1), "none", "a forgotten name is gone");
    is(name_of(env, globex, 1), "Ada@2", "that of another tenant stays");
    sound(env, "verify finds no problem after a name was forgotten");

    // Created again with the same id, as an import with --keep-ids does, and deleted again.
    write(env, [&](WriteTxn &txn) {
        put_user(txn, acme, 1, "Eve");     // 4
        delete_user(txn, acme, 1, "Eve");  // 5
        put_user(txn, acme, 1, "Zoe");     // 6
        delete_user(txn, acme, 1, "Zoe");  // 7
        put_user(txn, acme, 3, "zoE");     // 8
        delete_user(txn, acme, 3, "zoE");  // 9
    });
    is(name_of(env, acme, 1), "Zoe@7", "a second deletion replaces the name");
    is(rows(env), 6u, "and its rows");
    sound(env, "verify finds no problem after a second deletion");
    write(env, [&](WriteTxn &txn) {
        is(drop_deleted_names(txn, acme, "zoe", 1), 1u, "at most as many are forgotten as wanted");
        is(drop_deleted_names(txn, acme, "zoe", 9), 1u, "the next call forgets the others");
    });
    is(rows(env), 2u, "no row is left of forgotten names");
}

void test_trimming(Env &env, TenantNumber acme) {
    write(env, [&](WriteTxn &txn) {
        put_user(txn, acme, 4, "old");     // 10, time 1010
        delete_user(txn, acme, 4, "old");  // 11
        put_user(txn, acme, 4, "new");     // 12
        delete_user(txn, acme, 4, "new");  // 13
        put_user(txn, acme, 5, "kim");     // 14
        delete_user(txn, acme, 5, "kim");  // 15
    });
    trim(env, 1000 + 12 + 100);
    is(name_of(env, acme, 4), "new@13", "the name of a later deletion is not trimmed");
    trim(env, 1000 + 14 + 100);
    is(name_of(env, acme, 4), "none",
       "a name is trimmed with the change that deletes its resource");
    is(name_of(env, acme, 5), "kim@15", "that of a later change stays");
    sound(env, "verify finds no problem after trimming");
}

void test_damage(Env &env, TenantNumber acme) {
    const Id kim = id_of(5);
    const std::string of_kim = "names: tenant 1 " + scim::to_string(kim),
                      key(deleted_name_key(acme, kim)), digest(name_digest_key(acme, "kim", kim));
    {
        WriteTxn txn(env);
        txn.put(Db::names, key, "x");
        is(drop_name_of_change(txn, acme, kim, 99), 1u, "a damaged name is dropped with a change");
        ok(txn.good(), "it does not fail the transaction, so that the log is trimmed further");
    }
    auto put = [](const std::string &row_key, const std::string &value) -> Plant {
        return [=](WriteTxn &txn) { txn.put(Db::names, row_key, value); };
    };
    damage(env, "a name without its digest",
           {of_kim + ": the row of its digest is missing, so it cannot be forgotten"},
           [=](WriteTxn &txn) { txn.del(Db::names, digest); });
    damage(env, "a digest without its name", {of_kim + " digest: there is no name of this id"},
           [=](WriteTxn &txn) { txn.del(Db::names, key); });
    damage(env, "another name than that of the digest",
           {of_kim + ": the row of its digest is missing", of_kim + " digest: the name of this id"},
           put(key, number(15, 8) + "kin"));
    damage(env, "a name of 0 bytes", {of_kim + ": the value has 8 bytes"}, put(key, number(15, 8)));
    damage(env, "a name of a change that is not in the log",
           {of_kim + ": its change 77 is not in the log"}, put(key, number(77, 8) + "kim"));
    damage(env, "a name of a change that does not delete it",
           {of_kim + ": change 16 does not delete it"}, [&](WriteTxn &txn) {
               put_user(txn, acme, 6, "x");  // 16
               txn.put(Db::names, key, number(16, 8) + "kim");
           });
    damage(env, "a digest with a value", {"digest: the value has 1 bytes"}, put(digest, "x"));
    damage(env, "a key of an unknown kind", {"the key is neither an id nor a digest"},
           put(std::string("\0\0\0\1\7", 5) + std::string(16, 'x'), "x"));
    damage(env, "a key of an id of 17 bytes", {"the key is neither an id nor a digest"},
           put(key + "x", number(15, 8) + "kim"));
    damage(env, "a key of an id of 15 bytes", {"the key has 20 bytes"},
           put(key.substr(0, 20), number(15, 8) + "kim"));
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(64) << 20, {*load_definition(extension)});
    Env &env = store->env();
    const TenantNumber acme = fixture::add_tenant(env, "acme").number,
                       globex = fixture::add_tenant(env, "globex").number;
    test_names(env, acme, globex);
    test_trimming(env, acme);
    test_damage(env, acme);
    write(env, [&](WriteTxn &txn) {
        put_user(txn, globex, 7, "Lee");
        delete_user(txn, globex, 7, "Lee");
    });
    is(rows(env), 4u, "two tenants have names");
    write(env, [&](WriteTxn &txn) {
        auto tenant = find_tenant(txn, "globex");
        mark_tenant_removed(txn, *tenant);
        while (!sweep_tenant(txn, *tenant, 10)) continue;
    });
    is(rows(env), 2u, "the removal of a tenant deletes its names");
    return tap::done();
}
