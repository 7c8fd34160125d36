// Tests the Writer: requests of a batch see the writes of earlier ones, an answer is final only
// after the commit, a full map refuses only what does not fit, and conditions and uniqueness are
// decided inside the transaction.

#include "service/batch.h"

#include <algorithm>

#include "client.h"
#include "service/token.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

std::string user(std::string_view name, std::string_view more = "") {
    return R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":")" +
           std::string(name) + "\"" + std::string(more) + "}";
}

std::string path_of(const Response &response) {
    return "/Users/" + response.log_fields.resource_id;
}

// Does the maintenance of a moment without requests to its end. Returns the number of steps.
int do_maintenance(Writer &writer, int64_t now) {
    int steps = 1;
    while (writer.do_maintenance(now) && steps < 100) steps++;
    return steps;
}

void test_order(Client &client) {
    Job *a = client.job(Method::post, "/Users", user("order"));
    Job *b = client.job(Method::post, "/Users", user("ORDER"));
    Job *c = client.job(Method::post, "/Users", user("other"));
    ok(client.run({a, b, c}) == BatchOutcome::ok, "a batch of three creates is committed");
    is(a->response.status, 201, "the first create of a userName in a batch is answered with 201");
    is(b->response.status, 409,
       "a create with the same userName in the same batch is refused with 409");
    ok(b->response.body.find(a->response.log_fields.resource_id) != std::string::npos,
       "the 409 of a taken userName contains the id of its owner");
    is(c->response.status, 201,
       "a create behind a refused one in the same batch is answered with 201");
    ok(a->response.etag != c->response.etag,
       "two resources created in one batch have different versions");

    Job *d = client.job(Method::del, path_of(a->response));
    Job *e = client.job(Method::post, "/Users", user("order"));
    client.run({d, e});
    is(d->response.status, 204, "DELETE in a batch is answered with 204");
    is(e->response.status, 201,
       "the userName of a deleted user is free for a later request of the same batch");
}

void test_ids_ascend(Client &client) {
    std::vector<Job *> jobs;
    for (int i = 0; i < 50; i++) {
        jobs.push_back(client.job(Method::post, "/Users", user("ascend" + std::to_string(i))));
        jobs.back()->request.now = jobs.front()->request.now;
    }
    client.run(jobs);
    bool ascend = true;
    std::string last;
    for (const Job *job : jobs) {
        const std::string &id = job->response.log_fields.resource_id;
        ascend &= job->response.status == 201 && id > last;
        last = id;
    }
    ok(ascend, "users created one after another in one millisecond have ascending ids");
}

void test_conditions(Client &client) {
    Response created = client.send(Method::post, "/Users", user("cond"));
    Job *stale = client.job(Method::put, path_of(created), user("cond", R"(,"title":"x")"));
    stale->request.if_match = "W/\"0\"";
    client.run({stale});
    is(stale->response.status, 412, "PUT with a stale If-Match is refused with 412");
    Job *fresh = client.job(Method::put, path_of(created), user("cond", R"(,"title":"x")"));
    fresh->request.if_match = created.etag;
    client.run({fresh});
    is(fresh->response.status, 200,
       "PUT with the current version in If-Match is answered with 200");
    Response same = client.send(Method::put, path_of(created), user("cond", R"(,"title":"x")"));
    is(same.etag, fresh->response.etag, "a PUT that changes nothing keeps the version");
    is(client.send(Method::put, "/Users/01234567-0123-7123-8123-012345678901", user("x")).status,
       404, "PUT of an unknown id is refused with 404");
    is(client.send(Method::put, "/Users/nobody", user("x")).status, 404,
       "PUT of an id that is not a UUID is refused with 404");
}

void test_put_keeps(Client &client) {
    Response created =
        client.send(Method::post, "/Users", user("leaver", R"(,"active":false,"title":"t")"));
    Response put = client.send(Method::put, path_of(created), user("leaver"));
    ok(put.body.find("\"active\":false") != std::string::npos,
       "PUT without active keeps active false");
    ok(put.body.find("title") == std::string::npos, "PUT without title removes title");
    Response taken = client.send(Method::post, "/Users", user("leaver"));
    ok(taken.log_fields.detail.find("inactive User") != std::string::npos,
       "the 409 of a userName whose owner is inactive says so");
    Response renamed = client.send(Method::put, path_of(created), user("order"));
    is(renamed.status, 409, "PUT with a taken userName is refused with 409");
    ok(renamed.log_fields.scim_type == ScimType::uniqueness,
       "PUT with a taken userName has scimType uniqueness");
}

void test_time_never_goes_back(Client &client) {
    Response a = client.send(Method::post, "/Users", user("clock1"));
    client.now -= 500000;
    Response b = client.send(Method::post, "/Users", user("clock2"));
    auto created = [](const Response &r) {
        return r.body.substr(r.body.find("\"created\":\"") + 11, 24);
    };
    ok(created(b) >= created(a), "meta.created does not decrease when the clock goes back");
    client.now += 500000;
}

void test_scopes(Client &client) {
    client.actor().scopes = store::scope_read;
    is(client.send(Method::post, "/Users", user("scope")).status, 403,
       "POST of an actor with scope_read only is refused with 403");
    client.actor().scopes = 0;
    const Response unread = client.get("/Users");
    is(unread.status, 403, "GET of an actor without scopes is refused with 403");
    is(unread.log_fields.error_id, row_of(Refusal::scope_read_missing).id,
       "its refusal is scope-read-missing");
    client.actor().scopes = store::scope_read | store::scope_write;
}

void test_revoked_while_waiting(Client &client, Store &store) {
    store::Token token;
    token.tenant = client.actor().tenant;
    token.scopes = 3;
    store::Digest digest = digest_of("t");
    {
        store::WriteTxn txn(store.env());
        store::add_token(txn, token, digest);
        (void)txn.commit();
    }
    client.actor().token = token.number;
    client.actor().digest = digest;
    is(client.send(Method::post, "/Users", user("revoked1")).status, 201,
       "POST with a live token is answered with 201");
    {
        store::WriteTxn txn(store.env());
        token.revoked = 1;
        store::put_token(txn, token, digest);
        (void)txn.commit();
    }
    is(client.send(Method::post, "/Users", user("revoked2")).status, 401,
       "POST with a token revoked after authentication is refused with 401");
    client.actor().token = 0;
}

// The last test: nothing can be written afterwards.
void test_removed_while_waiting(Client &client, Store &store) {
    Job *job = client.job(Method::post, "/Users", user("removed"));
    {
        store::WriteTxn txn(store.env());
        store::mark_tenant_removed(txn, *store::find_tenant(txn, client.actor().tenant));
        if (txn.commit() != store::Errc::ok) diag("the commit failed");
    }
    client.run({job});
    is(job->response.status, 401,
       "POST for a tenant that was removed after authentication is refused with 401");
    is(job->response.log_fields.error_id, row_of(Refusal::token_unknown).id,
       "its refusal is that of a later request, token-unknown");
}

void test_refusals_are_kept(Client &client, Store &store) {
    client.send(Method::post, "/Users", user("kept"));
    client.send(Method::post, "/Users", user("kept"));
    client.send(Method::post, "/Users", "{");
    client.send(Method::post, "/Users", user("kept2"));
    store::Reader reader(store.env());
    store::ReadTxn txn(reader);
    auto refusals = store::list_refusals(txn, client.actor().tenant, 2);
    is(refusals.size(), 2u, "the next commit writes the refusals before it");
    is(refusals[0].status, 400, "refusals are listed newest first");
    is(refusals[1].scim_type, "uniqueness", "a stored refusal has its scimType");
}

void test_uses_are_kept(Client &client, Store &store) {
    store::Token token;
    token.tenant = client.actor().tenant;
    {
        store::WriteTxn txn(store.env());
        store::add_token(txn, token, digest_of("used"));
        (void)txn.commit();
    }
    auto used = [&] {
        store::Reader reader(store.env());
        store::ReadTxn txn(reader);
        return store::last_use(txn, token.tenant, token.number);
    };
    Writer &writer = client.writer();
    writer.add_uses({{token.tenant, token.number, 500}});
    client.get("/Users");
    is(used(), 0, "a use of a token is not written without a commit");
    client.send(Method::post, "/Users", user("use"));
    is(used(), 500, "the next commit writes a pending use of a token");
    do_maintenance(writer, client.now);
    ok(writer.maintenance(client.now) == Writer::Maintenance::none,
       "no maintenance is due after a commit has written the use");
    writer.add_uses({{token.tenant, token.number, 600}, {token.tenant, token.number, 550}});
    ok(writer.maintenance(client.now) == Writer::Maintenance::notes,
       "a pending use of a token is due as maintenance");
    is(do_maintenance(writer, client.now), 1, "maintenance writes pending uses in one step");
    is(used(), 600, "of two pending uses of a token the later one is written");
    ok(writer.maintenance(client.now) == Writer::Maintenance::none,
       "no maintenance is due after it has written the uses");
}

void test_catalog_change(Client &client, Store &store) {
    Definition extension =
        *load_definition(R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id":"urn:acme:2.0:User","name":"Acme","attributes":[{"name":"badge","type":"string","multiValued":false}]})");
    auto rows = [&] {
        Session session(store);
        Snapshot snapshot(session);
        return snapshot.catalog()->rows();
    }();
    auto wanted = declare(rows, *make_declaration(2, {extension}));
    {
        store::WriteTxn txn(store.env());
        store::write_catalog(txn, **wanted);
        (void)txn.commit();
    }
    Response created =
        client.send(Method::post, "/Users", user("badge", R"(,"urn:acme:2.0:User":{"badge":"7"})"));
    ok(created.body.find("\"badge\":\"7\"") != std::string::npos,
       "a writer uses an extension declared after it was opened");
}

void test_old_changes(Client &client, Store &store) {
    auto changes = [&] {
        store::Reader reader(store.env());
        store::ReadTxn txn(reader);
        return txn.entries(store::Db::changes);
    };
    client.send(Method::post, "/Users", user("old"));
    uint64_t before = changes();
    ok(before > 5, "the tests before have written more than 5 changes");
    do_maintenance(client.writer(), client.now);
    is(changes(), before, "maintenance keeps changes younger than the retention age");
    ok(client.writer().maintenance(client.now) == Writer::Maintenance::none,
       "no maintenance is due while no change is older than the retention age");
    client.now += store.retention().age + 1;
    ok(client.writer().maintenance(client.now) == Writer::Maintenance::rows,
       "deleting rows is due once changes are older than the retention age");
    do_maintenance(client.writer(), client.now);
    is(changes(), 0u, "maintenance deletes changes older than the retention age");
    Response after = client.send(Method::post, "/Users", user("young"));
    is(after.etag, "W/\"" + std::to_string(before + 1) + "\"",
       "a change after the deletion of all changes has the next position");
}

void test_damaged_record() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    Client client(*store);
    Response bad = client.send(Method::post, "/Users", user("bad"));
    Response worse = client.send(Method::post, "/Users", user("worse"));
    fixture::damage(*store, client, bad.log_fields.resource_id);
    fixture::damage(*store, client, worse.log_fields.resource_id);
    Job *first = client.job(Method::post, "/Users", user("first"));
    Job *a = client.job(Method::put, path_of(bad), user("bad", R"(,"title":"x")"));
    Job *second = client.job(Method::post, "/Users", user("second"));
    Job *same = client.job(Method::post, "/Users", user("second"));
    Job *b = client.job(Method::put, path_of(worse), user("worse"));
    ok(client.run({first, a, second, same, b}) == BatchOutcome::ok,
       "a batch that touches two damaged records is committed");
    for (Job *job : {a, b}) {
        is(job->response.status, 503, "a request that needs a damaged record is refused with 503");
        ok(job->response.retry_after > 0, "the 503 for a damaged record has Retry-After");
    }
    is(first->response.status, 201,
       "a create before the damaged record in the batch is answered with 201");
    is(second->response.status, 201,
       "a create after the damaged record in the batch is answered with 201");
    is(same->response.status, 409,
       "a create with a userName taken earlier in the retried batch is refused with 409");
    is(client.get(path_of(second->response)).status, 200,
       "a user created in a batch with damaged records can be read");
    is(client.writer().problem(),
       "is damaged where PUT of User " + worse.log_fields.resource_id +
           " looks; scimctl verify says more, and other requests are served",
       "the problem for the log names a damaged record");
}

void test_full_map() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(1) << 20);
    Client client(*store, fixture::add_tenant(store->env(), "full"));
    std::string long_title = R"(,"title":")" + std::string(3000, 'x') + "\"";
    std::vector<Response> created;
    int refused = 0;
    for (int i = 0; i < 40 && refused < 64; i++) {
        std::vector<Job *> jobs;
        jobs.reserve(16);
        for (int j = 0; j < 16; j++)
            jobs.push_back(
                client.job(Method::post, "/Users",
                           user("f" + std::to_string(i) + "-" + std::to_string(j), long_title)));
        client.run(jobs);
        for (Job *job : jobs) {
            if (job->response.status == 201) created.push_back(job->response);
            refused += job->response.status == 503;
            if (job->response.status == 503)
                ok(job->response.retry_after > 0, "the 503 of a full map has Retry-After");
        }
    }
    ok(refused > 0 && !created.empty(),
       "a full map refuses creates after " + std::to_string(created.size()) + " users");
    int there = 0;
    for (const Response &response : created) there += client.get(path_of(response)).status == 200;
    is(size_t(there), created.size(),
       "every user whose create was answered with 201 can be read from a full map");
    Response off =
        client.send(Method::put, path_of(created[0]), user("f0-0", R"(,"active":false)"));
    is(off.status, 200, "PUT with active false is answered with 200 on a full map");
    for (const Response &response : created)
        is(client.send(Method::del, path_of(response)).status, 204,
           "DELETE is answered with 204 on a full map");
    is(client.send(Method::post, "/Users", user("again", long_title)).status, 201,
       "a create is answered with 201 after deletions from a full map");
}

std::string emails(size_t n, const std::string &domain) {
    std::string out = R"(,"emails":[)";
    for (size_t i = 0; i < n; i++)
        out += (i != 0 ? R"(,{"value":")" : R"({"value":")") + std::to_string(i) + domain + "\"}";
    return out + "]";
}

std::string patch(const std::string &operations) {
    return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)" +
           operations + "]}";
}

void test_ignored_is_kept(Client &client, Store &store) {
    const std::string group = client.create("/Groups", R"({"displayName":"ignoring"})");
    const std::string ops =
        patch(R"({"op":"add","value":{"displayName":"x","noSchemaDeclaresThis":"y"}})");
    is(client.send(Method::patch, "/Groups/" + group, ops).status, 204,
       "PATCH of a group with an unknown attribute is answered with 204");
    client.send(Method::post, "/Users", user("after-ignored"));
    store::Reader reader(store.env());
    store::ReadTxn txn(reader);
    auto kept = store::list_refusals(txn, client.actor().tenant, 1);
    is(kept.at(0).resource_id, group, "the next commit writes that an attribute was ignored");
    is(kept.at(0).status, 204, "the note of an ignored attribute has the status of the response");
}

// Removes from the beginning of `jobs` those that have an answer. Returns their number.
size_t take_answered(std::vector<Job *> &jobs) {
    auto postponed = [](const Job *job) { return job->postponed; };
    auto end = std::find_if(jobs.begin(), jobs.end(), postponed);
    ok(std::all_of(end, jobs.end(), postponed),
       "the postponed requests are at the end of the batch");
    const auto answered = size_t(end - jobs.begin());
    jobs.erase(jobs.begin(), end);
    return answered;
}

void test_work_of_a_batch(Client &client) {
    Response many = client.send(Method::post, "/Users", user("many", emails(2000, "@x")));
    // 125 operations look at 2,000 elements each: more than 500,000 comparisons a request.
    std::string operations;
    for (int i = 0; i < 125; i++)
        operations += (i != 0 ? std::string(",") : std::string()) +
                      R"({"op":"remove","path":"emails[value eq \"nobody\"]"})";
    std::vector<Job *> left, all;
    for (int i = 0; i < 7; i++)
        all.push_back(client.job(Method::patch, path_of(many), patch(operations)));
    left = all;
    size_t batches = 0;
    while (!left.empty() && batches < 10) {
        std::vector<Job *> batch = left;
        client.run(batch);
        size_t answered = take_answered(left), work = 0;
        ok(answered > 0, "a batch answers at least one request");
        for (size_t i = 0; i < answered; i++) work += batch[i]->work;
        ok(work <= batch_work_most,
           "the work of a batch of several requests is at most batch_work_most");
        batches++;
    }
    ok(batches > 1 && batches < 7, "seven PATCH of 500,000 comparisons each take 2 to 6 batches");
    bool good = true;
    for (Job *job : all) good = good && job->response.status == 200 && job->work > 500000;
    ok(good, "each of the seven PATCH is answered with 200 and counts more than 500,000");
}

void test_work_of_one_request(Client &client) {
    Response one = client.send(Method::post, "/Users", user("huge", emails(10000, "@x")));
    is(one.status, 201, "a user with 10,000 e-mail addresses is created");
    const std::string others = user("huge", emails(10000, "@y"));
    Job *before = client.job(Method::post, "/Users", user("before-huge"));
    Job *huge = client.job(Method::put, path_of(one), others);
    Job *after = client.job(Method::post, "/Users", user("after-huge"));
    std::vector<Job *> left = {before, huge, after};
    client.run(left);
    is(take_answered(left), 1u,
       "a request of more work than batch_work_most is postponed when it is not the first of its "
       "batch");
    is(client.get(path_of(one)).etag, one.etag, "a postponed request writes nothing");
    client.run(std::vector<Job *>(left));
    is(take_answered(left), 1u,
       "a request of more work than batch_work_most is done alone in its batch");
    is(huge->response.status, 200,
       "a request of more work than batch_work_most is answered with 200");
    ok(huge->work > batch_work_most,
       "the counted work of the request alone is above batch_work_most");
    client.run(left);
    is(after->response.status, 201, "the request behind a large one is done in the next batch");
}

// Returns 31 e-mail addresses whose index values, with the userName, take index_work_most, and
// `more` bytes of text. The key of a text that is not ASCII takes 10 and 3 for each byte, quotes
// included; the key of the userName takes 1.
std::string most_index_work(size_t more) {
    constexpr size_t addresses = 31, bytes = (index_work_most - 1 - addresses * 10) / 3;
    static_assert(1 + addresses * 10 + bytes * 3 == index_work_most);
    std::string out = R"(,"emails":[)";
    for (size_t i = 0; i < addresses; i++) {
        size_t size = bytes / addresses + (i == 0 ? bytes % addresses + more : 0) - 2;
        std::string text = std::to_string(100 + i) + (size % 2 != 0 ? "" : "-");
        while (text.size() < size) text += "\xce\xb1";
        out += (i != 0 ? R"(,{"value":")" : R"({"value":")") + text + "\"}";
    }
    return out + "]";
}

void test_index_work(Client &client) {
    const std::string refusal =
        "the indexed values of the resource have too much text: their index work would be ";
    Response most = client.send(Method::post, "/Users", user("greek", most_index_work(0)));
    is(most.status, 201,
       "POST of a resource whose index work is index_work_most is answered with 201");
    Response more = client.send(Method::post, "/Users", user("greek2", most_index_work(1)));
    is(more.status, 413,
       "POST of a resource with one byte more than index_work_most is refused with 413");
    ok(more.log_fields.detail.find(refusal) == 0,
       "the 413 of POST says that the indexed values have too much text");
    more = client.send(Method::put, path_of(most), user("greek", most_index_work(1)));
    is(more.status, 413, "PUT of a resource above index_work_most is refused with 413");
    more = client.send(
        Method::patch, path_of(most),
        patch("{\"op\":\"add\",\"path\":\"emails\",\"value\":[{\"value\":\"\xce\xb1\"}]}"));
    is(more.status, 413, "PATCH to a resource above index_work_most is refused with 413");
    ok(more.log_fields.detail.find(refusal) == 0,
       "the 413 of PATCH says that the indexed values have too much text");
    Response off = client.send(Method::patch, path_of(most),
                               patch(R"({"op":"replace","path":"active","value":false})"));
    is(off.status, 200, "a user at index_work_most can be deactivated");
    is(client.send(Method::del, path_of(most)).status, 204,
       "a user at index_work_most can be deleted");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    Client client(*store, fixture::add_tenant(store->env(), "one"));
    test_order(client);
    test_ids_ascend(client);
    test_conditions(client);
    test_put_keeps(client);
    test_time_never_goes_back(client);
    test_scopes(client);
    test_revoked_while_waiting(client, *store);
    test_refusals_are_kept(client, *store);
    test_ignored_is_kept(client, *store);
    test_uses_are_kept(client, *store);
    test_catalog_change(client, *store);
    test_old_changes(client, *store);
    test_work_of_a_batch(client);
    test_work_of_one_request(client);
    test_index_work(client);
    test_damaged_record();
    test_full_map();
    test_removed_while_waiting(client, *store);
    return tap::done();
}
