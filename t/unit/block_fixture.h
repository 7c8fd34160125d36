#pragma once
// A store in which users are blocked as by scimctl, and changed as by a client.

#include <string>
#include <utility>

#include "client.h"
#include "service/block_user.h"
#include "store/access.h"
#include "store/log.h"
#include "store/verify.h"

namespace fixture {

using namespace scim;
using namespace scim::service;

inline std::string user(std::string_view name, std::string_view external_id = "") {
    std::string body = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")";
    body.append(name);
    if (!external_id.empty()) body.append(R"(","externalId":")").append(external_id);
    return body + "\"}";
}

inline std::string patch(const std::string &path, const std::string &value) {
    return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":)"
           R"("replace","path":")" +
           path + R"(","value":")" + value + "\"}]}";
}

// One store with one tenant, as scimctl and a client use it.
class Directory {
  public:
    Directory() : store_(fixture::open_store(dir_.path)), client(*store_) {
        tenant_.number = client.tenant();
        tenant_.name = "one";
    }

    std::string create(const std::string &name, const std::string &external_id = "") {
        return client.create("/Users", user(name, external_id));
    }
    void remove(const std::string &id) { client.send(Method::del, "/Users/" + id); }

    // The functions of block_user.h in a transaction of their own, with the catalog.
    template <class Call>
    auto write(Call &&call) {
        store::WriteTxn txn(store_->env());
        CatalogCache cache;
        auto catalog = *cache.at(txn);
        auto result = call(txn, *catalog);
        if (txn.commit() != store::Errc::ok) diag("the commit failed");
        return result;
    }
    auto block(std::string_view name) {
        return write([&](auto &txn, auto &catalog) {
            return block_user(txn, catalog, tenant_, name, client.now);
        });
    }
    auto unblock(std::string_view name) {
        return write([&](auto &txn, auto &catalog) {
            return unblock_user(txn, catalog, tenant_, name, client.now);
        });
    }
    auto status(std::string_view name) {
        return write([&](auto &txn, auto &catalog) {
            return user_status({txn, catalog, tenant_}, name);
        });
    }
    auto pause(int64_t length) {
        return write(
            [&](auto &txn, auto &) { return pause_gate(txn, tenant_, length, client.now); });
    }
    auto resume() {
        return write([&](auto &txn, auto &) { return resume_gate(txn, tenant_, client.now); });
    }
    int64_t paused_until() {
        return write([&](auto &txn, auto &) { return gate_paused_until(txn, tenant_.number); });
    }
    store::AccessState state_of(const std::string &id) {
        return write([&](auto &txn, auto &) {
            return store::access_of(txn, tenant_.number, *parse_id(id));
        });
    }
    bool is_blocked(const std::string &id) { return state_of(id).blocked != 0; }
    // Sets the state of a user, as an import can.
    void set_state(const std::string &id, const store::AccessState &state) {
        write([&](auto &txn, auto &) {
            put_access(txn, store::access_key(tenant_.number, *parse_id(id)), state);
            return 0;
        });
    }
    void set(const std::string &id, const std::string &path, const std::string &value) {
        client.send(Method::patch, "/Users/" + id, patch(path, value));
    }
    // The rows of `access` that have a block: every deleted user leaves rows with a not_before.
    uint64_t blocks() {
        return count([](const store::AccessState &state) { return state.blocked != 0; });
    }
    uint64_t rows() {
        return count([](const store::AccessState &) { return true; });
    }
    template <class Counts>
    uint64_t count(Counts &&counts) {
        return write([&](auto &txn, auto &) {
            uint64_t number = 0;
            store::Cursor cursor(txn, store::Db::access);
            for (bool more = cursor.seek(store::Bytes()); more; more = cursor.next())
                if (store::AccessKind(cursor.key()[4]) != store::AccessKind::block)
                    number += counts(*store::decode_access(cursor.value()));
            return number;
        });
    }
    uint64_t position() {
        return write([&](auto &txn, auto &) {
            return store::Directory(txn, tenant_.number).position().position;
        });
    }
    store::Change last_change() {
        return write([&](auto &txn, auto &) {
            store::Directory directory(txn, tenant_.number);
            return store::last_changes(directory, 1, INT64_MIN).front().change;
        });
    }
    void is_sound(const std::string &name) {
        auto report = write([](auto &txn, auto &) { return store::verify(txn); });
        is(report.problem_count, 0u, name);
        for (const auto &problem : report.problems) diag(problem.key + ": " + problem.text);
    }
    store::Env &env() { return store_->env(); }
    const store::Tenant &tenant() const { return tenant_; }

  private:
    fixture::TempDir dir_;
    std::unique_ptr<Store> store_;
    store::Tenant tenant_;

  public:
    Client client;
};

template <class T>
std::string error_text(const Result<T> &result) {
    return result ? "success"
                  : std::to_string(result.error().status()) + " " + result.error().detail;
}

template <class T>
void must(const Result<T> &result) {
    if (!result) diag(error_text(result));
}

}  // namespace fixture
