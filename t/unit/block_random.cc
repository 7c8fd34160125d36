// Compares who is blocked, and the not-before of each user, with a model: users are created, renamed,
// deleted, deactivated, blocked, unblocked and revoked at random, while the clock also steps back, and
// tenants are exported and imported. Besides, no not-before ever moves backwards: neither that of a
// user, nor what who alone has a userName or externalId has inherited with it.
//
//     SCIM_SEED=n SCIM_CASES=n block_random.t

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "block_fixture.h"
#include "service/export.h"
#include "service/import.h"

using namespace scim;
using namespace scim::service;
using fixture::patch;
using fixture::user;

namespace {

unsigned long number_of(const char *variable, unsigned long otherwise) {
    const char *text = getenv(variable);
    return text != nullptr ? strtoul(text, nullptr, 10) : otherwise;
}

struct Seen {
    std::string user_name, external_id;
    bool active = false, blocked = false;
    int64_t not_before = 0;
    // No two values of the test are the same, so a value needs no kind.
    std::set<std::string> values() const {
        std::set<std::string> all{user_name};
        if (!external_id.empty()) all.insert(external_id);
        return all;
    }
};
using Users = std::map<std::string, Seen>;  // by id

class Listener : public ImportListener {
  public:
    void begun(uint64_t) override {}
    bool refused(uint64_t, const Error &error, std::string_view) override {
        diag(error.detail);
        return true;
    }
    void progress(const ImportCounts &) override {}
};

class Text : public BodySink {
  public:
    bool write(std::string_view bytes) override { return text.append(bytes), true; }
    std::string text;
};

// One tenant of a store.
class Tenant {
  public:
    Tenant(Store &store, const std::string &name)
        : store_(store), tenant_(fixture::add_tenant(store.env(), name)), client(store, tenant_) {}

    template <class Call>
    auto write(Call &&call) {
        store::WriteTxn txn(store_.env());
        CatalogCache cache;
        auto catalog = *cache.at(txn);
        auto result = call(txn, *catalog);
        if (txn.commit() != store::Errc::ok) diag("the commit failed");
        return result;
    }
    bool block(const std::string &name) {
        return write([&](auto &txn, auto &catalog) {
                   return block_user(txn, catalog, tenant_, name, client.now);
               })
            .
            operator bool();
    }
    bool unblock(const std::string &name) {
        return write([&](auto &txn, auto &catalog) {
                   return unblock_user(txn, catalog, tenant_, name, client.now);
               })
            .
            operator bool();
    }
    bool revoke(const std::string &name) {
        return write([&](auto &txn, auto &catalog) {
                   return revoke_sessions(txn, catalog, tenant_, name, client.now);
               })
            .
            operator bool();
    }
    int64_t time() {
        return write([&](auto &txn, auto &) {
            return store::Directory(txn, tenant_.number).position().time;
        });
    }
    Users users() {
        return write([&](auto &txn, auto &catalog) {
            Users all;
            const store::Key prefix = store::resource_prefix(tenant_.number, 1);
            store::Cursor cursor(txn, store::Db::resources);
            for (bool more = cursor.seek(prefix); more && starts_with(cursor.key(), prefix);
                 more = cursor.next()) {
                const std::string id = to_string(store::id_at(cursor.key(), prefix.size()));
                auto status = user_status({txn, catalog, tenant_}, id);
                if (!status) diag(status.error().detail);
                all[id] = {status->user_name, status->external_id, status->active.value_or(false),
                           status->access.blocked != 0, status->not_before};
            }
            return all;
        });
    }
    std::string exported() {
        Session session(store_);
        Snapshot snapshot(session);
        Text out;
        auto count = export_tenant(snapshot, tenant_.number, out, [](uint64_t) {});
        return count ? out.text : count.error().detail;
    }
    void import(const std::string &lines, const ImportOptions &options) {
        Listener listener;
        Importer importer(store_, tenant_.number, options, listener);
        for (size_t at = 0; at < lines.size();) {
            const size_t end = lines.find('\n', at);
            if (!importer.add(lines.substr(at, end - at))) diag("the import failed");
            at = end + 1;
        }
        if (!importer.finish()) diag("the import cannot be finished");
    }

  private:
    Store &store_;
    store::Tenant tenant_;

  public:
    fixture::Client client;
};

// What users have left under values that not exactly one user has.
struct Left {
    int64_t not_before = 0;
    std::set<std::string> blocked;  // ids of the users whose block it is
};

// What a change does on purpose: it blocks or unblocks a user, or moves its not-before.
struct Purpose {
    std::string user;
    bool blocks = false, unblocks = false, revokes = false;
};

class Model {
  public:
    std::string wrong;

    // After a change of one resource at `time`.
    void change(const Users &before, const Users &after, int64_t time, const Purpose &purpose) {
        if (purpose.unblocks) unblock(before, purpose.user);
        const std::set<std::string> lost = leave(before, after, time);
        for (const auto &[id, seen] : after) {
            Seen expected = before.count(id) > 0 ? before.at(id) : Seen{{}, {}, true, false, time};
            const bool is_meant = id == purpose.user;
            if (is_meant && purpose.unblocks) expected.blocked = false;
            if (is_meant && purpose.blocks) expected.blocked = true;
            if ((is_meant && purpose.revokes) || (expected.active && !seen.active))
                expected.not_before = std::max(expected.not_before, time);
            for (const std::string &value : seen.values()) {
                const bool has_gained = expected.values().count(value) == 0;
                const Left &left = left_[value];
                const bool inherits = is_alone(after, value) || !left.blocked.empty();
                if (!has_gained && (lost.count(value) == 0 || !inherits)) continue;
                expected.not_before = std::max(expected.not_before, left.not_before);
                expected.blocked |= !left.blocked.empty();
            }
            if (expected.blocked != seen.blocked)
                note(id + (seen.blocked ? " is blocked" : " is not blocked"));
            if (expected.not_before != seen.not_before)
                note(id + " has not-before " + std::to_string(seen.not_before) + " instead of " +
                     std::to_string(expected.not_before));
        }
        check(before, after, purpose.unblocks ? purpose.user : "");
    }
    // After an import into a new tenant. `ids` are the new ids.
    void move(const Users &before, const Users &after,
              const std::map<std::string, std::string> &ids, bool keeps_ids) {
        if (before.size() != after.size()) note("users are missing");
        Users renamed;
        for (const auto &[id, seen] : before) {
            renamed[ids.at(id)] = seen;
            const Seen &now = after.at(ids.at(id));
            if (now.blocked != seen.blocked) note(id + " is not imported with its block");
            if (keeps_ids && now.not_before != seen.not_before)
                note(id + " has another not-before");
        }
        for (auto &[value, left] : left_) {
            std::set<std::string> blocked;
            for (const std::string &id : left.blocked)
                blocked.insert(ids.count(id) > 0 ? ids.at(id) : id);
            left.blocked = blocked;
        }
        check(renamed, after, "");
    }
    // After an older export was imported on top of the tenant: only the bounds are checked.
    void merge(const Users &before, const Users &after, int64_t time) {
        leave(before, after, time);
        check(before, after, "");
    }
    // `scimctl user unblock` of a value that no user has as userName.
    void unblock_value(const Users &users, const std::string &value) {
        if (is_alone(users, value)) return;
        const std::set<std::string> owners = left_[value].blocked;
        left_[value].blocked.clear();
        if (owners.size() == 1) lift_all_of(*owners.begin());
    }

  private:
    void note(const std::string &text) { wrong += (wrong.empty() ? "" : "; ") + text; }
    static bool is_alone(const Users &users, const std::string &value) {
        return std::count_if(users.begin(), users.end(), [&](const auto &one) {
                   return one.second.values().count(value) > 0;
               }) == 1;
    }
    // A value that several blocked users have left belongs to none of them.
    void lift_all_of(const std::string &id) {
        for (auto &[value, left] : left_)
            if (left.blocked == std::set<std::string>{id}) left.blocked.clear();
    }
    void unblock(const Users &users, const std::string &id) {
        lift_all_of(id);
        for (const std::string &value : users.at(id).values()) left_[value].blocked.clear();
    }
    // Notes the values that users have lost, and returns them.
    std::set<std::string> leave(const Users &before, const Users &after, int64_t time) {
        std::set<std::string> lost;
        for (const auto &[id, seen] : before)
            for (const std::string &value : seen.values()) {
                if (after.count(id) > 0 && after.at(id).values().count(value) > 0) continue;
                lost.insert(value);
                const int64_t not_before = std::max(seen.not_before, time);
                Left &left = left_[value];
                left.not_before = std::max(left.not_before, not_before);
                if (seen.blocked) left.blocked.insert(id);
                bounds_[value] = std::max(bounds_[value], not_before);
            }
        return lost;
    }
    // The rules that hold whatever the change was. Who alone has a value has inherited what is left.
    void check(const Users &before, const Users &after, const std::string &unblocked) {
        for (const auto &[id, seen] : before) {
            if (after.count(id) == 0) continue;
            if (after.at(id).not_before < seen.not_before)
                note("the not-before of " + id + " has moved backwards");
            if (seen.blocked && !after.at(id).blocked && id != unblocked)
                note("the block of " + id + " is lost");
        }
        for (const auto &[id, seen] : after)
            for (const std::string &value : seen.values()) {
                if (!is_alone(after, value)) continue;
                if (seen.not_before < bounds_[value])
                    note(id + " accepts sessions of who had \"" + value + "\" before");
                if (!left_[value].blocked.empty() && !seen.blocked && id != unblocked)
                    note(id + " is free of the block under \"" + value + "\"");
                left_[value] = {};
            }
    }

    std::map<std::string, Left> left_;
    std::map<std::string, int64_t> bounds_;  // never cleared
};

class Run {
  public:
    explicit Run(unsigned long seed)
        : random_(unsigned(seed)),
          store_(fixture::open_store(dir_.path, size_t(256) << 20)),
          tenant_(std::make_unique<Tenant>(*store_, "t0")) {}

    std::string step(size_t number) {
        before_ = tenant_->users();
        tenant_->client.forget_jobs();
        if (below(5) == 0) tenant_->client.now -= int64_t(below(3000));
        const size_t kind = below(100);
        if (kind < 3)
            move(below(2) == 0);
        else if (kind < 5)
            merge();
        else if (kind < 9)
            unblock_value();
        else
            change(kind);
        if (number % 20 == 0) check_store();
        return model_.wrong.empty() ? "" : what_ + ": " + model_.wrong;
    }

  private:
    size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
    std::string name() { return "n" + std::to_string(below(8)); }
    // Few, so that several users have the same.
    std::string external_id() {
        const char *values[] = {"", "e1", "e1", "e2", "e3"};
        return values[below(std::size(values))];
    }
    void send(Method method, const std::string &path, const std::string &body = "") {
        what_ += path + " " + body;
        tenant_->client.send(method, path, body);
    }
    void patch_active(const std::string &id, const char *value) {
        send(Method::patch, "/Users/" + id,
             std::string(R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],)"
                         R"("Operations":[{"op":"replace","path":"active","value":)") +
                 value + "}]}");
    }
    void change(size_t kind) {
        Purpose purpose;
        what_.clear();
        if (before_.empty() || kind < 25) {
            what_ = "create ";
            send(Method::post, "/Users", user(name(), external_id()));
        } else {
            change_user(std::next(before_.begin(), ptrdiff_t(below(before_.size())))->first,
                        purpose, kind);
        }
        model_.change(before_, tenant_->users(), tenant_->time(), purpose);
    }
    void change_user(const std::string &id, Purpose &purpose, size_t kind) {
        const std::string path = "/Users/" + id;
        if (kind < 40) return send(Method::del, path);
        if (kind < 55) return send(Method::patch, path, patch("userName", name()));
        if (kind < 65) return send(Method::put, path, user(name(), external_id()));
        if (kind < 70) return patch_active(id, "false");
        if (kind < 75) return patch_active(id, "true");
        purpose.user = id;
        const bool done = kind < 85   ? tenant_->block(id)
                          : kind < 95 ? tenant_->unblock(id)
                                      : tenant_->revoke(id);
        (kind < 85 ? purpose.blocks : kind < 95 ? purpose.unblocks : purpose.revokes) = done;
        what_ = (kind < 85 ? "block " : kind < 95 ? "unblock " : "revoke ") + id;
    }
    void unblock_value() {
        const std::string value = below(2) == 0 ? name() : external_id();
        what_ = "unblock " + value;
        const auto named = [&](const auto &one) { return one.second.user_name == value; };
        const auto found = std::find_if(before_.begin(), before_.end(), named);
        const bool done = !value.empty() && tenant_->unblock(value);
        Purpose purpose;
        if (found != before_.end())
            purpose = {found->first, false, true, false};
        else if (done)
            model_.unblock_value(before_, value);
        model_.change(before_, tenant_->users(), tenant_->time(), purpose);
    }
    // The test goes on with the tenant that the export was imported into.
    void move(bool keeps_ids) {
        what_ = keeps_ids ? "import --keep-ids" : "import";
        const std::string lines = tenant_->exported();
        auto next = std::make_unique<Tenant>(*store_, "t" + std::to_string(++tenants_));
        next->client.now = tenant_->client.now;
        next->import(lines, {OnConflict::fail, keeps_ids, false});
        if (keeps_ids && next->exported() != lines) model_.wrong = "the export is another one";
        tenant_ = std::move(next);
        const Users after = tenant_->users();
        std::map<std::string, std::string> ids;
        for (const auto &[id, seen] : before_)
            for (const auto &[new_id, now] : after)
                if (now.user_name == seen.user_name) ids[id] = new_id;
        model_.move(before_, after, ids, keeps_ids);
        old_ = lines;
    }
    // The end of a run, because the model does not follow an import into a tenant with users.
    void merge() {
        if (old_.empty() || below(4) != 0) return;
        what_ = "import --keep-ids --on-conflict update of an older export";
        const int64_t time = tenant_->time();
        tenant_->import(old_, {OnConflict::update, true, false});
        model_.merge(before_, tenant_->users(), time);
        if (!model_.wrong.empty()) return;
        check_store();
        model_ = {};
        old_.clear();
        tenant_ = std::make_unique<Tenant>(*store_, "t" + std::to_string(++tenants_));
    }
    void check_store() {
        store::Reader reader(store_->env());
        store::ReadTxn txn(reader);
        const auto report = store::verify(txn);
        if (report.problem_count > 0)
            model_.wrong += report.problems.front().key + ": " + report.problems.front().text;
    }

    std::mt19937 random_;
    fixture::TempDir dir_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Tenant> tenant_;
    int tenants_ = 0;
    Model model_;
    Users before_;
    std::string what_, old_;
};

}  // namespace

int main() {
    const unsigned long seed = number_of("SCIM_SEED", std::random_device()());
    const size_t cases = number_of("SCIM_CASES", 1000);
    diag("SCIM_SEED=" + std::to_string(seed));
    Run run(seed);
    std::string wrong;
    size_t number = 0;
    while (number < cases && wrong.empty()) wrong = run.step(++number);
    is(wrong, "", std::to_string(cases) + " changes leave the blocks and not-befores of the model");
    if (!wrong.empty()) diag("after " + std::to_string(number) + " changes");
    return tap::done();
}
