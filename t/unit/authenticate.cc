// Who a request is from: the header's forms, each way of failing told apart, and a cache that never
// outlives what it was made from.

#include "service/authenticate.h"

#include <algorithm>

#include "fixture.h"
#include "service/token.h"

using namespace scim;
using namespace scim::service;

namespace {

constexpr int64_t noon = 1795262400000;

class Door {
  public:
    explicit Door(Store &store) : env_(store.env()), reader_(env_) {}

    // "tenant/label", or the status and detail of the refusal.
    std::string ask(std::string_view header, int64_t now = noon, bool strict = false) {
        store::ReadTxn txn(reader_);
        Report report;
        Dialect dialect(strict, report);
        std::string answer = said(authenticator_.authenticate(txn, header, now, dialect));
        return report.summary().empty() ? answer : answer + " " + report.summary();
    }
    // "token@milliseconds after noon …": what is to be recorded.
    std::string uses() {
        std::string out;
        for (const store::TokenUse &use : authenticator_.take_uses())
            out += (out.empty() ? "" : " ") + std::to_string(use.token) + '@' +
                   std::to_string(use.time - noon);
        return out;
    }
    bool has_uses() const { return authenticator_.has_uses(); }
    std::string anonymous(std::string_view tenant) {
        store::ReadTxn txn(reader_);
        return said(authenticator_.anonymous(txn, tenant, store::scope_read));
    }
    template <class Change>
    void write(Change &&change) {
        store::WriteTxn txn(env_);
        change(txn);
        if (txn.commit() != store::Errc::ok) diag("the commit failed");
    }
    void add(const store::Tenant &tenant, std::string_view label, std::string_view text) {
        store::Token token;
        token.tenant = tenant.number;
        token.label = label;
        token.scopes = store::scope_read;
        write([&](auto &txn) { store::add_token(txn, token, digest_of(text)); });
    }

  private:
    static std::string said(const Result<ActorPtr> &actor) {
        if (!actor) return std::to_string(actor.error().status) + " " + actor.error().detail;
        return (*actor)->tenant_name + "/" + (*actor)->label;
    }

    store::Env &env_;
    store::Reader reader_;
    Authenticator authenticator_;
};

void says(const std::string &got, std::string_view want, std::string_view name) {
    if (!ok(got.find(want) != std::string::npos, name)) diag(got);
}

void test_header(Door &door) {
    is(door.ask("Bearer secret"), "acme/okta", "Bearer");
    is(door.ask("  bEARER   secret "), "acme/okta", "in any case, with blanks");
    is(door.ask("secret"), "acme/okta bare-token", "the bare token, as Okta sends it");
    says(door.ask("secret", noon, true), "401 the Authorization header has no scheme",
         "not under scim_profile rfc");
    is(door.ask("Bearer secret", noon, true), "acme/okta", "which takes the RFC's form");
    says(door.ask(""), "401 the request has no Authorization header", "no header");
    says(door.ask("   "), "401 the request has no Authorization header", "an empty one");
    says(door.ask("Bearer"), "401 the Authorization header says Bearer but carries no token",
         "no token");
    says(door.ask("Bearer  "), "carries no token", "no token but blanks");
    says(door.ask("Basic secret"), "401 the Authorization header uses the scheme \"Basic\"",
         "another scheme");
    says(door.ask("Bearer secreT"), "401 the token is unknown here", "an unknown token");
    std::string ours = format_token({1});
    says(door.ask("Bearer " + ours), "401 the token is unknown here", "one that we never issued");
    ours.back() = ours.back() == 'a' ? 'b' : 'a';
    says(door.ask("Bearer " + ours), "401 the token is not complete", "a mistyped one of ours");
}

void test_changes(Door &door, const store::Tenant &acme) {
    door.add(acme, "late", "late");
    is(door.ask("Bearer late"), "acme/late", "a token that came later");
    auto change = [&](auto &&how) {
        door.write([&](auto &txn) {
            auto token = store::find_token(txn, digest_of("late"));
            how(*token);
            store::put_token(txn, *token, digest_of("late"));
        });
    };
    change([](auto &token) { token.not_before = noon; });
    is(door.ask("Bearer late", noon), "acme/late", "from its first moment");
    says(door.ask("Bearer late", noon - 1), "401 the token \"late\" is not valid before 2026-",
         "not before");
    change([](auto &token) { token.expires = noon + 1; });
    is(door.ask("Bearer late", noon), "acme/late", "to its last");
    says(door.ask("Bearer late", noon + 1), "401 the token \"late\" expired at 2026-", "not after");
    change([](auto &token) { token.revoked = noon; });
    says(door.ask("Bearer late", noon), "401 the token \"late\" was revoked at 2026-",
         "a cached token that was revoked");
    is(door.ask("Bearer secret"), "acme/okta", "the others are as they were");
}

void test_tenants(Door &door, const store::Tenant &acme) {
    is(door.anonymous("acme"), "acme/", "the tenant of an open location");
    says(door.anonymous("nobody"), "403 there is no tenant \"nobody\" here", "a name of nobody");
    says(door.anonymous(""), "403 there is no tenant \"\" here", "no name");
    Actor actor;
    actor.tenant_name = "acme";
    ok(bool(check_tenant(actor, "acme")), "an address of its tenant");
    auto other = check_tenant(actor, "Acme");
    ok(!other && other.error().status == 403, "of another");
    says(other.error().detail, "it is for \"acme\"", "which is not named");

    door.write([&](auto &txn) { store::mark_tenant_removed(txn, acme); });
    says(door.ask("Bearer secret"), "401 the token is unknown here",
         "a cached token whose tenant is removed");
    says(door.anonymous("acme"), "403 there is no tenant \"acme\" here", "nor without a token");
}

void test_uses(Store &store, const store::Tenant &acme) {
    constexpr int64_t hour = 3600 * 1000;
    Door door(store);
    ok(!door.has_uses(), "nobody came");
    for (const char *stranger : {"", "Basic secret", "nobody", "late"}) door.ask(stranger);
    door.anonymous("acme");
    ok(!door.has_uses(), "strangers and who is turned away are not noted");
    door.ask("secret");
    door.ask("Bearer secret", noon + 1);
    ok(door.has_uses(), "a token that was let in is");
    is(door.uses(), "1@0", "once");
    ok(!door.has_uses(), "and handed over once");
    door.ask("secret", noon + hour - 1);
    is(door.uses(), "", "not again within an hour");
    door.ask("secret", noon + hour);
    is(door.uses(), "1@3600000", "but then");
    door.write([&](auto &txn) { store::put_use(txn, {acme.number, 1, noon + hour}); });
    Door other(store);
    other.ask("secret", noon + 2 * hour - 1);
    is(other.uses(), "", "what another has recorded counts");
    other.ask("secret", noon + 2 * hour);
    is(other.uses(), "1@7200000", "as long");
    other.ask("secret", noon);
    is(other.uses(), "", "a clock that went back notes nothing");
}

void test_many_uses(Store &store, size_t tokens) {
    Door door(store);
    for (size_t i = 0; i < tokens; i++) door.ask("Bearer crowd" + std::to_string(i));
    std::string uses = door.uses();
    is(size_t(std::count(uses.begin(), uses.end(), '@')), Authenticator::uses_pending_max,
       "no more are remembered than there is room for");
    door.ask("Bearer crowd" + std::to_string(tokens - 1), noon + 1);
    ok(door.has_uses(), "what was not is noted when it comes again");
}

// A token that shares a cache slot with another is found all the same.
void test_crowd(Door &door, const store::Tenant &acme) {
    constexpr int many = 3000;
    door.write([&](auto &txn) {
        for (int i = 0; i < many; i++) {
            store::Token token;
            token.tenant = acme.number;
            token.label = "t" + std::to_string(i);
            store::add_token(txn, token, digest_of("crowd" + std::to_string(i)));
        }
    });
    int right = 0;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < many; i++) {
            std::string number = std::to_string(i);
            right += door.ask("Bearer crowd" + number) == "acme/t" + number;
        }
    is(right, 2 * many, "more tokens than the cache has slots");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    auto acme = fixture::add_tenant(store->env(), "acme");
    Door door(*store);
    door.add(acme, "okta", "secret");
    test_header(door);
    test_changes(door, acme);
    test_crowd(door, acme);
    test_uses(*store, acme);
    test_many_uses(*store, 3000);
    test_tenants(door, acme);
    return tap::done();
}
