// An almost full map takes changes until a hundredth of it is free, and then deactivation and
// deletion alone, however many there are: the change log makes room for them.

#include "client.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

std::string user(const std::string &name, const std::string &more = "") {
    return R"({"userName":")" + name + "\",\"displayName\":\"" + std::string(3000, 'x') + "\"" +
           more + "}";
}

const char *const deactivation =
    R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)"
    R"({"op":"replace","path":"active","value":false}]})";

std::string patch_title(int number) {
    return R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[)"
           R"({"op":"replace","path":"title","value":")" +
           std::to_string(100000 + number) + "\"}]}";
}

void tidy(Client &client) {
    for (int i = 0; i < 100 && client.writer().do_chores(client.now); i++) {
    }
}

uint64_t rows(Store &store, store::Db db) {
    store::Reader reader(store.env());
    store::ReadTxn txn(reader);
    return txn.entries(db);
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path, size_t(4) << 20);
    Client client(*store);
    std::vector<std::string> users;
    Response last;
    do {
        last = client.send(Method::post, "/Users",
                           user("u" + std::to_string(users.size()), R"(,"title":"100000")"));
        if (last.status == 201) users.push_back("/Users/" + last.facts.resource_id);
    } while (last.status == 201);
    is(last.status, 503, "creates are refused first, after " + std::to_string(users.size()));

    int changes = 0;
    do last = client.send(Method::patch, users[0], patch_title(++changes));
    while (last.status == 200 && changes < 20000);
    is(last.status, 503, "changes are refused next, after " + std::to_string(changes));
    ok(last.body.find("size= of scim_store") != std::string::npos, "with the directive to raise");

    const uint64_t logged = rows(*store, store::Db::changes);
    int done = 0;
    for (const std::string &path : users) {
        done += client.send(Method::patch, path, deactivation).status == 200;
        if (done % 10 == 0) tidy(client);
    }
    is(done, int(users.size()), "everybody can be deactivated");
    ok(rows(*store, store::Db::changes) < logged, "the change log is shorter");
    done = 0;
    for (const std::string &path : users) {
        done += client.send(Method::del, path).status == 204;
        if (done % 10 == 0) tidy(client);
    }
    is(done, int(users.size()), "and deleted");
    is(client.send(Method::post, "/Users", user("next")).status, 201, "then there is room again");
    return tap::done();
}
