// Tests that /Me is the user that a token is bound to, and that a user who was deleted after the
// request was authenticated is refused.

#include "service/me.h"

#include "client.h"
#include "tap.h"

using namespace scim;
using namespace scim::service;

namespace {

struct Me {
    Outcome resolve() {
        Snapshot snapshot(session);
        target = *parse_target(*snapshot.catalog(), "/Me");
        return resolve_me(target, client.actor(), *snapshot.catalog(), snapshot.txn);
    }

    fixture::TempDir dir;
    std::unique_ptr<Store> store = fixture::open_store(dir.path);
    fixture::Client client{*store};
    Session session{*store};
    Target target;
};

void test_resolve() {
    Me me;
    ok(bool(me.resolve()) && me.target.endpoint == Endpoint::me && !me.target.is_me,
       "/Me of a token without a subject is no resource");
    const std::string ada = me.client.create("/Users", R"({"userName":"ada","active":true})");
    me.client.actor().subject = ada;
    ok(bool(me.resolve()) && me.target.endpoint == Endpoint::resource && me.target.is_me &&
           me.target.name == ada && me.target.type->type.name == "User" &&
           to_string(*me.target.id) == ada,
       "/Me of a token with a subject is the resource of this user");
    me.client.actor().subject.clear();
    me.client.send(Method::del, "/Users/" + ada);
    me.client.actor().subject = ada;
    const Outcome outcome = me.resolve();
    ok(!outcome && outcome.error().status() == 401, "/Me of a deleted user is refused with 401");
    ok(!outcome && outcome.error().detail.find(ada + "\", which does not exist any more") !=
                       std::string::npos,
       "its message says that the user does not exist any more");
}

}  // namespace

int main() {
    test_resolve();
    return tap::done();
}
