// Tests that the time of verify() is linear in the rows and bytes of a store.

#include <cstdlib>
#include <new>

#include "store/verify.h"
#include "verify_fixture.h"

// Counts work in allocations: each index value and each decoded change makes some.
static uint64_t allocations;
void *operator new(size_t size, const std::nothrow_t &) noexcept {
    allocations++;
    return std::malloc(size);
}
void *operator new(size_t size) {
    if (void *p = operator new(size, std::nothrow)) return p;
    throw std::bad_alloc();
}
void operator delete(void *p) noexcept { std::free(p); }
void operator delete(void *p, size_t) noexcept { std::free(p); }

namespace {

// Writes a user with many e-mails, each longer than std::string holds without an allocation.
void put_emails(WriteTxn &txn, TenantNumber tenant, uint8_t n, int count) {
    auto catalog = catalog_of(txn);
    const TypeView &type = *catalog->type_by_name("User");
    std::string body = R"({"userName":"user)" + std::to_string(n) + R"(","emails":[)";
    for (int i = 0; i < count; i++)
        body += (i ? "," : "") + (R"({"value":"a-rather-long-address-)" + std::to_string(i)) + "." +
                std::to_string(n) + R"(@example.com"})";
    DeviationReport report;
    auto resource = read_resource(type, parse_json(body + "]}", {})->get(), false, report);
    DirectoryWriter directory(txn, tenant);
    ResourceEdit edit;
    edit.type = type.number;
    edit.id = id_of(n);
    edit.is_new = true;
    edit.position = directory.position().position + 1;
    RecordHeader header;
    header.version = edit.position;
    header.created = header.modified = 1000;
    edit.record = encode_record(header, *catalog, type, resource->leaves);
    edit.after = index_values(*catalog, type, resource->leaves);
    edit.change.time = 1000;
    edit.change.type = type.number;
    edit.change.id = edit.id;
    directory.apply(edit);
}

uint64_t work_of(Txn &txn, uint64_t problems, const char *name) {
    uint64_t before = allocations;
    auto report = verify(txn);
    uint64_t work = allocations - before;
    if (!is(report.problem_count, problems, name)) diag(all_problems(report));
    return work;
}

// Tests that work on ten times as much data in one resource is less than twelve times as much.
void is_linear(uint64_t small, uint64_t large, const char *name) {
    if (!ok(large < 12 * small, name))
        diag(std::to_string(small) + " and " + std::to_string(large) + " allocations");
}

void test_values(Env &env, TenantNumber tenant) {
    uint64_t work[2][2];
    for (int i = 0; i < 2; i++) {
        WriteTxn txn(env);
        put_emails(txn, tenant, 1, i ? 2000 : 200);
        work[0][i] = work_of(txn, 0, "verify finds no problem with a user with many e-mails");
        auto catalog = catalog_of(txn);
        const TypeView &type = *catalog->type_by_name("User");
        AttrNumber email = type.find("emails.value")->number;
        txn.put(Db::index, index_key(tenant, type.number, email, "x@example.com", id_of(1)), "");
        work[1][i] =
            work_of(txn, 1, "verify finds a superfluous index row among those of many e-mails");
    }
    is_linear(work[0][0], work[0][1], "the work of verify is linear in the e-mails of one user");
    is_linear(work[1][0], work[1][1],
              "the work of verify is linear in the e-mails of one user with a superfluous row");
}

// Deletes a user that is in many groups: one change with a row for each group.
void test_parts(Env &env, TenantNumber tenant) {
    uint64_t work[2];
    for (int i = 0; i < 2; i++) {
        WriteTxn txn(env);
        auto catalog = catalog_of(txn);
        put_user(txn, tenant, 1, "ada");
        put_group(txn, tenant, 7, {{}, {}, 1, 0});
        const TypeView &groups = *catalog->group_types().front();
        ResourceEdit edit;
        edit.type = catalog->type_by_name("User")->number;
        edit.id = id_of(1);
        edit.position = 3;
        edit.change.time = 9000;
        edit.change.operation = Operation::remove;
        edit.change.type = edit.type;
        edit.change.id = edit.id;
        Bytes group;
        txn.get(Db::resources, resource_key(tenant, groups.number, id_of(7)), group);
        const std::string record = restamp_record(group, edit.position, 9000);
        for (int g = 0; g < (i ? 2000 : 200); g++) {
            Id id = id_of(7);
            id[13] = uint8_t(g >> 8);
            id[14] = uint8_t(g);
            edit.groups.push_back({groups.number, id, record});
        }
        DirectoryWriter(txn, tenant).apply(edit);
        uint64_t before = allocations;
        auto report = verify(txn, 100000);
        work[i] = allocations - before;
        bool wrong = false;  // the groups have no index rows here
        for (const Problem &p : report.problems)
            wrong |= p.text.find("version") != std::string::npos;
        ok(!wrong, "verify finds the versions of a deleted member's groups in the change log");
    }
    is_linear(work[0], work[1], "the work of verify is linear in the groups of a deleted member");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(64) << 20, {*load_definition(extension)});
    TenantNumber acme = fixture::add_tenant(store->env(), "acme").number;
    test_values(store->env(), acme);
    test_parts(store->env(), acme);
    return tap::done();
}
