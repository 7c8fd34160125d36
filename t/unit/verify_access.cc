// Tests that verify() finds damage of the rows of `access`, and of the rows of `meta` that belong to
// the gate.

#include "store/access.h"

#include "store/lockouts.h"
#include "store/verification.h"
#include "verify_fixture.h"

namespace {

std::string state() { return encode_access({5, 0}); }

std::string value_of(Txn &txn, const char *attribute, const std::string &text) {
    auto catalog = catalog_of(txn);
    return *index_value(*catalog->type_by_name("User")->find_core(attribute), text);
}

Plant put(const std::string &key, const std::string &value) {
    return [=](WriteTxn &txn) { txn.put(Db::access, key, value); };
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(64) << 20, {*load_definition(extension)});
    Env &env = store->env();
    const TenantNumber acme = fixture::add_tenant(env, "acme").number;
    const Id ada = id_of(1);
    const std::string key(access_key(acme, ada)), nobody(access_key(acme, id_of(9))),
        group(access_key(acme, id_of(50)));
    {
        WriteTxn txn(env);
        put_user(txn, acme, 1, "Ada");
        put_group(txn, acme, 50, {{{ada, 1}}, {}, 1, 0});
        put_access(txn, key, {5, 0});
        put_access(txn, tombstone_key(acme, AccessKind::user_name, "eve"), {5, 6, id_of(8)});
        put_access(txn, tombstone_key(acme, AccessKind::external_id, "e9"), {0, 6});
        put_access(txn, tombstone_key(acme, id_of(8)), {0, 6});
        put_gate_pause(txn, acme, 100);
        Lockouts lockouts;
        lockouts.add(1000, true);
        put_lockouts(txn, acme, lockouts);
        ok(txn.commit() == Errc::ok, "a block, three tombstones, a pause and a count are written");
    }
    sound(env, "verify finds no problem with a block, tombstones, a pause and a count");
    {
        Reader reader(env);
        ReadTxn txn(reader);
        is(verify(txn).access_rows, 5u, "verify counts the rows of blocked users");
    }
    const std::string id = scim::to_string(ada);
    damage(env, "a block of a user that does not exist",
           {"access: tenant 1 " + scim::to_string(id_of(9)) + ": there is no such user"},
           put(nobody, state()));
    damage(env, "a block of a group",
           {"access: tenant 1 " + scim::to_string(id_of(50)) + ": there is no such user"},
           put(group, state()));
    damage(env, "a block of 1 byte", {"access: tenant 1 " + id + ": the value has 1 bytes"},
           put(key, "x"));
    damage(env, "a block without times", {"its times are both 0, or before 1970"},
           put(key, std::string(16, '\0')));
    damage(env, "a block of a negative time", {"its times are both 0, or before 1970"},
           put(key, encode_access({-1, 0})));
    damage(env, "a key with an id of 15 bytes", {"the id has 15 bytes"},
           put(key.substr(0, key.size() - 1), state()));
    damage(env, "a key of 3 bytes", {"access: 000000: the key has 3 bytes"},
           put(std::string(3, '\0'), state()));
    damage(env, "a row of an unknown kind", {"access: 000000010978: there is no row of kind 9"},
           put(std::string("\0\0\0\1\x09x", 6), state()));
    damage(env, "a tombstone of a userName that a user has",
           {"access: tenant 1 deleted userName \"ada\": User " + id +
            " has this value, but has not inherited the state"},
           [&](WriteTxn &txn) {
               put_access(
                   txn,
                   tombstone_key(acme, AccessKind::user_name, value_of(txn, "userName", "\"Ada\"")),
                   {5, 0});
           });
    damage(env, "a tombstone of an externalId that a user has",
           {"access: tenant 1 deleted externalId \"e\": User " + id},
           put(tombstone_key(acme, AccessKind::external_id, "e"), state()));
    damage(env, "a tombstone of an id that a user has",
           {"access: tenant 1 deleted id " + id +
            ": a user has this id, but has not inherited the state"},
           put(tombstone_key(acme, ada), state()));
    damage(env, "a tombstone of an id of 2 bytes",
           {"access: tenant 1 deleted id 7878: the id has 2 bytes"},
           put(tombstone_key(acme, AccessKind::id, "xx"), state()));
    damage(env, "a tombstone without a value", {"the index value has 0 bytes"},
           put(tombstone_key(acme, AccessKind::user_name, ""), state()));
    const std::string eve = tombstone_key(acme, AccessKind::user_name, "eve"),
                      listed = block_key(id_of(8), eve),
                      block = "access: tenant 1 block " + hex_text(listed.substr(5));
    damage(env, "a tombstone of a damaged state",
           {"access: tenant 1 deleted userName \"eve\": the value has 2 bytes",
            block + ": there is no tombstone with this block"},
           put(eve, "xx"));
    damage(env, "a tombstone that the list of its block lacks",
           {"access: tenant 1 deleted userName \"eve\": the list of the block of " +
            scim::to_string(id_of(8)) + " does not contain it"},
           [&](WriteTxn &txn) { txn.del(Db::access, listed); });
    damage(env, "a list of a block with a tombstone that does not exist",
           {block + ": there is no tombstone with this block"},
           [&](WriteTxn &txn) { txn.del(Db::access, eve); });
    damage(env, "a list of a block with a tombstone of another block",
           {block + ": there is no tombstone with this block"}, put(eve, state()));
    damage(env, "a list of a block with a value", {block + ": the value has 1 bytes"},
           put(listed, "x"));
    damage(env, "a list of a block without a tombstone",
           {"the key has 16 bytes of a user and a value"},
           put(std::string(block_prefix(acme, id_of(8))), ""));
    damage(env, "a not-before with the user of a block", {"the user of its block is wrong"},
           put(tombstone_key(acme, id_of(8)), encode_access({0, 6}).append(bytes_of(id_of(8)))));
    damage(env, "rows of a tenant that does not exist",
           {"access: tenant 7: 1 row is of a tenant that does not exist"},
           put(std::string(access_key(7, ada)), state()));
    damage(env, "a pause of 2 bytes", {"meta: 0400000001: the row has a key of 5 and a value of 2"},
           [&](WriteTxn &txn) { txn.put(Db::meta, gate_pause_key(acme), "xx"); });
    damage(env, "a count of lockouts of 2 bytes",
           {"meta: 0500000001: the row has a key of 5 and a value of 2"},
           [&](WriteTxn &txn) { txn.put(Db::meta, lockouts_key(acme), "xx"); });
    damage(env, "a record whose version is the position of a block",
           {"belongs to another change: block of User"}, [&](WriteTxn &txn) {
               Change change;
               change.operation = Operation::block;
               change.time = 2000;
               change.type = 1;
               change.id = ada;
               DirectoryWriter(txn, acme).append(change);
               const uint64_t position = Directory(txn, acme).position().position;
               put_record(txn, acme, 1, restamp_record(record_of(txn, acme, 1), position, 2000));
           });
    return tap::done();
}
