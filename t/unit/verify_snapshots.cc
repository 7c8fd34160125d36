// Tests verify() with short snapshots of a store that is written between them: it does not report
// the writes as problems, and it finds damage.

#include <optional>

#include "store/verify.h"
#include "verify_fixture.h"

namespace {

// A new snapshot after each row, and a commit before each snapshot.
class BusySnapshots final : public Snapshots {
  public:
    BusySnapshots(Env &env, TenantNumber tenant) : env_(env), tenant_(tenant), reader_(env) {
        txn_.emplace(reader_);
    }
    Txn &txn() override { return *txn_; }
    bool is_due(size_t) override { return true; }
    void renew() override {
        txn_.reset();
        if (commits < 400) write();
        txn_.emplace(reader_);
    }
    int commits = 0;

  private:
    void write() {
        WriteTxn txn(env_);
        const uint8_t n = uint8_t(100 + commits % 50);
        const std::string name = "user" + std::to_string(commits);
        switch (commits % 5) {
            case 0:
            case 1: replace_user(txn, n, name); break;
            case 2: add_refusal(txn, refusal()); break;
            case 3: remove_user(txn, n); break;
            case 4: trim(txn); break;
        }
        if (commits % 20 == 10 && commits < 100) remove_user(txn, uint8_t(3 + commits / 20));
        if (commits % 100 == 99) store::add_tenant(txn, "t" + std::to_string(commits), 1000, {});
        if (txn.commit() != Errc::ok) diag("a commit failed");
        commits++;
    }
    std::optional<ResourceEdit> edit_of(WriteTxn &txn, uint8_t n) {
        auto catalog = catalog_of(txn);
        const TypeView &type = *catalog->type_by_name("User");
        Bytes bytes;
        if (!txn.get(Db::resources, resource_key(tenant_, type.number, id_of(n)), bytes))
            return std::nullopt;
        std::vector<Leaf> leaves;
        record_ = std::string(bytes);
        RecordView::parse(record_)->leaves(leaves);
        ResourceEdit edit;
        edit.before = index_values(*catalog, type, leaves);
        catalog_ = catalog;  // `before` points into it
        edit.type = type.number;
        edit.id = id_of(n);
        edit.position = Directory(txn, tenant_).position().position + 1;
        edit.change.time = 1000 + int64_t(edit.position);
        edit.change.operation = Operation::remove;
        edit.change.type = type.number;
        edit.change.id = edit.id;
        return edit;
    }
    void remove_user(WriteTxn &txn, uint8_t n) {
        if (auto edit = edit_of(txn, n)) DirectoryWriter(txn, tenant_).apply(*edit);
    }
    void replace_user(WriteTxn &txn, uint8_t n, const std::string &name) {
        remove_user(txn, n);
        put_user(txn, tenant_, n, name);
    }
    store::Refusal refusal() const {
        store::Refusal refusal;
        refusal.tenant = tenant_;
        refusal.time = 1000 + commits;
        return refusal;
    }
    void trim(WriteTxn &txn) {
        Cursor log(txn, Db::changes);
        if (log.seek(tenant_prefix(tenant_)) && starts_with(log.key(), tenant_prefix(tenant_))) {
            if (Directory(txn, tenant_).position().position > read_be(log.key().data() + 4, 8))
                log.del();
        }
    }

    Env &env_;
    TenantNumber tenant_;
    Reader reader_;
    std::optional<ReadTxn> txn_;
    std::string record_;
    std::shared_ptr<const Catalog> catalog_;
};

}  // namespace

int main() {
    fixture::TempDir dir;
    auto opened = fixture::open_store(dir.path, size_t(64) << 20, {*load_definition(extension)});
    Env &env = opened->env();
    const TenantNumber acme = fixture::add_tenant(env, "acme").number;
    {
        WriteTxn txn(env);
        for (uint8_t n = 1; n < 30; n++) put_user(txn, acme, n, "first" + std::to_string(n));
        for (uint8_t n = 100; n < 150; n += 2) put_user(txn, acme, n, "x" + std::to_string(n));
        put_group(txn, acme, 50, {{{id_of(1), 1}, {id_of(2), 1}}, {}, 1, 0});
        ok(txn.commit() == Errc::ok, "users and a group are written");
    }
    {
        BusySnapshots snapshots(env, acme);
        auto report = verify(snapshots);
        if (!is(report.problem_count, 0u, "verify reports no write as a problem"))
            diag(all_problems(report));
        is(snapshots.commits, 400, "the store is written 400 times during verify");
        is(report.uncompared, 3u,
           "verify reports the counters of users and of two indexes that changed meanwhile as "
           "uncompared");
    }
    sound(env, "verify with one snapshot finds no problem in the written store");
    {
        Reader reader(env);
        ShortSnapshots snapshots(reader);
        auto report = verify(snapshots);
        ok(report.problem_count == 0 && report.uncompared == 0,
           "verify with short snapshots finds no problem while the store is not written");
    }
    {
        WriteTxn txn(env);
        auto catalog = catalog_of(txn);
        AttrNumber name = catalog->type_by_name("User")->find("userName")->number;
        txn.del(Db::index, index_key(acme, 1, name, "first20", id_of(20)));
        txn.put(Db::index, index_key(acme, 1, name, "firstx", id_of(20)), "");
        txn.put(Db::index, index_key(acme, 1, name, "nobody", id_of(99)), "");
        ok(txn.commit() == Errc::ok,
           "an index row is replaced and one without a resource is added");
    }
    BusySnapshots snapshots(env, acme);
    auto report = verify(snapshots);
    const std::string got = all_problems(report);
    bool found =
        got.find("\"first20\" " + to_string(id_of(20)) + ": the row is missing") != got.npos &&
        got.find("\"firstx\" " + to_string(id_of(20)) +
                 ": the resource does not have this value") != got.npos &&
        got.find("\"nobody\" " + to_string(id_of(99)) + ": there is no such resource") != got.npos;
    if (!ok(found && report.problem_count == 3,
            "verify finds the damaged index rows while the store is written"))
        diag(got);
    return tap::done();
}
