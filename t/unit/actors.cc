// Tests that each token is an actor with a number of its own, and that damaged actor rows are not
// found.

#include "store/actors.h"
#include "client.h"
#include "store/tenants.h"

using namespace scim;
using namespace scim::store;

namespace {

Digest digest_of(uint8_t n) {
    Digest digest{};
    digest[0] = n;
    return digest;
}

uint32_t add(WriteTxn &txn, TenantNumber tenant, uint8_t n) {
    Token token;
    token.tenant = tenant;
    token.label = "t" + std::to_string(n);
    token.scopes = scope_read;
    ok(add_token(txn, token, digest_of(n)), "token " + std::to_string(n) + " is added");
    return token.actor;
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    WriteTxn txn(store->env());
    const TenantNumber one = add_tenant(txn, "one", 1, {}).number,
                       two = add_tenant(txn, "two", 1, {}).number;
    is(add(txn, one, 1), 1u, "the first token of a tenant is actor 1");
    is(add_actor(txn, one, {77}), 2u,
       "an actor without a token of the tenant gets the next number");
    is(add(txn, one, 2), 3u, "the second token gets the number after that actor");
    is(add(txn, two, 3), 1u, "another tenant numbers its actors from 1");
    auto actor = find_actor_row(txn, one, 3);
    ok(actor && actor->token == 2, "actor 3 is token 2");
    ok(!find_actor_row(txn, one, 4), "a number that was not assigned is not found");
    ok(!find_actor_row(txn, one, 0), "the number 0 is not found");
    txn.put(Db::actors, actor_key(one, 9), "{");
    ok(!find_actor_row(txn, one, 9), "an actor whose row is damaged is not found");
    auto token = find_token(txn, digest_of(2));
    ok(token && token->actor == 3, "the row of a token has the number of its actor");
    return tap::done();
}
