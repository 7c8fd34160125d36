// verify() finds nothing in a sound store, whatever it went through, and names each kind of damage.

#include "store/verify.h"

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
    damage(env, "a changed byte", {ada + "the record is damaged"},
           edit_record([](auto &r) { r.back() ^= 1; }, false));
    damage(env, "an unknown record format", {ada + "the record is damaged"},
           edit_record([](auto &r) { r[0] = 9; }));
    damage(env, "a record cut short", {ada + "the record is damaged"},
           edit_record([](auto &r) { r.resize(20); }, false));
    damage(env, "a leaf beyond the body", {ada + "the record's leaf table is damaged"},
           edit_record([](auto &r) { r[first_length(r)] = 0x7f; }));
    // The first leaf is externalId's, which has an index.
    damage(env, "a leaf that is not where the body has it",
           {ada + "its leaf table does not describe its body",
            "the resource does not have this value"},
           edit_record(shorten_first));
    damage(env, "a flag that does not follow from the leaves",
           {ada + "its leaf table does not describe its body"},
           edit_record([](auto &r) { r[1] ^= record_computed_sibling; }));
    damage(env, "an extension that is not there",
           {ada + "its leaf table does not describe its body"},
           edit_record([](auto &r) { r[12] = 0; }));
    damage(env, "an epoch to come",
           {ada + "it was written under epoch 99 of the catalog, which has come to 1"},
           edit_record([](auto &r) { r[8] = 99; }));
    damage(env, "modified before it was created", {ada + "it was modified before it was created"},
           edit_record([](auto &r) { r.replace(32, 8, number(5, 8)); }));
    damage(env, "a version to come",
           {ada + "its version 99 is not one of the tenant's positions, which go to 3"},
           edit_record([](auto &r) { r.replace(16, 8, number(99, 8)); }));
    damage(env, "no version", {ada + "its version 0 is not one of the tenant's positions"},
           edit_record([](auto &r) { r.replace(16, 8, number(0, 8)); }));
    damage(env, "the version of another resource",
           {ada + "its version 2 is create of User " + to_string(id_of(2))},
           edit_record([](auto &r) { r.replace(16, 8, number(2, 8)); }));
    damage(env, "a resource of no type",
           {"tenant 1 type 99 ", "the counter is 0, but there are 1 of type 99"},
           [t](WriteTxn &txn) {
               txn.put(Db::resources, resource_key(t, 99, id_of(1)), record_of(txn, t, 1));
           });
    damage(env, "a key of no resource", {"resources: 0000: the key has 2 bytes"},
           [](WriteTxn &txn) { txn.put(Db::resources, Bytes("\0\0", 2), "x"); });
    damage(env, "a counter that is wrong",
           {"meta: tenant 1 resources: the counter is 7, but there are 3 of User"},
           [t](WriteTxn &txn) { txn.put(Db::meta, count_key(t, 1), number(7, 8)); });
    damage(env, "a counter that is missing", {"the counter is 0, but there are 3 of User"},
           [t](WriteTxn &txn) { txn.del(Db::meta, count_key(t, 1)); });
    damage(env, "a counter of nothing", {"the counter is 1, but there are none of type 99"},
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
    damage(env, "an index row that is missing",
           {ada + to_string(id_of(1)) + ": the row is missing"},
           [=](WriteTxn &txn) { txn.del(Db::index, index_key(t, 1, user_name, "ada", id_of(1))); });
    damage(env, "an index row of no resource",
           {ada + to_string(id_of(77)) + ": there is no such resource"}, [=](WriteTxn &txn) {
               txn.put(Db::index, index_key(t, 1, user_name, "ada", id_of(77)), "");
           });
    damage(env, "an index row of another value",
           {ada + to_string(id_of(2)) + ": the resource does not have this value"},
           [=](WriteTxn &txn) {
               txn.put(Db::index, index_key(t, 1, user_name, "ada", id_of(2)), "");
           });
    damage(env, "an index row with a value", {"the row has a value"}, [=](WriteTxn &txn) {
        txn.put(Db::index, index_key(t, 1, user_name, "ada", id_of(1)), "x");
    });
    damage(env, "a row of no index",
           {"there is no index on attribute " + std::to_string(title) + " of User"},
           [=](WriteTxn &txn) { txn.put(Db::index, index_key(t, 1, title, "x", id_of(1)), ""); });
    damage(env, "a key without an end", {"the key has no end of its value"}, [=](WriteTxn &txn) {
        txn.put(Db::index, index_prefix(t, 1, user_name) + "xxxx" + std::string(bytes_of(id_of(1))),
                "");
    });
    damage(env, "a key that is too short", {"the key has 9 bytes"},
           [=](WriteTxn &txn) { txn.put(Db::index, index_prefix(t, 1, user_name) + "x", ""); });
    damage(env, "a unique value twice",
           {ada + to_string(id_of(9)) + ": another resource has this value"},
           [=](WriteTxn &txn) { put_user(txn, t, 9, "ADA"); });
    auto set_state = [](WriteTxn &txn, IndexState state) {
        auto rows = *read_catalog(txn);
        for (auto &index : rows.indexes) index.state = state;
        write_catalog(txn, rows);
    };
    damage(env, "no problem: rows missing while the index is built", {}, [=](WriteTxn &txn) {
        set_state(txn, IndexState::building);
        txn.del(Db::index, index_key(t, 1, user_name, "ada", id_of(1)));
    });
    damage(env, "wrong rows while it is built", {"there is no such resource"}, [=](WriteTxn &txn) {
        set_state(txn, IndexState::building);
        txn.put(Db::index, index_key(t, 1, user_name, "x", id_of(77)), "");
    });
    damage(env, "no problem: stale rows of an index that is dropped", {}, [=](WriteTxn &txn) {
        set_state(txn, IndexState::dropping);
        txn.put(Db::index, index_key(t, 1, user_name, "x", id_of(77)), "");
    });
}

void test_changes(Env &env, TenantNumber t) {
    const std::string ada = "resources: tenant 1 User " + to_string(id_of(1)) + ": ";
    damage(env, "no problem: a log that was trimmed", {},
           [t](WriteTxn &txn) { txn.del(Db::changes, change_key(t, 1, 0)); });
    damage(env, "no problem: a log that was trimmed to nothing", {}, [t](WriteTxn &txn) {
        for (uint64_t position : {1, 2, 3}) txn.del(Db::changes, change_key(t, position, 0));
    });
    damage(env, "a change that is missing",
           {"changes: tenant 1 position 3: the change before it is missing",
            "resources: tenant 1 User " + to_string(id_of(2)) +
                ": its version 2 has no row in the change log"},
           [t](WriteTxn &txn) { txn.del(Db::changes, change_key(t, 2, 0)); });
    damage(env, "the last change is missing",
           {"meta: tenant 1 position: the counter is 3, but the last change is 2",
            "its version 3 has no row in the change log"},
           [t](WriteTxn &txn) { txn.del(Db::changes, change_key(t, 3, 0)); });
    damage(env, "a change beyond the counter", {"the counter is 3, but the last change is 4"},
           [t](WriteTxn &txn) {
               Change change;
               change.time = 9999;
               change.type = 1;
               txn.put(Db::changes, change_key(t, 4, 0), encode_change(change));
           });
    damage(env, "a change that cannot be read",
           {"changes: tenant 1 position 1: the row cannot be read"},
           [t](WriteTxn &txn) { txn.put(Db::changes, change_key(t, 1, 0), "x"); });
    damage(env, "a part without the part before it",
           {"changes: tenant 1 position 2 part 2: the change before it is missing"},
           [t](WriteTxn &txn) {
               Change change;
               change.time = 1002;
               change.type = 1;
               txn.put(Db::changes, change_key(t, 2, 2), encode_change(change));
           });
    damage(env, "no problem: a change in two parts", {}, [t](WriteTxn &txn) {
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
    damage(env, "time that goes back", {"position 2: it is older than the change before it"},
           edit_change([](Change &c) { c.time = 1003; }));
    damage(env, "a change of no type",
           {"position 1: it is of type 99, which does not exist",
            ada + "its version 1 is create of type 99 "},
           edit_change([](Change &c) { c.type = 99; }));
    damage(env, "a change that was the end of it", {ada + "its version 1 is delete of User"},
           edit_change([](Change &c) { c.operation = Operation::remove; }));
    damage(env, "the counter's time",
           {"meta: tenant 1 position: the last change is younger than the counter's time"},
           [t](WriteTxn &txn) { txn.put(Db::meta, position_key(t), number(3, 8) + number(5, 8)); });
}

void test_tenants(Env &env, TenantNumber t) {
    damage(env, "no name row", {"tenants: tenant 1: the name \"acme\" does not lead to it"},
           [](WriteTxn &txn) { txn.del(Db::tenants, tenant_name_key("acme")); });
    damage(env, "a name of nobody",
           {"tenants: name \"x\": it leads to tenant 9, which does not exist"}, [](WriteTxn &txn) {
               txn.put(Db::tenants, tenant_name_key("x"), Bytes("\0\0\0\x09", 4));
           });
    damage(
        env, "a name of another",
        {"tenants: name \"x\": it leads to tenant 1, which has another name"},
        [](WriteTxn &txn) { txn.put(Db::tenants, tenant_name_key("x"), Bytes("\0\0\0\x01", 4)); });
    damage(env, "a name of no number", {"tenants: name \"x\": the value is no number"},
           [](WriteTxn &txn) { txn.put(Db::tenants, tenant_name_key("x"), "1"); });
    damage(env, "a name of one that is removed",
           {"tenants: name \"acme\": it leads to tenant 1, which is being removed"},
           [t](WriteTxn &txn) {
               mark_tenant_removed(txn, *find_tenant(txn, t));
               txn.put(Db::tenants, tenant_name_key("acme"), Bytes("\0\0\0\x01", 4));
           });
    damage(env, "a key of neither", {"tenants: 02: the key is neither a number nor a name"},
           [](WriteTxn &txn) { txn.put(Db::tenants, "\x02", "x"); });
    damage(env, "a number to come",
           {"tenants: tenant 2: the number was never given: the last one is 1"},
           [](WriteTxn &txn) { txn.put(Db::meta, "tenant_number", "1"); });
    damage(env, "a state, a name and a key that are none",
           {"tenant 2: the state is \"ready\"", "tenant 2: the name is \"a b\"",
            "tenant 2: the cursor key is not"},
           [](WriteTxn &txn) {
               txn.del(Db::tenants, tenant_name_key("other"));
               txn.put(Db::tenants, tenant_number_key(2),
                       R"({"name":"a b","state":"ready","cursorKey":"xyz"})");
           });
    damage(
        env, "rows of no tenant",
        {"resources: tenant 9: 2 rows are of a tenant", "index: tenant 9: 1 row is of a tenant",
         "members: tenant 9: 1 row", "changes: tenant 9: 1 row", "refusals: tenant 9: 1 row",
         "tenant_tokens: tenant 9: 1 row", "meta: tenant 9: 2 rows", "resources: tenant 8: 1 row"},
        [](WriteTxn &txn) {
            txn.put(Db::resources, resource_key(9, 1, id_of(1)), "x");
            txn.put(Db::resources, resource_key(9, 1, id_of(2)), "x");
            txn.put(Db::resources, resource_key(8, 1, id_of(2)), "x");
            txn.put(Db::index, index_key(9, 1, 1, "x", id_of(1)), "");
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
    is(report.problem_count, 0u, "whatever a tenant has that is being removed is no problem");
    ok(report.removing == 1 && report.tenants == 1 && report.unswept_rows > 10, "but counted");
}

void test_tokens(Env &env) {
    Digest digest{};
    digest[0] = 1;
    Bytes key(reinterpret_cast<const char *>(digest.data()), digest.size());
    damage(env, "a token that is not in the list",
           {"tokens: tenant 1 token 1 sha256 01000000…: it is not in the tenant's list"},
           [](WriteTxn &txn) { txn.del(Db::tenant_tokens, tenant_token_key(1, 1)); });
    damage(env, "a list that leads nowhere",
           {"tenant_tokens: tenant 1 token 1: it leads to no token"},
           [=](WriteTxn &txn) { txn.del(Db::tokens, key); });
    damage(env, "a list that leads to another's token",
           {"tenant_tokens: tenant 2 token 1: it leads to token 1 of tenant 1"},
           [=](WriteTxn &txn) { txn.put(Db::tenant_tokens, tenant_token_key(2, 1), key); });
    damage(env, "a list of something else",
           {"tenant_tokens: tenant 2 token 1: the value is no SHA-256"},
           [=](WriteTxn &txn) { txn.put(Db::tenant_tokens, tenant_token_key(2, 1), "x"); });
    damage(env, "a token of no tenant",
           {"tokens: tenant 9: 1 row is of a tenant", "it leads to token 1 of tenant 9"},
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
           {"tokens: sha256 01000000…: the row cannot be read", "it leads to no token"},
           [=](WriteTxn &txn) { txn.put(Db::tokens, key, "x"); });
    damage(env, "no problem: a use", {},
           [](WriteTxn &txn) { txn.put(Db::local, token_use_key(1, 1), number(5, 8)); });
    damage(env, "a use of no token", {"local: tenant 1 token 2: it was used, but does not exist"},
           [](WriteTxn &txn) { txn.put(Db::local, token_use_key(1, 2), number(5, 8)); });
    damage(env, "a use of no tenant's", {"local: tenant 9: 1 row is of a tenant"},
           [](WriteTxn &txn) { txn.put(Db::local, token_use_key(9, 1), number(5, 8)); });
    damage(env, "a use that cannot be read", {"local: 010000000100000001: the row cannot be read"},
           [](WriteTxn &txn) { txn.put(Db::local, token_use_key(1, 1), "x"); });
    damage(env, "no problem: another note", {},
           [](WriteTxn &txn) { txn.put(Db::local, "\2x", "x"); });
    damage(env, "a token under no digest", {"tokens: 78: the key is no SHA-256"},
           [=](WriteTxn &txn) { txn.put(Db::tokens, "x", "{}"); });
}

void test_members(Env &env) {
    const std::string row =
        "tenant 2 group " + to_string(id_of(50)) + " member " + to_string(id_of(1)) + ": ";
    const Key member = member_key(2, id_of(50), id_of(1)),
              membership = member_key(2, id_of(1), id_of(50)),
              position = member_key(2, id_of(1), Id{});
    damage(env, "a member without its membership",
           {"members: " + row + "the row has no counterpart in memberships"},
           [=](WriteTxn &txn) { txn.del(Db::memberships, membership); });
    damage(env, "a membership without its member",
           {"memberships: " + row + "the row has no counterpart in members"},
           [=](WriteTxn &txn) { txn.del(Db::members, member); });
    damage(env, "a row that cannot be read", {"members: " + row + "the row cannot be read"},
           [=](WriteTxn &txn) { txn.put(Db::members, member, "x"); });
    damage(env, "another epoch on the other side",
           {"members: " + row + "its counterpart in memberships has another epoch"},
           [=](WriteTxn &txn) { txn.put(Db::memberships, membership, number(2, 4)); });
    auto put_epoch = [=](WriteTxn &txn, uint32_t epoch) {
        txn.put(Db::members, member, encode_member({1, epoch}));
        txn.put(Db::memberships, membership, number(epoch, 4));
    };
    damage(env, "a later epoch", {"members: " + row + "its epoch is later than the group's"},
           [=](WriteTxn &txn) { put_epoch(txn, 2); });
    damage(env, "a dead row without a job",
           {"members: " + row + "the row is dead, and no job will take it away"},
           [=](WriteTxn &txn) { put_epoch(txn, 0); });
    damage(env, "a member that does not exist", {"there is no such User"}, [=](WriteTxn &txn) {
        const Id nobody = id_of(99);
        txn.del(Db::members, member);
        txn.del(Db::memberships, membership);
        txn.del(Db::memberships, position);
        MemberChange change{{{nobody, 1}}, {}, 1, 0};
        put_group(txn, 2, 50, change, false);
    });
    damage(env, "no position", {"members: " + row + "the position of the member's last change"},
           [=](WriteTxn &txn) { txn.del(Db::memberships, position); });
    damage(env, "a position beyond the last",
           {"memberships: tenant 2 member " + to_string(id_of(1)) + ": its last change is not one"},
           [=](WriteTxn &txn) { txn.put(Db::memberships, position, number(3, 8)); });
    damage(env, "a job that cannot be read", {"jobs: 0178: the row cannot be read"},
           [](WriteTxn &txn) { txn.put(Db::jobs, "\1x", "x"); });
}

// Rows that died at once are gone when sweep() says so, and the group's next members are not.
void test_sweep(Env &env) {
    {
        WriteTxn txn(env);
        put_group(txn, 2, 50, {{}, {}, 2, 1}, false);
        put_group(txn, 2, 50, {{{id_of(1), 1}}, {}, 2, 0}, false);
        put_group(txn, 2, 51, {{{id_of(1), 1}, {id_of(50), 2}}, {}, 1, 0});
        put_group(txn, 2, 51, {{}, {}, 2, 1}, false);
        ok(txn.commit() == Errc::ok, "two groups emptied, one filled again");
    }
    sound(env, "dead rows with their jobs are sound");
    Reader reader(env);
    {
        ReadTxn txn(reader);
        Directory directory(txn, 2);
        Members members(directory);
        ok(members.contains(id_of(50), 2, id_of(1)), "alive");
        ok(!members.contains(id_of(51), 2, id_of(1)), "dead");
        is(members.rows(id_of(51), 10), 2u, "but still there");
        is(members.position(id_of(50)), 6u, "the job says when");
        ok(has_dead_rows(txn), "there is something to do");
    }
    int steps = 0;
    for (bool more = true; more && steps < 10; steps++) {
        WriteTxn txn(env);
        more = sweep(txn, 1);
        ok(txn.commit() == Errc::ok, "a step");
    }
    sound(env, "swept is sound");
    ReadTxn txn(reader);
    Directory directory(txn, 2);
    Members members(directory);
    ok(!has_dead_rows(txn), "nothing is left to do");
    is(txn.entries(Db::members), 1u, "but the living row");
    ok(members.contains(id_of(50), 2, id_of(1)), "which is there");
    is(members.position(id_of(50)), 6u, "the time of the others' death is kept");
}

void test_rest(Env &env) {
    damage(env, "a counter of refusals",
           {"meta: tenant 1 refusals: the counter is 5, but there are 1"},
           [](WriteTxn &txn) { txn.put(Db::meta, refusal_count_key(1), number(5, 8)); });
    damage(env, "a counter of no refusals",
           {"meta: tenant 2 refusals: the counter is 5, but there are none"},
           [](WriteTxn &txn) { txn.put(Db::meta, refusal_count_key(2), number(5, 8)); });
    damage(env, "a refusal that cannot be read", {"refusals: ", "but there are 2"},
           [](WriteTxn &txn) { txn.put(Db::refusals, refusal_key(1, 9, 9), "x"); });
    damage(env, "no format", {"meta: min_reader: there is no format"},
           [](WriteTxn &txn) { txn.del(Db::meta, "min_reader"); });
    damage(env, "a counter that is no number", {"meta: auth_epoch: \"many\" is no number"},
           [](WriteTxn &txn) { txn.put(Db::meta, "auth_epoch", "many"); });
    damage(env, "a counter of another size",
           {"meta: 0300000001: the row has a key of 5 and a value of 2 bytes", "but there are 1"},
           [](WriteTxn &txn) { txn.put(Db::meta, refusal_count_key(1), "xx"); });
    damage(env, "no problem: what a later build adds", {},
           [](WriteTxn &txn) { txn.put(Db::meta, "later", "on"); });
    damage(env, "the catalog's epoch", {"catalog: header: the epoch is 1, but meta says 7"},
           [](WriteTxn &txn) { txn.put(Db::meta, "catalog_epoch", "7"); });
    damage(env, "a catalog that cannot be read", {"catalog: : catalog row 3/1: "},
           [](WriteTxn &txn) { txn.put(Db::catalog, Bytes("\3\0\1", 3), "x"); });
    WriteTxn txn(env);
    for (uint64_t i = 1; i < 300; i++)
        txn.put(Db::tenants, tenant_name_key("x" + std::to_string(i)), "1");
    auto report = verify(txn, 10);
    ok(report.problems.size() == 10 && report.problem_count == 299,
       "problems are described up to a limit, and all counted");
}

// Records of every age, with what is declared no more.
void test_epochs(const std::string &path) {
    auto store = fixture::open_store(path, size_t(64) << 20, {}, 2);
    sound(store->env(), "records of an older epoch, one extension dropped");
    {
        WriteTxn txn(store->env());
        auto catalog = catalog_of(txn);
        const TypeView &type = *catalog->type_by_name("User");
        std::string bytes = record_of(txn, 1, 1);
        auto record = RecordView::parse(bytes);
        Resource resource;
        record->leaves(resource.leaves);
        canonical_order(type, resource.leaves);
        put_record(txn, 1, 1, encode_record(record->header(), *catalog, type, resource));
        ok(txn.commit() == Errc::ok, "one is written anew");
    }
    sound(store->env(), "with hidden leaves");
    damage(store->env(), "an old record's leaf table",
           {"its leaf table does not describe its body", "does not have this value"},
           [](WriteTxn &txn) {
               std::string record = record_of(txn, 1, 2);
               shorten_first(record);
               put_record(txn, 1, 2, record);
           });
    store.reset();
    store = fixture::open_store(path, size_t(64) << 20, {*load_definition(extension)}, 3);
    sound(store->env(), "and again when the extension is back");
    damage(store->env(), "a body that is no JSON", {"its leaf table does not describe its body"},
           [](WriteTxn &txn) {
               std::string record = record_of(txn, 1, 1);
               record[record.find("\"userName\"") - 1] = 'x';
               put_record(txn, 1, 1, record);
           });
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(64) << 20, {*load_definition(extension)});
    Env &env = store->env();
    sound(env, "an empty store");
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
        Refusal refusal;
        refusal.tenant = acme;
        refusal.time = 5;
        add_refusal(txn, refusal);
        ok(txn.commit() == Errc::ok, "two tenants with what tenants have");
    }
    sound(env, "is sound");
    {
        Reader reader(env);
        ReadTxn txn(reader);
        auto report = verify(txn);
        ok(report.tenants == 2 && report.tokens == 1 && report.resources == 5 &&
               report.changes == 5,
           "counted");
        ok(report.memberships == 1 && report.refusals == 1 && report.removing == 0 &&
               report.unswept_rows == 0,
           "counted, too");
        is(report.index_rows, 17u,
           "userName, externalId and two e-mails of four users, a group's displayName");
    }
    test_records(env, acme);
    test_index(env, acme);
    test_changes(env, acme);
    test_tenants(env, acme);
    test_tokens(env);
    test_members(env);
    test_rest(env);
    test_sweep(env);
    store.reset();
    test_epochs(dir.path);
    return tap::done();
}
