// Tests that a DirectoryWriter keeps the records, index rows, counters and changes of a tenant
// consistent and separate from other tenants, and that the catalog, the format rows, refusals,
// tenants and tokens are read as they were written.

#include "store/directory.h"

#include "fixture.h"
#include "scim/text/json.h"
#include "store/format.h"

using namespace scim;
using namespace scim::store;

namespace {

Resource user_resource(const TypeView &type, const std::string &name) {
    DeviationReport report;
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
    edit.record = encode_record(header, catalog, type, resource.leaves);
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
    const AttrNumber user_name = type.find("userName")->number;
    {
        WriteTxn txn(env);
        DirectoryWriter directory(txn, one);
        auto edit = edit_of(catalog, type, 1, "Anna", 1);
        is(edit.after.size(), 3u,
           "userName, externalId and two equal e-mails give three index values");
        directory.apply(edit);
        directory.apply(edit_of(catalog, type, 2, "anna2", 2));
        DirectoryWriter(txn, two).apply(edit_of(catalog, type, 3, "Anna", 1));
        ok(txn.commit() == Errc::ok, "three users of two tenants are committed");
    }
    Reader reader(env);
    ReadTxn txn(reader);
    Directory first(txn, one), second(txn, two);
    is(first.count(type.number), 2u, "the users of a tenant are counted");
    is(second.count(type.number), 1u, "the count of a tenant excludes the users of another tenant");
    is(first.find(type.number, user_name, "anna", 10).size(), 1u,
       "a user is found by the key of its userName");
    is(first.find(type.number, user_name, "ann", 10).size(), 0u,
       "a user is not found by a prefix of its userName");
    is(int(first.find(type.number, user_name, "anna", 10)[0][15]), 1,
       "the index lookup returns the user of the tenant");
    is(int(second.find(type.number, user_name, "anna", 10)[0][15]), 3,
       "the index lookup of another tenant returns that tenant's user");
    is(first.position().position, 2u, "position() has the position of the last change");
    is(first.position().time, 20, "position() has the time of the last change");
    int seen = 0;
    first.scan(type.number, 1, 10, [&](const Id &id, Bytes) { return seen += id[15], true; });
    is(seen, 2, "a scan that skips one record visits only the other record of the tenant");
    Bytes bytes;
    ok(txn.get(Db::changes, change_key(one, 2, 0), bytes), "a write adds a change row");
    auto change = decode_change(bytes);
    ok(change && change->attrs == std::vector<AttrNumber>{1, 2, 300} && change->time == 20,
       "a decoded change has the attributes and time written");
    bytes.remove_suffix(1);
    ok(!decode_change(bytes), "a change row without its last byte is not decoded");
}

void test_replace_and_remove(Env &env, const Catalog &catalog, TenantNumber tenant) {
    const TypeView &type = *catalog.type_by_name("User");
    const AttrNumber user_name = type.find("userName")->number;
    WriteTxn txn(env);
    DirectoryWriter directory(txn, tenant);
    ResourceEdit edit = edit_of(catalog, type, 1, "Bertha", 3);
    edit.is_new = false;
    edit.before = index_values(catalog, type, user_resource(type, "Anna").leaves);
    uint64_t rows = txn.entries(Db::index);
    directory.apply(edit);
    is(directory.find(type.number, user_name, "anna", 10).size(), 0u,
       "a replaced userName is not found");
    is(directory.find(type.number, user_name, "bertha", 10).size(), 1u,
       "the new userName is found");
    is(txn.entries(Db::index), rows, "a replaced userName keeps the number of index rows");
    is(directory.count(type.number), 2u, "a replaced user keeps the count of users");

    ResourceEdit removal = edit_of(catalog, type, 1, "Bertha", 4);
    removal.before = removal.after;
    removal.after.clear();
    removal.record.clear();
    directory.apply(removal);
    is(directory.count(type.number), 1u, "a deleted user is not counted");
    ok(!directory.record(type.number, removal.id), "the record of a deleted user is not found");
    is(txn.entries(Db::index), rows - 3, "a deleted user has no index rows");
    ok(txn.commit() == Errc::ok, "a replacement and a deletion are committed");
}

void test_damage(Env &env, const Catalog &catalog, TenantNumber tenant) {
    const TypeView &type = *catalog.type_by_name("User");
    WriteTxn txn(env);
    Id id{};
    id[15] = 9;
    txn.put(Db::resources, resource_key(tenant, type.number, id), "not a record");
    Directory directory(txn, tenant);
    ok(!directory.record(type.number, id), "a damaged record is not read");
    ok(txn.error() == Errc::damaged,
       "reading a damaged record sets the error of the transaction to damaged");
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
    is(found, " 10 11 - 20 - 30 31 - 31 10 12",
       "a record cursor finds next, missing, last and earlier records");
    found.clear();
    look(TypeNumber(type.number + 1), 11);
    look(type.number, 11);
    is(found, " - 11", "a record cursor finds records of the type asked for only");
    ok(txn.good(), "looking up missing records sets no error");
}

void test_refusals(Env &env, TenantNumber tenant) {
    WriteTxn txn(env);
    for (uint64_t i = 0; i < refusals_per_tenant + 5; i++) {
        store::Refusal refusal;
        refusal.tenant = tenant;
        refusal.time = 100 + int64_t(i / 2);
        refusal.status = 409;
        refusal.detail = "number " + std::to_string(i);
        refusal.request = {0xab, 1};
        add_refusal(txn, refusal);
    }
    is(txn.entries(Db::refusals), refusals_per_tenant,
       "a tenant keeps at most refusals_per_tenant refusals");
    auto newest = list_refusals(txn, tenant, 2);
    is(newest.size(), 2u, "list_refusals returns as many as asked for");
    is(newest[0].detail, "number " + std::to_string(refusals_per_tenant + 4),
       "refusals are listed newest first");
    is(int(newest[0].request[0]), 0xab, "a refusal has the id of its request");
}

void test_catalog(Env &env, const Catalog &catalog) {
    Reader reader(env);
    ReadTxn txn(reader);
    is(catalog_epoch(txn), catalog.epoch(),
       "catalog_epoch returns the epoch of the catalog written");
    auto rows = read_catalog(txn);
    ok(bool(rows), "the catalog rows are read");
    is(rows->attrs.size(), catalog.rows().attrs.size(), "every attribute row is read");
    is(rows->indexes.size(), catalog.rows().indexes.size(), "every index row is read");
    is(rows->schemas.size(), catalog.rows().schemas.size(), "every schema row is read");
    auto again = declare(*rows, *make_declaration(2, {}));
    ok(again && !*again, "declaring the same again on the rows read changes nothing");
    FormatCheck format = check_format(txn);
    ok(format.readable() && format.writable(),
       "a store written by this version is readable and writable");
}

void test_format(Env &env) {
    WriteTxn txn(env);
    txn.put(Db::meta, "min_writer", "6");
    FormatCheck format = check_format(txn);
    ok(format.readable() && !format.writable(),
       "a store with a newer min_writer is readable and not writable");
    ok(format_problem(format, "/x").find("read-only") != std::string::npos,
       "the format problem of a newer min_writer says read-only");
    txn.put(Db::meta, "min_reader", "6");
    ok(!check_format(txn).readable(), "a store with a newer min_reader is not readable");
    txn.put(Db::meta, "min_reader", "two");
    ok(check_format(txn).code == Errc::damaged, "a min_reader that is not a number is damage");
    txn.put(Db::catalog, std::string("\x03\xff\xff", 3), "{\"type\":\"colour\"}");
    auto rows = read_catalog(txn);
    ok(!rows && rows.error().detail.find("3/65535") != std::string::npos,
       "the error of a damaged catalog row names the row");
}

void test_tenants(Env &env) {
    WriteTxn txn(env);
    Tenant tenant = add_tenant(txn, "third", 5, {});
    ok(find_tenant(txn, "third").has_value(), "a tenant is found by name");
    ok(!find_tenant(txn, "fourth").has_value(), "an unknown tenant name is not found");
    Token token;
    token.tenant = tenant.number;
    token.label = "entra";
    token.scopes = scope_read | scope_write;
    Digest digest{};
    digest[0] = 7;
    uint64_t epoch = auth_epoch(txn);
    ok(add_token(txn, token, digest), "a token is added");
    ok(auth_epoch(txn) > epoch, "adding a token moves the auth epoch");
    ok(!add_token(txn, token, digest), "adding a token with a known digest is refused");
    digest[0] = 8;
    add_token(txn, token, digest);
    is(token.number, 2u, "the second token of a tenant has number 2");
    is(list_tokens(txn, tenant.number).size(), 2u, "both tokens of a tenant are listed");
    is(find_token(txn, digest)->label, "entra", "a token is found by its digest");
    is(last_use(txn, tenant.number, 1), 0, "the last use of an unused token is 0");
    put_use(txn, {tenant.number, 1, 70});
    put_use(txn, {tenant.number, 1, 60});
    put_use(txn, {tenant.number, 2, 50});
    is(last_use(txn, tenant.number, 1), 70, "the last use of a token is the latest one written");
    is(last_use(txn, tenant.number, 2), 50,
       "the last use of a token is separate from that of another");
    put_use(txn, {tenant.number, 3, 50});
    is(txn.entries(Db::local), 2u, "the use of an unknown token is not written");
    mark_tenant_removed(txn, tenant);
    ok(!find_tenant(txn, "third").has_value(), "a removed tenant is not found by its name");
    for (int step = 0; step < 100 && !sweep_tenant(txn, tenant, 1); step++)
        put_use(txn, {tenant.number, 2, 80});
    put_use(txn, {tenant.number, 2, 90});
    is(txn.entries(Db::local), 0u,
       "a swept tenant has no use rows, even if uses are written during the sweep");
    ok(!find_token(txn, digest).has_value(), "the tokens of a swept tenant are not found");
    is(list_tenants(txn).size(), 2u, "a swept tenant is not listed");
    ok(add_tenant(txn, "third", 5, {}).number > tenant.number,
       "a new tenant gets a higher number than a swept one of the same name");
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
    test_format(store->env());
    test_tenants(store->env());
    return tap::done();
}
