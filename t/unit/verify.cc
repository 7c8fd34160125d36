// Tests that verify() finds no problem in an undamaged store, whatever was written to it, and that
// it reports each kind of damage.

#include "store/verify.h"

#include "store/index_rows.h"
#include "verify_fixture.h"

namespace {

void test_records(Env &env, TenantNumber t) {
    auto edit_record = [t](const std::function<void(std::string &)> &edit, bool seal = true) {
        return [=](WriteTxn &txn) {
            std::string record = record_of(txn, t, 1);
            edit(record);
            put_record(txn, t, 1, record, seal);
        };
    };
    const std::string ada = "resources: tenant 1 User " + to_string(id_of(1)) + ": ";
    damage(env, "a record with a changed byte", {ada + "the record is damaged"},
           edit_record([](auto &r) { r.back() ^= 1; }, false));
    damage(env, "a record of an unknown format", {ada + "the record is damaged"},
           edit_record([](auto &r) { r[0] = 9; }));
    damage(env, "a record cut short", {ada + "the record is damaged"},
           edit_record([](auto &r) { r.resize(20); }, false));
    damage(env, "a leaf that ends beyond the body", {ada + "the record's leaf table is damaged"},
           edit_record([](auto &r) { r[first_length(r)] = 0x7f; }));
    // The first leaf is that of externalId, which has an index.
    damage(env, "a leaf that does not cover its value in the body",
           {ada + "its leaf table does not describe its body",
            "the resource does not have this value"},
           edit_record(shorten_first));
    damage(env, "a record with a flag that its leaves do not require",
           {ada + "its leaf table does not describe its body"},
           edit_record([](auto &r) { r[1] ^= record_computed_sibling; }));
    damage(env, "a record without the bit of an extension that it has",
           {ada + "its leaf table does not describe its body"},
           edit_record([](auto &r) { r[12] = 0; }));
    damage(env, "a record with an epoch after the catalog's",
           {ada + "its catalog epoch is 99, but the catalog is at epoch 1"},
           edit_record([](auto &r) { r[8] = 99; }));
    damage(env, "a record that was modified before it was created",
           {ada + "it was modified before it was created"},
           edit_record([](auto &r) { r.replace(32, 8, number(5, 8)); }));
    damage(env, "a record with a version after the tenant's position",
           {ada + "its version 99 is not between 1 and the tenant's last position, 3"},
           edit_record([](auto &r) { r.replace(16, 8, number(99, 8)); }));
    damage(env, "a record without a version",
           {ada + "its version 0 is not between 1 and the tenant's last position, 3"},
           edit_record([](auto &r) { r.replace(16, 8, number(0, 8)); }));
    damage(env, "a record with the version of another resource",
           {ada + "its version 2 belongs to another change: create of User " + to_string(id_of(2))},
           edit_record([](auto &r) { r.replace(16, 8, number(2, 8)); }));
    damage(env, "a resource of an unknown type",
           {"tenant 1 type 99 ", "the counter is 0, but there are 1 of type 99"},
           [t](WriteTxn &txn) {
               txn.put(Db::resources, resource_key(t, 99, id_of(1)), record_of(txn, t, 1));
           });
    damage(env, "a resource key of 2 bytes", {"resources: 0000: the key has 2 bytes"},
           [](WriteTxn &txn) { txn.put(Db::resources, Bytes("\0\0", 2), "x"); });
    damage(env, "a wrong counter of resources",
           {"meta: tenant 1 resources: the counter is 7, but there are 3 of User"},
           [t](WriteTxn &txn) { txn.put(Db::meta, count_key(t, 1), number(7, 8)); });
    damage(env, "a missing counter of resources", {"the counter is 0, but there are 3 of User"},
           [t](WriteTxn &txn) { txn.del(Db::meta, count_key(t, 1)); });
    damage(env, "a counter of an unknown type", {"the counter is 1, but there are none of type 99"},
           [t](WriteTxn &txn) { txn.put(Db::meta, count_key(t, 99), number(1, 8)); });
}

void test_index(Env &env, TenantNumber t) {
    AttrNumber user_name = 0, title = 0;
    {
        Reader reader(env);
        ReadTxn txn(reader);
        auto catalog = catalog_of(txn);
        user_name = catalog->type_by_name("User")->find("userName")->number;
        title = catalog->type_by_name("User")->find("title")->number;
    }
    const std::string ada = "index: tenant 1 User userName \"ada\" ";
    damage(env, "a missing index row", {ada + to_string(id_of(1)) + ": the row is missing"},
           [=](WriteTxn &txn) { txn.del(Db::index, index_key(t, 1, user_name, "ada", id_of(1))); });
    damage(env, "an index row of an unknown resource",
           {ada + to_string(id_of(77)) + ": there is no such resource"}, [=](WriteTxn &txn) {
               txn.put(Db::index, index_key(t, 1, user_name, "ada", id_of(77)), "");
           });
    damage(env, "an index row of a value that the resource does not have",
           {ada + to_string(id_of(2)) + ": the resource does not have this value"},
           [=](WriteTxn &txn) {
               txn.put(Db::index, index_key(t, 1, user_name, "ada", id_of(2)), "");
           });
    damage(env, "a wrong counter of index rows", {"the counter is 9, but there are "},
           [=](WriteTxn &txn) {
               add_index_rows(txn, t, 1, user_name, 9 - int64_t(index_rows(txn, t, 1, user_name)));
           });
    damage(env, "a counter without index rows", {"there is a counter of an index without rows"},
           [=](WriteTxn &txn) { add_index_rows(txn, t, 1, title, 1); });
    damage(env, "an index row with a value", {"the row has a value"}, [=](WriteTxn &txn) {
        txn.put(Db::index, index_key(t, 1, user_name, "ada", id_of(1)), "x");
    });
    damage(env, "an index row of an attribute without an index",
           {"there is no index on attribute " + std::to_string(title) + " of User"},
           [=](WriteTxn &txn) { txn.put(Db::index, index_key(t, 1, title, "x", id_of(1)), ""); });
    damage(env, "an index key without a terminator", {"the key has no terminator after its value"},
           [=](WriteTxn &txn) {
               txn.put(Db::index,
                       index_prefix(t, 1, user_name) + "xxxx" + std::string(bytes_of(id_of(1))),
                       "");
           });
    damage(env, "an index key that is too short", {"the key has 9 bytes"},
           [=](WriteTxn &txn) { txn.put(Db::index, index_prefix(t, 1, user_name) + "x", ""); });
    damage(env, "a unique value of two resources",
           {ada + to_string(id_of(9)) + ": another resource has this value"},
           [=](WriteTxn &txn) { put_user(txn, t, 9, "ADA"); });
    auto set_state = [](WriteTxn &txn, IndexState state) {
        auto rows = *read_catalog(txn);
        for (auto &index : rows.indexes) index.state = state;
        write_catalog(txn, rows);
    };
    damage(env, "missing rows of an index that is being built", {}, [=](WriteTxn &txn) {
        set_state(txn, IndexState::building);
        txn.del(Db::index, index_key(t, 1, user_name, "ada", id_of(1)));
    });
    damage(env, "a wrong row of an index that is being built", {"there is no such resource"},
           [=](WriteTxn &txn) {
               set_state(txn, IndexState::building);
               txn.put(Db::index, index_key(t, 1, user_name, "x", id_of(77)), "");
           });
    damage(env, "a wrong row of an index that is being dropped", {}, [=](WriteTxn &txn) {
        set_state(txn, IndexState::dropping);
        txn.put(Db::index, index_key(t, 1, user_name, "x", id_of(77)), "");
    });
}

void test_changes(Env &env, TenantNumber t) {
    const std::string ada = "resources: tenant 1 User " + to_string(id_of(1)) + ": ";
    damage(env, "a trimmed change log", {},
           [t](WriteTxn &txn) { txn.del(Db::changes, change_key(t, 1, 0)); });
    damage(env, "a change log that was trimmed to nothing", {}, [t](WriteTxn &txn) {
        for (uint64_t position : {1, 2, 3}) txn.del(Db::changes, change_key(t, position, 0));
    });
    damage(env, "a missing change",
           {"changes: tenant 1 position 3: the change before it is missing",
            "resources: tenant 1 User " + to_string(id_of(2)) +
                ": its version 2 has no row in the change log"},
           [t](WriteTxn &txn) { txn.del(Db::changes, change_key(t, 2, 0)); });
    damage(env, "a missing last change",
           {"meta: tenant 1 position: the counter is 3, but the last change is 2",
            "its version 3 has no row in the change log"},
           [t](WriteTxn &txn) { txn.del(Db::changes, change_key(t, 3, 0)); });
    damage(env, "a change after the counter of positions",
           {"the counter is 3, but the last change is 4"}, [t](WriteTxn &txn) {
               Change change;
               change.time = 9999;
               change.type = 1;
               txn.put(Db::changes, change_key(t, 4, 0), encode_change(change));
           });
    damage(env, "a change that cannot be read",
           {"changes: tenant 1 position 1: the row cannot be read"},
           [t](WriteTxn &txn) { txn.put(Db::changes, change_key(t, 1, 0), "x"); });
    damage(env, "a part of a change without the part before it",
           {"changes: tenant 1 position 2 part 2: the change before it is missing"},
           [t](WriteTxn &txn) {
               Change change;
               change.time = 1002;
               change.type = 1;
               txn.put(Db::changes, change_key(t, 2, 2), encode_change(change));
           });
    damage(env, "a change in two parts", {}, [t](WriteTxn &txn) {
        Change change;
        change.time = 1002;
        change.type = 1;
        txn.put(Db::changes, change_key(t, 2, 1), encode_change(change));
    });
    auto edit_change = [t](const std::function<void(Change &)> &edit) {
        return [=](WriteTxn &txn) {
            Bytes bytes;
            txn.get(Db::changes, change_key(t, 1, 0), bytes);
            Change change = *decode_change(bytes);
            edit(change);
            txn.put(Db::changes, change_key(t, 1, 0), encode_change(change));
        };
    };
    damage(env, "a change older than the one before it",
           {"position 2: it is older than the change before it"},
           edit_change([](Change &c) { c.time = 1003; }));
    damage(env, "a change of an unknown type",
           {"position 1: it is of type 99, which does not exist",
            ada + "its version 1 belongs to another change: create of type 99 "},
           edit_change([](Change &c) { c.type = 99; }));
    damage(env, "a record whose version is a deletion",
           {ada + "its version 1 belongs to another change: delete of User"},
           edit_change([](Change &c) { c.operation = Operation::remove; }));
    damage(env, "a position with a time before the last change",
           {"meta: tenant 1 position: the last change is later than the time beside the counter"},
           [t](WriteTxn &txn) { txn.put(Db::meta, position_key(t), number(3, 8) + number(5, 8)); });
}

void test_blocks(Env &env, TenantNumber t) {
    auto put = [t](const Id &key, const std::vector<Block> &blocks) {
        return [=](WriteTxn &txn) {
            txn.del(Db::blocks, resource_key(t, 1, Id{}));
            txn.put(Db::blocks, resource_key(t, 1, key), encode_blocks(blocks));
        };
    };
    const Id none{};
    const std::string start = "blocks: tenant 1 User " + to_string(none) + ": ";
    damage(env, "a block with a wrong count", {start + "the block has 3 resources, but counts 4"},
           put(none, {{none, 4}}));
    damage(env, "a block with the resources of another",
           {start + "the block has 2 resources, but counts 1",
            to_string(id_of(3)) + ": the block has 1 resources, but counts 2"},
           put(none, {{none, 1}, {id_of(3), 2}}));
    damage(env, "a block without resources", {start + "the block has 0 resources, not 1 to 128"},
           put(none, {{none, 0}, {id_of(1), 3}}));
    damage(env, "blocks that are not in order",
           {to_string(id_of(3)) + ": the next block begins at or before this one"},
           put(none, {{none, 2}, {id_of(3), 1}, {id_of(2), 1}}));
    damage(env, "resources before the first block",
           {to_string(id_of(2)) + ": there are resources before this first block"},
           put(id_of(2), {{id_of(2), 2}}));
    damage(env, "a row that does not begin at its key",
           {start + "the first block of the row begins at another id"}, put(none, {{id_of(1), 3}}));
    damage(env, "a row of blocks with a wrong total", {start + "the row cannot be read"},
           [=](WriteTxn &txn) {
               std::string value = encode_blocks({{none, 3}});
               value[0] = 4;
               txn.put(Db::blocks, resource_key(t, 1, none), value);
           });
    damage(env, "missing blocks",
           {"meta: tenant 1 resources: the counter is 3, but there are no blocks of User"},
           [=](WriteTxn &txn) { txn.del(Db::blocks, resource_key(t, 1, none)); });
    damage(env, "blocks in two rows", {}, [=](WriteTxn &txn) {
        put(none, {{none, 2}})(txn);
        txn.put(Db::blocks, resource_key(t, 1, id_of(3)), encode_blocks({{id_of(3), 1}}));
    });
    WriteTxn txn(env);
    std::vector<Block> many(row_most, Block{});
    for (size_t i = 0; i < many.size(); i++) many[i].first[15] = uint8_t(i);
    many.push_back({id_of(1), 3});
    put(none, many)(txn);
    auto report = verify(txn, 1);
    is(report.problems[0].text, "the row has 101 blocks, more than 100",
       "verify reports a row with too many blocks");
}

void test_tenants(Env &env, TenantNumber t) {
    damage(env, "a tenant without its name row",
           {"tenants: tenant 1: the name \"acme\" does not refer to this tenant"},
           [](WriteTxn &txn) { txn.del(Db::tenants, tenant_name_key("acme")); });
    damage(env, "a tenant name of an unknown tenant",
           {"tenants: name \"x\": it refers to tenant 9, which does not exist"}, [](WriteTxn &txn) {
               txn.put(Db::tenants, tenant_name_key("x"), Bytes("\0\0\0\x09", 4));
           });
    damage(
        env, "a second name of a tenant",
        {"tenants: name \"x\": it refers to tenant 1, which has another name"},
        [](WriteTxn &txn) { txn.put(Db::tenants, tenant_name_key("x"), Bytes("\0\0\0\x01", 4)); });
    damage(env, "a tenant name whose value is not a number",
           {"tenants: name \"x\": the value is not a number"},
           [](WriteTxn &txn) { txn.put(Db::tenants, tenant_name_key("x"), "1"); });
    damage(env, "a tenant name of a tenant that is being removed",
           {"tenants: name \"acme\": it refers to tenant 1, which is being removed"},
           [t](WriteTxn &txn) {
               mark_tenant_removed(txn, *find_tenant(txn, t));
               txn.put(Db::tenants, tenant_name_key("acme"), Bytes("\0\0\0\x01", 4));
           });
    damage(env, "a tenant row whose key is neither a number nor a name",
           {"tenants: 02: the key is neither a number nor a name"},
           [](WriteTxn &txn) { txn.put(Db::tenants, "\x02", "x"); });
    damage(env, "a tenant number after the last one given",
           {"tenants: tenant 2: the number is above the last assigned one, 1"},
           [](WriteTxn &txn) { txn.put(Db::meta, "tenant_number", "1"); });
    damage(env, "a tenant row with an invalid state, name and cursor key",
           {"tenant 2: the state is \"ready\"", "tenant 2: the name is \"a b\"",
            "tenant 2: the cursor key is not"},
           [](WriteTxn &txn) {
               txn.del(Db::tenants, tenant_name_key("other"));
               txn.put(Db::tenants, tenant_number_key(2),
                       R"({"name":"a b","state":"ready","cursorKey":"xyz"})");
           });
    damage(env, "rows of an unknown tenant in every database",
           {"resources: tenant 9: 2 rows are of a tenant", "index: tenant 9: 1 row is of a tenant",
            "members: tenant 9: 1 row", "changes: tenant 9: 1 row", "refusals: tenant 9: 1 row",
            "tenant_tokens: tenant 9: 1 row", "meta: tenant 9: 2 rows",
            "resources: tenant 8: 1 row", "blocks: tenant 9: 1 row"},
           [](WriteTxn &txn) {
               txn.put(Db::resources, resource_key(9, 1, id_of(1)), "x");
               txn.put(Db::resources, resource_key(9, 1, id_of(2)), "x");
               txn.put(Db::resources, resource_key(8, 1, id_of(2)), "x");
               txn.put(Db::index, index_key(9, 1, 1, "x", id_of(1)), "");
               txn.put(Db::blocks, resource_key(9, 1, Id{}), "x");
               txn.put(Db::members, member_key(9, id_of(1), id_of(2)), "x");
               txn.put(Db::changes, change_key(9, 1, 0), "x");
               txn.put(Db::refusals, refusal_key(9, 1, 0), "x");
               txn.put(Db::tenant_tokens, tenant_token_key(9, 1), "x");
               txn.put(Db::meta, count_key(9, 1), number(1, 8));
               txn.put(Db::meta, position_key(9), number(1, 8) + number(1, 8));
           });
    WriteTxn txn(env);
    mark_tenant_removed(txn, *find_tenant(txn, t));
    txn.del(Db::resources, resource_key(t, 1, id_of(1)));
    auto report = verify(txn);
    is(report.problem_count, 0u,
       "verify finds no problem with the rows of a tenant that is being removed");
    ok(report.removing == 1 && report.tenants == 1 && report.unswept_rows > 10,
       "verify counts the rows of a tenant that is being removed");
}

void test_tokens(Env &env) {
    Digest digest{};
    digest[0] = 1;
    Bytes key(reinterpret_cast<const char *>(digest.data()), digest.size());
    damage(env, "a token that is not in its tenant's list",
           {"tokens: tenant 1 token 1 sha256 01000000…: it is missing in tenant_tokens"},
           [](WriteTxn &txn) { txn.del(Db::tenant_tokens, tenant_token_key(1, 1)); });
    damage(env, "a list entry without a token",
           {"tenant_tokens: tenant 1 token 1: it refers to a token that does not exist"},
           [=](WriteTxn &txn) { txn.del(Db::tokens, key); });
    damage(env, "a list entry for a token of another tenant",
           {"tenant_tokens: tenant 2 token 1: it refers to token 1 of tenant 1"},
           [=](WriteTxn &txn) { txn.put(Db::tenant_tokens, tenant_token_key(2, 1), key); });
    damage(env, "a list entry that is not a digest",
           {"tenant_tokens: tenant 2 token 1: the value is not a SHA-256"},
           [=](WriteTxn &txn) { txn.put(Db::tenant_tokens, tenant_token_key(2, 1), "x"); });
    damage(env, "a token of an unknown tenant",
           {"tokens: tenant 9: 1 row is of a tenant", "it refers to token 1 of tenant 9"},
           [=](WriteTxn &txn) {
               Token token = *find_token(txn, digest);
               token.tenant = 9;
               put_token(txn, token, digest);
           });
    damage(env, "a token without scopes", {"the scopes are 0"}, [=](WriteTxn &txn) {
        Token token = *find_token(txn, digest);
        token.scopes = 0;
        put_token(txn, token, digest);
    });
    damage(env, "a token that cannot be read",
           {"tokens: sha256 01000000…: the row cannot be read",
            "it refers to a token that does not exist"},
           [=](WriteTxn &txn) { txn.put(Db::tokens, key, "x"); });
    damage(env, "the use of a token", {},
           [](WriteTxn &txn) { txn.put(Db::local, token_use_key(1, 1), number(5, 8)); });
    damage(env, "the use of an unknown token",
           {"local: tenant 1 token 2: a use is recorded, but the token does not exist"},
           [](WriteTxn &txn) { txn.put(Db::local, token_use_key(1, 2), number(5, 8)); });
    damage(env, "the use of a token of an unknown tenant",
           {"local: tenant 9: 1 row is of a tenant"},
           [](WriteTxn &txn) { txn.put(Db::local, token_use_key(9, 1), number(5, 8)); });
    damage(env, "the use of a token that cannot be read",
           {"local: 010000000100000001: the row cannot be read"},
           [](WriteTxn &txn) { txn.put(Db::local, token_use_key(1, 1), "x"); });
    damage(env, "a row of another kind in the local database", {},
           [](WriteTxn &txn) { txn.put(Db::local, "\x9x", "x"); });
    damage(env, "a token whose key is not a digest", {"tokens: 78: the key is not a SHA-256"},
           [=](WriteTxn &txn) { txn.put(Db::tokens, "x", "{}"); });
}

void test_rest(Env &env) {
    damage(env, "a wrong counter of refusals",
           {"meta: tenant 1 refusals: the counter is 5, but there are 1"},
           [](WriteTxn &txn) { txn.put(Db::meta, refusal_count_key(1), number(5, 8)); });
    damage(env, "a counter of refusals of a tenant without refusals",
           {"meta: tenant 2 refusals: the counter is 5, but there are none"},
           [](WriteTxn &txn) { txn.put(Db::meta, refusal_count_key(2), number(5, 8)); });
    damage(env, "a refusal that cannot be read", {"refusals: ", "but there are 2"},
           [](WriteTxn &txn) { txn.put(Db::refusals, refusal_key(1, 9, 9), "x"); });
    damage(env, "a store without a format", {"meta: min_reader: the format numbers are missing"},
           [](WriteTxn &txn) { txn.del(Db::meta, "min_reader"); });
    damage(env, "an epoch that is not a number", {"meta: auth_epoch: \"many\" is not a number"},
           [](WriteTxn &txn) { txn.put(Db::meta, "auth_epoch", "many"); });
    damage(env, "a counter of refusals of 2 bytes",
           {"meta: 0300000001: the row has a key of 5 and a value of 2 bytes", "but there are 1"},
           [](WriteTxn &txn) { txn.put(Db::meta, refusal_count_key(1), "xx"); });
    damage(env, "an unknown row in meta, as later builds may add", {},
           [](WriteTxn &txn) { txn.put(Db::meta, "later", "on"); });
    damage(env, "a catalog epoch in meta that differs from the catalog's",
           {"catalog: header: the epoch is 1, but meta says 7"},
           [](WriteTxn &txn) { txn.put(Db::meta, "catalog_epoch", "7"); });
    damage(env, "a catalog that cannot be read", {"catalog: : catalog row 3/1: "},
           [](WriteTxn &txn) { txn.put(Db::catalog, Bytes("\3\0\1", 3), "x"); });
    WriteTxn txn(env);
    for (uint64_t i = 1; i < 300; i++)
        txn.put(Db::tenants, tenant_name_key("x" + std::to_string(i)), "1");
    auto report = verify(txn, 10);
    ok(report.problems.size() == 10 && report.problem_count == 299,
       "verify describes problems up to a limit and counts all of them");
}

// Records of older epochs, with leaves that are no longer declared.
void test_epochs(const std::string &path) {
    auto store = fixture::open_store(path, size_t(64) << 20, {}, 2);
    sound(store->env(),
          "verify finds no problem with records of an older epoch after an extension is dropped");
    {
        WriteTxn txn(store->env());
        auto catalog = catalog_of(txn);
        const TypeView &type = *catalog->type_by_name("User");
        std::string bytes = record_of(txn, 1, 1);
        auto record = RecordView::parse(bytes);
        Resource resource;
        record->leaves(resource.leaves);
        canonical_order(type, resource.leaves);
        put_record(txn, 1, 1, encode_record(record->header(), *catalog, type, resource.leaves));
        ok(txn.commit() == Errc::ok, "a record is written under the new catalog");
    }
    sound(store->env(), "verify finds no problem with a record with hidden leaves");
    damage(store->env(), "a damaged leaf table in a record of an older epoch",
           {"its leaf table does not describe its body", "does not have this value"},
           [](WriteTxn &txn) {
               std::string record = record_of(txn, 1, 2);
               shorten_first(record);
               put_record(txn, 1, 2, record);
           });
    store.reset();
    store = fixture::open_store(path, size_t(64) << 20, {*load_definition(extension)}, 3);
    sound(store->env(), "verify finds no problem after the extension is declared again");
    damage(store->env(), "a record whose body is not JSON",
           {"its leaf table does not describe its body"}, [](WriteTxn &txn) {
               std::string record = record_of(txn, 1, 1);
               record[record.find("\"userName\"") - 1] = 'x';
               put_record(txn, 1, 1, record);
           });
}

// How far an index is built or dropped.
void test_progress(Env &env) {
    const auto progress = [](uint64_t generation, char has_conflict) {
        return number(generation, 8) + number(1, 4) + std::string(id_size, 'x') + has_conflict +
               number(5, 8);
    };
    const auto plant = [&](const Key &key, const std::string &value, IndexState state) {
        return [=](WriteTxn &txn) {
            txn.put(Db::local, key, value);
            CatalogRows rows = *read_catalog(txn);
            rows.indexes.front().state = state;
            write_indexes(txn, rows);
        };
    };
    const Key values = index_build_key(1), substrings = substring_build_key(1);
    const auto ready = IndexState::ready;
    damage(env, "the progress of an index that is built", {},
           plant(values, progress(7, 1), IndexState::building));
    damage(env, "the progress of an index that does not exist",
           {"local: index 999: its progress is recorded, but it does not exist"},
           plant(index_build_key(999), progress(7, 0), ready));
    damage(env, "the progress of an index that is ready",
           {"local: index 1: its progress is in a row of kind 2, but it is a value index that is "
            "ready"},
           plant(values, progress(7, 0), ready));
    damage(env, "the progress of substrings of an index of values",
           {"local: index 1: its progress is in a row of kind 4, but it is a value index that is "
            "building"},
           plant(substrings, progress(0, 0), IndexState::building));
    damage(env, "a progress of 1 byte", {"local: 020001: the row cannot be read"},
           plant(values, "x", ready));
    damage(env, "a progress of another conflict", {"local: 020001: the row cannot be read"},
           plant(values, progress(7, 2), ready));
    damage(env, "a progress of substrings with a generation",
           {"local: 040001: the row cannot be read"}, plant(substrings, progress(7, 0), ready));
    damage(env, "a progress whose key is too long", {"local: 02000178: the row cannot be read"},
           [=](WriteTxn &txn) {
               txn.put(Db::local, std::string(Bytes(values)) + "x", progress(7, 0));
           });
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(64) << 20, {*load_definition(extension)});
    Env &env = store->env();
    sound(env, "verify finds no problem in an empty store");
    TenantNumber acme = fixture::add_tenant(env, "acme").number,
                 other = fixture::add_tenant(env, "other").number;
    {
        WriteTxn txn(env);
        put_user(txn, acme, 1, "Ada");
        put_user(txn, acme, 2, "Bert");
        put_user(txn, acme, 3, "Cleo \\\"C\\\" 0");
        put_user(txn, other, 1, "Ada");
        Token token;
        token.tenant = acme;
        token.label = "t";
        token.scopes = scope_read;
        Digest digest{};
        digest[0] = 1;
        add_token(txn, token, digest);
        put_group(txn, other, 50, {{{id_of(1), 1}}, {}, 1, 0});
        store::Refusal refusal;
        refusal.tenant = acme;
        refusal.time = 5;
        add_refusal(txn, refusal);
        ok(txn.commit() == Errc::ok,
           "two tenants with users, a token, a group and a refusal are written");
    }
    sound(env, "verify finds no problem in a store of two tenants");
    {
        Reader reader(env);
        ReadTxn txn(reader);
        auto report = verify(txn);
        ok(report.tenants == 2 && report.tokens == 1 && report.resources == 5 &&
               report.changes == 5,
           "verify counts tenants, tokens, resources and changes");
        ok(report.memberships == 1 && report.refusals == 1 && report.removing == 0 &&
               report.unswept_rows == 0,
           "verify counts memberships, refusals, removed tenants and unswept rows");
        is(report.index_rows, 17u, "verify counts the index rows of four users and a group");
    }
    test_records(env, acme);
    test_index(env, acme);
    test_blocks(env, acme);
    test_changes(env, acme);
    test_tenants(env, acme);
    test_tokens(env);
    test_progress(env);
    test_rest(env);
    store.reset();
    test_epochs(dir.path);
    return tap::done();
}
