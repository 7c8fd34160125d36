// Tests the Authenticator: the forms of the Authorization header, a distinct error for each
// failure, the recording of token uses, and that its cache follows changes in the store.

#include "service/authenticate.h"

#include <algorithm>

#include "fixture.h"
#include "service/token.h"

using namespace scim;
using namespace scim::service;

namespace {

constexpr int64_t noon = 1795262400000;

class Requester {
  public:
    explicit Requester(Store &store) : env_(store.env()), reader_(env_) {}

    // Returns "tenant/label", or the status and detail of the error; then the deviations.
    std::string ask(std::string_view header, int64_t now = noon, bool strict = false) {
        store::ReadTxn txn(reader_);
        DeviationReport report;
        Dialect dialect(strict, report);
        std::string answer = text_of(authenticator_.authenticate(txn, header, now, dialect));
        return report.summary().empty() ? answer : answer + " " + report.summary();
    }
    // Takes the uses to record, as "token@milliseconds after noon", separated by blanks.
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
        return text_of(authenticator_.anonymous(txn, tenant, store::scope_read));
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
    static std::string text_of(const Result<ActorPtr> &actor) {
        if (!actor) return std::to_string(actor.error().status()) + " " + actor.error().detail;
        return (*actor)->tenant_name + "/" + (*actor)->label;
    }

    store::Env &env_;
    store::Reader reader_;
    Authenticator authenticator_;
};

void says(const std::string &got, std::string_view want, std::string_view name) {
    if (!ok(got.find(want) != std::string::npos, name)) diag(got);
}

void test_header(Requester &requester) {
    is(requester.ask("Bearer secret"), "acme/okta",
       "a known token with the Bearer scheme authenticates");
    is(requester.ask("  bEARER   secret "), "acme/okta",
       "the scheme matches in any case, with blanks around it");
    is(requester.ask("secret"), "acme/okta bare-token",
       "a token without a scheme, as Okta sends it, is accepted and reported as bare-token");
    says(requester.ask("secret", noon, true), "401 the Authorization header has no scheme",
         "a token without a scheme is refused under scim_profile rfc");
    is(requester.ask("Bearer secret", noon, true), "acme/okta",
       "a Bearer token is accepted under scim_profile rfc");
    says(requester.ask(""), "401 the request has no Authorization header",
         "a request without an Authorization header is refused with 401");
    says(requester.ask("   "), "401 the request has no Authorization header",
         "a blank Authorization header is refused as a missing one");
    says(requester.ask("Bearer"), "401 the Authorization header has the scheme Bearer but no token",
         "a Bearer header without a token is refused with 401");
    says(requester.ask("Bearer  "), "but no token",
         "a Bearer header with blanks for the token is refused");
    says(requester.ask("Basic secret"), "401 the Authorization header uses the scheme \"Basic\"",
         "the Basic scheme is refused with 401");
    says(requester.ask("Bearer secreT"),
         "401 the token is unknown here: it does not begin with \"scim_\"",
         "an unknown token without the prefix is refused with 401");
    std::string ours = format_token({1});
    says(requester.ask("Bearer " + ours),
         "401 the token is unknown here: it was created for another server or store",
         "a well-formed token that was never issued is refused as unknown");
    ours.back() = ours.back() == 'a' ? 'b' : 'a';
    says(requester.ask("Bearer " + ours), "401 the token is not complete",
         "a token whose last character is wrong is refused as incomplete");
}

void test_changes(Requester &requester, const store::Tenant &acme) {
    requester.add(acme, "late", "late");
    is(requester.ask("Bearer late"), "acme/late",
       "a token added after the first requests authenticates");
    auto change = [&](auto &&how) {
        requester.write([&](auto &txn) {
            auto token = store::find_token(txn, digest_of("late"));
            how(*token);
            store::put_token(txn, *token, digest_of("late"));
        });
    };
    change([](auto &token) { token.not_before = noon; });
    is(requester.ask("Bearer late", noon), "acme/late",
       "a token authenticates at its not-before time");
    says(requester.ask("Bearer late", noon - 1), "401 the token \"late\" is not valid before 2026-",
         "a token is refused one millisecond before its not-before time");
    change([](auto &token) { token.expires = noon + 1; });
    is(requester.ask("Bearer late", noon), "acme/late",
       "a token authenticates one millisecond before its expiry time");
    says(requester.ask("Bearer late", noon + 1), "401 the token \"late\" expired at 2026-",
         "a token is refused at its expiry time");
    change([](auto &token) { token.revoked = noon; });
    says(requester.ask("Bearer late", noon), "401 the token \"late\" was revoked at 2026-",
         "a cached token is refused once it is revoked");
    is(requester.ask("Bearer secret"), "acme/okta",
       "another token authenticates after a token was revoked");
}

void test_tenants(Requester &requester, const store::Tenant &acme) {
    is(requester.anonymous("acme"), "acme/", "an anonymous request gets the tenant that it names");
    says(requester.anonymous("nobody"), "403 there is no tenant \"nobody\"",
         "an anonymous request for an unknown tenant is refused with 403");
    says(requester.anonymous(""), "403 there is no tenant \"\"",
         "an anonymous request without a tenant name is refused with 403");
    Actor actor;
    actor.tenant_name = "acme";
    ok(bool(check_tenant(actor, "acme")),
       "a token of a tenant is accepted at the address of the tenant");
    auto other = check_tenant(actor, "Acme");
    ok(!other && other.error().status() == 403,
       "a token is refused with 403 at an address whose tenant name differs by case");
    says(other.error().detail, "its tenant is \"acme\"",
         "the error at another tenant's address names the tenant of the token");

    requester.write([&](auto &txn) { store::mark_tenant_removed(txn, acme); });
    says(requester.ask("Bearer secret"), "401 the token is unknown here",
         "a cached token is refused once its tenant is removed");
    says(requester.anonymous("acme"), "403 there is no tenant \"acme\"",
         "an anonymous request for a removed tenant is refused with 403");
}

void test_uses(Store &store, const store::Tenant &acme) {
    constexpr int64_t hour = 3600 * 1000;
    Requester requester(store);
    ok(!requester.has_uses(), "a new Authenticator has no uses to record");
    for (const char *header : {"", "Basic secret", "nobody", "late"}) requester.ask(header);
    requester.anonymous("acme");
    ok(!requester.has_uses(), "refused and anonymous requests record no use");
    requester.ask("secret");
    requester.ask("Bearer secret", noon + 1);
    ok(requester.has_uses(), "an accepted token has a use to record");
    is(requester.uses(), "1@0",
       "two uses of a token are recorded once, with the time of the first");
    ok(!requester.has_uses(), "taking the uses empties the list");
    requester.ask("secret", noon + hour - 1);
    is(requester.uses(), "", "a use within an hour of the recorded one is not recorded");
    requester.ask("secret", noon + hour);
    is(requester.uses(), "1@3600000", "a use an hour after the recorded one is recorded");
    requester.write([&](auto &txn) { store::put_use(txn, {acme.number, 1, noon + hour}); });
    Requester other(store);
    other.ask("secret", noon + 2 * hour - 1);
    is(other.uses(), "",
       "a use within an hour of one that another worker has recorded is not recorded");
    other.ask("secret", noon + 2 * hour);
    is(other.uses(), "1@7200000",
       "a use an hour after one that another worker has recorded is recorded");
    other.ask("secret", noon);
    is(other.uses(), "", "a use earlier than the recorded one is not recorded");
}

void test_many_uses(Store &store, size_t tokens) {
    Requester requester(store);
    for (size_t i = 0; i < tokens; i++) requester.ask("Bearer crowd" + std::to_string(i));
    std::string uses = requester.uses();
    is(size_t(std::count(uses.begin(), uses.end(), '@')), Authenticator::uses_pending_max,
       "at most uses_pending_max uses are pending");
    requester.ask("Bearer crowd" + std::to_string(tokens - 1), noon + 1);
    ok(requester.has_uses(),
       "a use that found the list full is recorded at the next request of the token");
}

// Tokens that share a cache slot authenticate.
void test_crowd(Requester &requester, const store::Tenant &acme) {
    constexpr int many = 3000;
    requester.write([&](auto &txn) {
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
            right += requester.ask("Bearer crowd" + number) == "acme/t" + number;
        }
    is(right, 2 * many, "3000 tokens, more than the cache has slots, authenticate twice each");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto store = fixture::open_store(dir.path);
    auto acme = fixture::add_tenant(store->env(), "acme");
    Requester requester(*store);
    requester.add(acme, "okta", "secret");
    test_header(requester);
    test_changes(requester, acme);
    test_crowd(requester, acme);
    test_uses(*store, acme);
    test_many_uses(*store, 3000);
    test_tenants(requester, acme);
    return tap::done();
}
