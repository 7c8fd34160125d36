// Bulk requests in the Writer: each operation is done or refused as a whole, a long request leaves
// turns to others, operations that form a circle are done together or not at all, and with
// bulk_atomic all of them are.

#include "bulk_fixture.h"
#include "scim/text/work.h"
#include "service/token.h"
#include "store/log.h"

using namespace scim;
using namespace scim::service;
using namespace fixture;

namespace {

size_t users(Client &client, const std::string &filter = "") {
    const Response list = client.get("/Users", "count=0" + filter);
    return size_t(json_integer_value(json_object_get(tree_of(list).get(), "totalResults")));
}

std::vector<std::string> post_users(const std::string &prefix, int count) {
    std::vector<std::string> operations;
    operations.reserve(size_t(count));
    for (int i = 0; i < count; i++)
        operations.push_back(post_user(prefix + std::to_string(i), std::to_string(i)));
    return operations;
}

void test_examples(Client &client) {
    const Response &created = send_bulk(
        client,
        {post_user("alice", "qwerty"), post_group("Tour Guides", "ytrewq", {"bulkId:qwerty"})});
    is(statuses(created), "201 201", "a user and a group that refers to it are created");
    const Json tree = tree_of(created);
    is(at(tree.get(), "schemas.0"), "urn:ietf:params:scim:api:messages:2.0:BulkResponse",
       "the response is a BulkResponse");
    is(at(tree.get(), "Operations.0.method") + at(tree.get(), "Operations.0.bulkId"), "POSTqwerty",
       "a result has the method and the bulkId of its operation");
    const std::string alice = id_at(created, 0), guides = id_at(created, 1);
    is(at(tree.get(), "Operations.0.location"), "https://x/scim/Users/" + alice,
       "the result of a POST has the URL of the new resource");
    const Response group = client.get("/Groups/" + guides);
    is(at(tree_of(group).get(), "members.0.value"), alice,
       "[S-140] the reference became the id of the new user");
    is(at(tree.get(), "Operations.1.version"), group.etag, "a result has the ETag of the resource");
    is(created.log_fields.operation, "bulk", "the operation of the log is bulk");
    is(created.log_fields.detail, "2 operations", "the detail of the log counts the operations");
    ok(!created.log_fields.has_error, "the detail of a request without errors is not an error");

    const Response &changed = send_bulk(
        client,
        {operation("PUT", "/Users/" + alice, R"({"userName":"alice","title":"x"})", "",
                   R"(,"version":"W/\"1\"")"),
         operation("PUT", "/Users/" + alice, R"({"userName":"alice","title":"y"})", "keep"),
         operation("PATCH", "/Users/" + alice,
                   R"({"Operations":[{"op":"replace","path":"title","value":"z"}]})"),
         operation("DELETE", "/Groups/" + guides), operation("DELETE", "/Groups/" + guides)});
    is(statuses(changed), "412 200 200 204 404",
       "[S-139] PUT, PATCH and DELETE are answered each with its own status");
    is(detail(changed, 0).substr(0, 9), "\"version\"",
       "[S-154] the 412 of an operation names its version");
    is(id_at(changed, 0), alice, "a PUT that failed has a location");
    is(at(tree_of(changed).get(), "Operations.1.bulkId"), "keep",
       "the bulkId of an operation other than POST is returned, too");
    is(at(tree_of(changed).get(), "Operations.3.version"), "", "a DELETE has no version");
    is(changed.log_fields.detail, "5 operations, 2 failed",
       "the detail counts the failed operations");
    is(changed.log_fields.refused.size(), 2u, "each error is a sentence for the error log");
}

void test_refused_operations(Client &client) {
    const Response &response = send_bulk(
        client,
        {operation("GET", "/Users"), operation("POST", "/Bulk", "{}", "a"),
         operation("POST", "/Me", "{}", "b"), operation("POST", "/Users/.search", "{}", "c"),
         operation("POST", "/Schemas", "{}", "d"), operation("POST", "/Nothings", "{}", "e"),
         operation("PUT", "/Users", "{}"), operation("POST", "/Users", "[]", "f"),
         operation("POST", "/Users", "", "g"), operation("DELETE", "/Users/x"),
         operation("POST", "/Users", R"({"userName":"h"})", "h", R"(,"version":"W/\"1\"")"),
         operation("PUT", "/Users/x", R"({"userName":"h"})", "", R"(,"version":"\"")"),
         operation("POST", "/Users", R"({"title":"t"})", "i"),
         operation("POST", "/Users", R"({"userName":"bulkId:nothing"})", "j")});
    is(statuses(response), "400 400 400 400 400 404 405 400 400 404 412 400 400 400",
       "[S-145] operations that a bulk request cannot have are refused each");
    is(detail(response, 1),
       "\"/Bulk\" is not possible in a bulk request, whose operations create, replace, patch or "
       "delete one resource each",
       "[S-145] a nested bulk request is refused");
    is(detail(response, 7), "\"data\" of the operation must be a resource, an object, not an array",
       "data that is not an object is refused");
    is(users(client, "&filter=userName+eq+%22h%22"), 0u, "refused operations create nothing");
}

void test_failed_references(Client &client) {
    const Response &response =
        send_bulk(client, {post_user("bob", "b1"), post_user("BOB", "b2"),
                           post_group("of b2", "g", {"bulkId:b2"}),
                           operation("PATCH", "/Groups/bulkId:g", R"({"Operations":[]})"),
                           post_group("of b1", "h", {"bulkId:b1"})});
    is(statuses(response), "201 409 409 409 201",
       "an operation that refers to a POST that failed fails, too");
    is(detail(response, 2),
       "the operation refers to the bulkId \"b2\", whose POST (Operations[1]) has failed",
       "its error names the POST");
}

void test_fail_on_errors(Client &client) {
    const std::vector<std::string> operations = {
        operation("DELETE", "/Users/x"), post_user("carol", "a"), operation("DELETE", "/Users/y"),
        post_user("dave", "b")};
    is(statuses(send_bulk(client, operations, R"("failOnErrors":2,)")), "404 201 404",
       "[S-139] failOnErrors 2 ends the work at the second error, and the rest has no result");
    is(users(client, "&filter=userName+eq+%22dave%22"), 0u, "the rest is not done");
    is(statuses(send_bulk(client, operations, R"("failOnErrors":1,)")), "404",
       "[S-139] failOnErrors 1 ends the work at the first error");
    is(statuses(send_bulk(client, operations, R"("failOnErrors":0,)")), "404 409 404 201",
       "[S-139] failOnErrors 0 means no limit");
}

void test_circles(Client &client) {
    const Response &good =
        send_bulk(client, {post_group("A", "a", {"bulkId:b"}), post_user("u", "u"),
                           post_group("B", "b", {"bulkId:a", "bulkId:u"})});
    is(statuses(good), "201 201 201", "[S-141] two groups that contain each other are created");
    is(at(tree_of(client.get("/Groups/" + id_at(good, 0))).get(), "members.0.value"),
       id_at(good, 2), "the first group contains the second");
    is(client.get("/Groups/" + id_at(good, 0)).etag,
       at(tree_of(good).get(), "Operations.0.version"),
       "the version of a group in a circle is its ETag");

    const Response &bad =
        send_bulk(client, {post_group("C", "c", {"bulkId:d"}), post_user("v", "v"),
                           post_group("A", "d", {"bulkId:c", "bulkId:v"}),
                           operation("DELETE", "/Groups/bulkId:c")});
    is(statuses(bad), "409 201 409 409",
       "[S-141] if one of a circle fails, the others are refused with 409");
    is(detail(bad, 0),
       "not done because Operations[2], with which the operation forms a circle of references, has "
       "failed",
       "their error names the operation that failed");
    const Response list = client.get("/Groups", "filter=displayName+eq+%22C%22");
    is(json_integer_value(json_object_get(tree_of(list).get(), "totalResults")), 0,
       "nothing is left of a circle that failed");
    const Response &wrong = send_bulk(client, {post_group("E", "e", {"bulkId:f"}),
                                               post_group("F", "f", {"bulkId:e", "bulkId:z"})});
    is(statuses(wrong), "409 400", "[S-142] an unknown bulkId in a circle refuses the circle");
    const Response &types = send_bulk(
        client, {post_group("E", "e", {"bulkId:w"}),
                 operation("POST", "/Users", R"({"userName":"w","title":"bulkId:e"})", "w")});
    is(statuses(types), "201 201", "a circle may contain resources of two types");
    is(at(tree_of(client.get("/Users/" + id_at(types, 1))).get(), "title"), id_at(types, 0),
       "a reference in any attribute becomes the id");
}

void test_ring(Client &client) {
    std::vector<std::string> operations;
    operations.reserve(1000);
    for (int i = 0; i < 1000; i++)
        operations.push_back(
            post_user("ring" + std::to_string(i), std::to_string(i),
                      R"(,"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",)"
                      R"("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],)"
                      R"("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":)"
                      R"({"manager":{"value":"bulkId:)" +
                          std::to_string((i + 1) % 1000) + "\"}}"));
    Job *job = client.job(Method::post, "/Bulk", bulk_text(operations));
    const int batches = run_bulk(client, *job);
    is(batches, 1, "a circle of 1,000 users is one transaction");
    ok(statuses(job->response).find('4') == std::string::npos,
       "[S-141] 1,000 users in a ring are created");
    const Json last = tree_of(client.get("/Users/" + id_at(job->response, 999)));
    is(at(json_object_get(last.get(), "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"),
          "manager.value"),
       id_at(job->response, 0), "the last user of the ring refers to the first");
}

void test_turns(Client &client, Client &other) {
    const std::vector<std::string> operations = post_users("turn", 3000);
    client.settings.bulk_max_operations = 5000;
    Job *job = client.job(Method::post, "/Bulk", bulk_text(operations));
    client.run({job});
    ok(job->continues && !job->postponed, "a request of 3,000 creates is not done in one batch");
    const size_t first = users(client, "&filter=userName+sw+%22turn%22");
    ok(first > 100 && first < 3000, "what is done of it is committed");
    Job *small = other.job(Method::post, "/Users", R"({"userName":"small"})");
    client.run({small, job});
    is(small->response.status, 201, "another tenant's request is answered between its batches");
    run_bulk(client, *job);
    ok(statuses(job->response).find('4') == std::string::npos,
       "at the end all operations are answered with 201");
    is(users(client, "&filter=userName+sw+%22turn%22"), 3000u, "all users are created");
    client.settings.bulk_max_operations = 1000;
}

// Half of a request is committed when its token is revoked.
void test_revoked(Client &client, Store &store) {
    const std::vector<std::string> operations = post_users("late", 3000);
    client.settings.bulk_max_operations = 5000;
    store::Token token;
    token.tenant = client.tenant();
    token.scopes = 3;
    const store::Digest digest = digest_of("t");
    {
        store::WriteTxn txn(store.env());
        store::add_token(txn, token, digest);
        (void)txn.commit();
    }
    client.actor().token = token.number;
    client.actor().digest = digest;
    Job *job = client.job(Method::post, "/Bulk", bulk_text(operations));
    client.run({job});
    {
        store::WriteTxn txn(store.env());
        token.revoked = 1;
        store::put_token(txn, token, digest);
        (void)txn.commit();
    }
    run_bulk(client, *job);
    is(job->response.status, 200, "a request that is refused in its middle is answered with 200");
    const std::string all = statuses(job->response);
    const size_t cut = all.find("401");
    ok(cut != std::string::npos && all.find("201", cut) == std::string::npos,
       "the operations that are left are answered with 401 each");
    const size_t done = users(client, "&filter=userName+sw+%22late%22");
    is(cut, 4 * done, "exactly those that were answered with 201 are done");
    client.settings.bulk_max_operations = 1000;
}

void test_atomic(Client &client) {
    client.settings.bulk_atomic = true;
    const size_t before = users(client);
    const Response &bad =
        send_bulk(client, {post_user("atom1", "a"), operation("DELETE", "/Users/x"),
                           post_group("of atom1", "g", {"bulkId:a"})});
    is(statuses(bad), "424 404 424",
       "if one operation of an atomic request fails, the others are answered with 424");
    is(detail(bad, 0),
       "not done because Operations[1] has failed, and the operations are done together or not at "
       "all",
       "the 424 names the operation that failed");
    is(users(client), before, "an atomic request that failed leaves nothing");
    is(statuses(send_bulk(client, {operation("GET", "/Users"), post_user("atom1", "a")})),
       "400 424", "an operation that is wrong in itself refuses the whole atomic request");
    is(statuses(send_bulk(client, {post_user("atom1", "a"), post_user("atom2", "b"),
                                   post_group("atoms", "g", {"bulkId:a", "bulkId:h"}),
                                   post_group("more", "h", {"bulkId:g"})})),
       "201 201 201 201", "an atomic request with a circle is done");
    is(statuses(send_bulk(client, {})), "", "an atomic request without operations is answered");

    // The request is not the first of its batch.
    Job *first = client.job(Method::post, "/Users", R"({"userName":"first"})");
    Job *job = client.job(Method::post, "/Bulk",
                          bulk_text({post_user("atom3", "a"), post_user("atom3", "b")}));
    Job *last = client.job(Method::post, "/Users", R"({"userName":"atom3"})");
    client.run({first, job, last});
    is(first->response.status, 201, "a request before an atomic one is answered");
    ok(job->postponed && last->postponed, "an atomic request waits for a transaction of its own");
    client.run({job, last});
    is(statuses(job->response), "424 409", "the atomic request is refused");
    ok(last->postponed, "requests behind it wait for the next batch");
    client.run({last});
    is(last->response.status, 201, "an atomic request that failed takes no userName");

    std::vector<std::string> operations;
    operations.reserve(5000);
    for (int i = 0; i < 5000; i++) {
        const std::string name = std::to_string(i);
        std::string emails;
        for (const char *host : {"a", "b", "c", "d", "e", "f", "g", "h"})
            emails += (emails.empty() ? "" : ",") + (R"({"value":")" + name + "@" + host + "\"}");
        operations.push_back(post_user("much" + name, name, R"(,"emails":[)" + emails + "]"));
    }
    client.settings.bulk_max_operations = 5000;
    const Response &much = send_bulk(client, operations);
    is(statuses(much).substr(0, 100), "413",
       "an atomic request of too much work is refused as a whole with 413");
    is(much.log_fields.error_id, row_of(Refusal::bulk_too_costly).id,
       "the refusal is bulk-too-costly");
    is(users(client, "&filter=userName+sw+%22much%22"), 0u, "it leaves nothing");
    client.settings.bulk_max_operations = 1000;
    client.settings.bulk_atomic = false;
}

void test_whole_refusals(Client &client) {
    Job *job = client.job(Method::post, "/Bulk", "{");
    client.run({job});
    is(job->response.status, 400, "a body that is not JSON is refused as a whole");
    job = client.job(Method::post, "/Bulk", bulk_text({}));
    job->request.if_match = "W/\"1\"";
    client.run({job});
    is(job->response.status, 412, "If-Match with an ETag is refused with 412");
    client.settings.bulk_max_payload = 100;
    is(statuses(send_bulk(client, {post_user("large", "a"), post_user("large2", "b")})), "413",
       "a body of more bytes than published is refused with 413");
    client.settings.bulk_max_payload = bulk_payload_most;
    client.actor().scopes = store::scope_read;
    is(statuses(send_bulk(client, {})), "403",
       "a token without the scope write is refused with 403");
    client.actor().scopes = store::scope_read | store::scope_write;
}

std::string patch_title(const std::string &id, const std::string &title) {
    return operation(
        "PATCH", "/Users/" + id,
        R"({"Operations":[{"op":"replace","path":"title","value":")" + title + "\"}]}");
}

void test_damage(Client &client, Store &store) {
    const Response &made = send_bulk(client, {post_user("sound", "a"), post_user("hurt", "b")});
    const std::string sound = id_at(made, 0), hurt = id_at(made, 1);
    damage(store, client, hurt);
    const Response &some =
        send_bulk(client, {patch_title(sound, "1"), patch_title(hurt, "1"), post_user("next", "c"),
                           operation("DELETE", "/Users/" + hurt)});
    is(statuses(some), "200 503 201 503",
       "a damaged record fails only the operations that read it");
    is(at(tree_of(client.get("/Users/" + sound)).get(), "title"), "1",
       "the other operations of the request are done");
    is(client.writer().problem(),
       "is damaged where the bulk operation \"DELETE /Users/" + hurt +
           "\" looks; scimctl verify says more, and other requests are served",
       "the problem for the log names the operation");
    client.settings.bulk_atomic = true;
    is(statuses(send_bulk(client, {patch_title(sound, "2"), patch_title(hurt, "2")})), "424 503",
       "a damaged record fails an atomic request");
    client.settings.bulk_atomic = false;
    is(at(tree_of(client.get("/Users/" + sound)).get(), "title"), "1", "it changes nothing");

    std::vector<std::string> operations(20, patch_title(hurt, "3"));
    operations.push_back(patch_title(sound, "3"));
    const std::string all = statuses(send_bulk(client, operations));
    is(all.substr(all.size() - 7), "503 200",
       "20 operations that read damaged records are refused");
    operations.insert(operations.begin(), patch_title(hurt, "4"));
    is(statuses(send_bulk(client, operations)), "503", "with one more, the request is refused");
    damage(store, client, hurt);  // flips the bit back
}

// Many creates have a value that a resource with many values has: to compare them is work of the
// request, so that it is spread over many transactions.
void test_unique_work() {
    const std::string urn = "urn:example:acme:2.0:User";
    auto schema = load_definition(R"({"id":")" + urn +
                                  R"(","attributes":[{"name":"codes","multiValued":true,)"
                                  R"("uniqueness":"server"}]})");
    TempDir dir;
    auto store = open_store(dir.path, size_t(64) << 20, {*schema});
    Client client(*store);
    const std::string begin = R"(,"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",")" +
                              urn + R"("],")" + urn + R"(":{"codes":[)";
    std::string codes;
    for (int i = 0; i < 5000; i++) codes += "\"code" + std::to_string(i) + "\",";
    client.create("/Users", R"({"userName":"owner")" + begin + codes + R"("taken"]}})");
    std::vector<std::string> operations;
    for (int i = 0; i < 100; i++) {
        const std::string name = "other" + std::to_string(i);
        operations.push_back(post_user(name, name, begin + R"("taken"]})"));
    }
    Job *job = client.job(Method::post, "/Bulk", bulk_text(operations));
    client.run({job});
    ok(job->work <= batch_work_most + 1000000 && job->continues,
       "comparing unique values ends the share of a bulk request: " + std::to_string(job->work));
    const int batches = run_bulk(client, *job);
    ok(batches > 5, "100 conflicts with a large resource take " + std::to_string(batches) +
                        " more transactions");
    ok(statuses(job->response).find("201") == std::string::npos, "each of them is refused");
}

void test_logs(Client &client, Store &store) {
    Job *job = client.job(Method::post, "/Bulk",
                          bulk_text({post_user("log1", "a"), post_user("log2", "b"),
                                     post_user("log1", "c"), operation("DELETE", "/Users/x")}));
    job->request.id[0] = 77;
    run_bulk(client, *job);
    client.send(Method::post, "/Users", R"({"userName":"commits the notes"})");
    Session session(store);
    Snapshot snapshot(session);
    store::Directory directory(snapshot.txn, client.tenant());
    size_t changes = 0;
    for (const auto &logged : store::last_changes(directory, 10, 0))
        changes += logged.change.request[0] == 77;
    is(changes, 2u, "each operation is a change with the id of the request");
    const auto refusals = store::list_refusals(snapshot.txn, client.tenant(), 2);
    is(refusals.size() == 2 ? refusals[0].operation + " " + refusals[0].resource_type + " " +
                                  refusals[0].detail.substr(0, 14)
                            : "",
       "delete User Operations[3]:", "a refused operation is in the log of the tenant");
}

}  // namespace

int main() {
    TempDir dir;
    auto store = open_store(dir.path);
    Client client(*store), other(*store, add_tenant(store->env(), "two")),
        third(*store, add_tenant(store->env(), "three"));
    test_examples(client);
    test_refused_operations(client);
    test_failed_references(client);
    test_fail_on_errors(client);
    test_circles(client);
    test_ring(client);
    test_turns(client, other);
    test_atomic(client);
    test_whole_refusals(client);
    test_damage(client, *store);
    test_unique_work();
    test_logs(client, *store);
    test_revoked(third, *store);
    return tap::done();
}
