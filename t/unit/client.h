#pragma once
// A client of one tenant, which sends requests to a store and receives the responses.

#include <memory>
#include <string>
#include <vector>

#include "fixture.h"
#include "service/batch.h"
#include "service/read.h"

namespace fixture {

using namespace scim::service;

// The tenant that Client(store) has added, in a store that was opened again.
inline scim::store::Tenant tenant_of(Store &store) {
    scim::store::Reader reader(store.env());
    scim::store::ReadTxn txn(reader);
    return *scim::store::find_tenant(txn, "one");
}

class Client {
  public:
    Client(Store &store, const scim::store::Tenant &tenant)
        : writer_(store), session_(store), actor_(std::make_shared<Actor>()) {
        actor_->tenant = tenant.number;
        actor_->tenant_name = tenant.name;
        actor_->cursor_key = tenant.cursor_key;
        actor_->scopes = scim::store::scope_read | scim::store::scope_write;
    }
    explicit Client(Store &store) : Client(store, add_tenant(store.env(), "one")) {}

    // `text` is the query string of a GET and the body of every other method.
    // REQUIRES: `path` and `text` outlive the request.
    Request request(Method method, std::string_view path, std::string_view text = {}) {
        Request request;
        request.method = method;
        request.path = path;
        (method == Method::get ? request.args : request.body) = text;
        request.content_type = "application/scim+json";
        request.base_url = "https://x/scim";
        request.settings = &settings;
        request.now = now += 10;
        return request;
    }

    // Makes a write request for run(). The job lives until forget_jobs().
    Job *job(Method method, std::string path, std::string body = {}) {
        jobs_.push_back(std::make_unique<Owned>(Owned{std::move(path), std::move(body), {}}));
        Owned &owned = *jobs_.back();
        owned.job.request = request(method, owned.path, owned.body);
        owned.job.actor = actor_;
        return &owned.job;
    }
    void forget_jobs() { jobs_.clear(); }
    BatchOutcome run(const std::vector<Job *> &jobs) { return writer_.run(jobs); }
    Response &send(Method method, std::string path, std::string body = {}) {
        Job *one = job(method, std::move(path), std::move(body));
        run({one});
        return one->response;
    }
    // Returns the id of the new resource, or "" if the request was refused.
    std::string create(std::string path, std::string body) {
        return send(Method::post, std::move(path), std::move(body)).log_fields.resource_id;
    }
    // Completes the response of a job that the writer has run.
    void finish(Job &job) {
        Snapshot snapshot(session_);
        finish_answer(job, snapshot);
    }

    // Reads. Returns "answered", "deferred", or the detail of the error in `response`.
    std::string ask(const Request &request, Response &response, RunOn run_on = RunOn::thread) {
        Snapshot snapshot(session_);
        auto reading = read(snapshot, *actor_, request, response, run_on);
        if (!reading) {
            refuse(response, reading.error(), request);
            return reading.error().detail;
        }
        return *reading == ReadResult::deferred ? "deferred" : "answered";
    }
    Response get(std::string_view path, std::string_view args = {}) {
        Response response;
        ask(request(Method::get, path, args), response);
        return response;
    }

    Actor &actor() { return *actor_; }
    scim::store::TenantNumber tenant() const { return actor_->tenant; }
    Writer &writer() { return writer_; }
    Settings settings;
    int64_t now = 1000000;

  private:
    struct Owned {
        std::string path, body;
        Job job;
    };
    Writer writer_;
    Session session_;
    std::shared_ptr<Actor> actor_;
    std::vector<std::unique_ptr<Owned>> jobs_;
};

// Flips a bit in the last byte of a user's record, so that its checksum does not match.
inline void damage(Store &store, const Client &client, std::string_view id) {
    constexpr scim::TypeNumber user = 1;
    const auto key = scim::store::resource_key(client.tenant(), user, *scim::parse_id(id));
    scim::store::WriteTxn txn(store.env());
    scim::store::Bytes record;
    if (!txn.get(scim::store::Db::resources, key, record) || record.empty()) abort();
    std::string damaged(record);
    damaged.back() = char(damaged.back() ^ 1);
    txn.put(scim::store::Db::resources, key, damaged);
    if (txn.commit() != scim::store::Errc::ok) abort();
}

}  // namespace fixture
