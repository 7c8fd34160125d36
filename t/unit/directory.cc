// Records, index rows, counters and changes of one tenant stay together, tenants see nothing of
// each other, and the catalog and its gate come back from disk as they were written.

#include "store/directory.h"

#include "fixture.h"
#include "scim/json.h"
#include "store/format.h"

using namespace scim;
using namespace scim::store;

namespace {

Resource user_resource(const TypeView &type, const std::string &name) {
    Report report;
    std::string body =
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" + name +
        R"(","externalId":"e","emails":[{"value":"a@x"},{"value":"A@X","type":"home"}]})";
    return std::move(*read_resource(type, parse_json(body, {})->get(), false, report));
}

ResourceEdit edit_of(const Catalog &catalog, const TypeView &type, uint8_t id,
                     const std::string &name, uint64_t position) {
    ResourceEdit edit;
    Resource resource = user_resource(type, name);
    edit.type = type.number;
    edit.id[15] = id;
    edit.is_new = true;
    RecordHeader header;
    header.version = position;
    edit.record = encode_record(header, catalog, type, resource);
    edit.after = index_values(catalog, type, resource.leaves);
    edit.position = position;
    edit.change.time = int64_t(position) * 10;
    edit.change.type = type.number;
    edit.change.id = edit.id;
    edit.change.attrs = {1, 2, 300};
    return edit;
}

void test_resources(Env &env, const Catalog &catalog, TenantNumber one, TenantNumber two) {
    const TypeView &type = *catalog.type_by_name("User");
    const IndexDef &user_name = *type.find("userName")->index;
    {
        WriteTxn txn(env);
        DirectoryWriter directory(txn, one);
        auto edit = edit_of(catalog, type, 1, "Anna", 1);
        is(edit.after.size(), 3u,
           "userName, externalId and one row for two e-mails that are the same");
        directory.apply(edit);
        directory.apply(edit_of(catalog, type, 2, "anna2", 2));
        DirectoryWriter(txn, two).apply(edit_of(catalog, type, 3, "Anna", 1));
        ok(txn.commit() == Errc::ok, "three users of two tenants");
    }
    Reader reader(env);
    ReadTxn txn(reader);
    Directory first(txn, one), second(txn, two);
    is(first.count(type.number), 2u, "counted");
    is(second.count(type.number), 1u, "each tenant by itself");
    is(first.find(user_name, "anna", 10).size(), 1u, "found by the key of the name");
    is(first.find(user_name, "ann", 10).size(), 0u, "not by its beginning");
    is(int(first.find(user_name, "anna", 10)[0][15]), 1, "and it is the one");
    is(int(second.find(user_name, "anna", 10)[0][15]), 3, "the other tenant has another");
    is(first.position().position, 2u, "position of the last change");
    is(first.position().time, 20, "and its time");
    int seen = 0;
    first.scan(type.number, 1, 10, [&](const Id &id, Bytes) { return seen += id[15], true; });
    is(seen, 2, "a scan skips, and stays within the tenant");
    Bytes bytes;
    ok(txn.get(Db::changes, change_key(one, 2, 0), bytes), "a change row");
    auto change = decode_change(bytes);
    ok(change && change->attrs == std::vector<AttrNumber>{1, 2, 300} && change->time == 20,
       "comes back");
    bytes.remove_suffix(1);
    ok(!decode_change(bytes), "one cut short does not");
}

void test_replace_and_remove(Env &env, const Catalog &catalog, TenantNumber tenant) {
    const TypeView &type = *catalog.type_by_name("User");
    const IndexDef &user_name = *type.find("userName")->index;
    WriteTxn txn(env);
    DirectoryWriter directory(txn, tenant);
    ResourceEdit edit = edit_of(catalog, type, 1, "Bertha", 3);
    edit.is_new = false;
    edit.before = index_values(catalog, type, user_resource(type, "Anna").leaves);
    uint64_t rows = txn.entries(Db::index);
    directory.apply(edit);
    is(directory.find(user_name, "anna", 10).size(), 0u, "the old name is free");
    is(directory.find(user_name, "bertha", 10).size(), 1u, "the new one is taken");
    is(txn.entries(Db::index), rows, "no row too many");
    is(directory.count(type.number), 2u, "and no user");

    ResourceEdit gone = edit_of(catalog, type, 1, "Bertha", 4);
    gone.before = gone.after;
    gone.after.clear();
    gone.record.clear();
    directory.apply(gone);
    is(directory.count(type.number), 1u, "a deleted user is not counted");
    ok(!directory.record(type.number, gone.id), "nor found");
    is(txn.entries(Db::index), rows - 3, "nor indexed");
    ok(txn.commit() == Errc::ok, "commit");
}

void test_damage(Env &env, const Catalog &catalog, TenantNumber tenant) {
    const TypeView &type = *catalog.type_by_name("User");
    WriteTxn txn(env);
    Id id{};
    id[15] = 9;
    txn.put(Db::resources, resource_key(tenant, type.number, id), "not a record");
    Directory directory(txn, tenant);
    ok(!directory.record(type.number, id), "a damaged record is not read");
    ok(txn.error() == Errc::damaged, "and said to be one");
}

void test_record_cursor(Env &env, const Catalog &catalog, TenantNumber tenant) {
    const TypeView &type = *catalog.type_by_name("User");
    {
        WriteTxn txn(env);
        DirectoryWriter directory(txn, tenant);
        for (uint8_t id : {10, 11, 12, 20, 30, 31})
            directory.apply(edit_of(catalog, type, id, "c" + std::to_string(id), id));
        DirectoryWriter(txn, tenant + 1000).apply(edit_of(catalog, type, 32, "c32", 1));
        (void)txn.commit();
    }
    Reader reader(env);
    ReadTxn txn(reader);
    Directory directory(txn, tenant);
    RecordCursor records(directory);
    std::string found;
    auto look = [&](TypeNumber number, uint8_t last) {
        Id id{};
        id[15] = last;
        auto record = records.record(number, id);
        found += record ? ' ' + std::to_string(record->header().version) : " -";
    };
    for (uint8_t id : {10, 11, 13, 20, 21, 30, 31, 32, 31, 10, 12}) look(type.number, id);
    is(found, " 10 11 - 20 - 30 31 - 31 10 12", "neighbours, gaps, the end, and back again");
    found.clear();
    look(TypeNumber(type.number + 1), 11);
    look(type.number, 11);
    is(found, " - 11", "types");
    ok(txn.good(), "what is missing is no damage");
}

void test_refusals(Env &env, TenantNumber tenant) {
    WriteTxn txn(env);
    for (uint64_t i = 0; i < refusals_per_tenant + 5; i++) {
        Refusal refusal;
        refusal.tenant = tenant;
        refusal.time = 100 + int64_t(i / 2);
        refusal.status = 409;
        refusal.detail = "number " + std::to_string(i);
        refusal.request = {0xab, 1};
        add_refusal(txn, refusal);
    }
    is(txn.entries(Db::refusals), refusals_per_tenant, "the ring is bounded");
    auto newest = list_refusals(txn, tenant, 2);
    is(newest.size(), 2u, "the newest can be listed");
    is(newest[0].detail, "number " + std::to_string(refusals_per_tenant + 4), "newest first");
    is(int(newest[0].request[0]), 0xab, "with the request's id");
}

void test_catalog(Env &env, const Catalog &catalog) {
    Reader reader(env);
    ReadTxn txn(reader);
    is(catalog_epoch(txn), catalog.epoch(), "the epoch can be had without reading the catalog");
    auto rows = read_catalog(txn);
    ok(bool(rows), "the catalog comes back");
    is(rows->attrs.size(), catalog.rows().attrs.size(), "every attribute");
    is(rows->indexes.size(), catalog.rows().indexes.size(), "every index");
    is(rows->schemas.size(), catalog.rows().schemas.size(), "every schema");
    auto again = declare(*rows, *make_declaration(2, {}));
    ok(again && !*again, "and what is declared already changes nothing");
    Gate gate = read_gate(txn);
    ok(gate.readable() && gate.writable(), "the gate is open");
}

void test_gate(Env &env) {
    WriteTxn txn(env);
    txn.put(Db::meta, "min_writer", "2");
    Gate gate = read_gate(txn);
    ok(gate.readable() && !gate.writable(), "a newer format may leave reading to us");
    ok(gate_problem(gate, "/x").find("read-only") != std::string::npos, "and a sentence says so");
    txn.put(Db::meta, "min_reader", "2");
    ok(!read_gate(txn).readable(), "or not");
    txn.put(Db::meta, "min_reader", "two");
    ok(read_gate(txn).code == Errc::damaged, "nonsense is damage");
    txn.put(Db::catalog, std::string("\x03\xff\xff", 3), "{\"type\":\"colour\"}");
    auto rows = read_catalog(txn);
    ok(!rows && rows.error().detail.find("3/65535") != std::string::npos,
       "a damaged catalog row is named");
}

void test_tenants(Env &env) {
    WriteTxn txn(env);
    Tenant tenant = add_tenant(txn, "third", 5, {});
    ok(find_tenant(txn, "third").has_value(), "a tenant is found by name");
    ok(!find_tenant(txn, "fourth").has_value(), "another is not");
    Token token;
    token.tenant = tenant.number;
    token.label = "entra";
    token.scopes = scope_read | scope_write;
    Digest digest{};
    digest[0] = 7;
    uint64_t epoch = auth_epoch(txn);
    ok(add_token(txn, token, digest), "a token");
    ok(auth_epoch(txn) > epoch, "moves the auth epoch");
    ok(!add_token(txn, token, digest), "the same digest again is refused");
    digest[0] = 8;
    add_token(txn, token, digest);
    is(token.number, 2u, "numbers follow each other");
    is(list_tokens(txn, tenant.number).size(), 2u, "both are listed");
    is(find_token(txn, digest)->label, "entra", "and found by digest");
    is(last_use(txn, tenant.number, 1), 0, "never used");
    put_use(txn, {tenant.number, 1, 70});
    put_use(txn, {tenant.number, 1, 60});
    put_use(txn, {tenant.number, 2, 50});
    is(last_use(txn, tenant.number, 1), 70, "of two uses the later one");
    is(last_use(txn, tenant.number, 2), 50, "of each token");
    put_use(txn, {tenant.number, 3, 50});
    is(txn.entries(Db::local), 2u, "of a token that there is");
    mark_tenant_removed(txn, tenant);
    ok(!find_tenant(txn, "third").has_value(), "a removed tenant has no name");
    for (int step = 0; step < 100 && !sweep_tenant(txn, tenant, 1); step++)
        put_use(txn, {tenant.number, 2, 80});
    put_use(txn, {tenant.number, 2, 90});
    is(txn.entries(Db::local), 0u, "nothing is left of its use, whoever adds to it meanwhile");
    ok(!find_token(txn, digest).has_value(), "nor tokens");
    is(list_tenants(txn).size(), 2u, "nor a row");
    ok(add_tenant(txn, "third", 5, {}).number > tenant.number, "its number is not given again");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    TenantNumber one = fixture::add_tenant(store->env(), "one").number,
                 two = fixture::add_tenant(store->env(), "two").number;
    service::Session session(*store);
    auto catalog = [&] {
        service::Snapshot snapshot(session);
        return snapshot.catalog();
    }();
    test_resources(store->env(), *catalog, one, two);
    test_replace_and_remove(store->env(), *catalog, one);
    test_damage(store->env(), *catalog, one);
    test_record_cursor(store->env(), *catalog, two);
    test_refusals(store->env(), one);
    test_catalog(store->env(), *catalog);
    test_gate(store->env());
    test_tenants(store->env());
    return tap::done();
}
