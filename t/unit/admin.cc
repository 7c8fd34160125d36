// Tenants come and go, tokens are made, listed, revoked and rotated as the operator says, and
// nothing that an authenticator looks at contradicts it afterwards.

#include "service/admin.h"

#include "fixture.h"
#include "service/authenticate.h"
#include "service/token.h"
#include "store/directory.h"
#include "store/verify.h"

using namespace scim;
using namespace scim::service;

namespace {

constexpr int64_t noon = 1795262400000, hour = 3600000, day = 24 * hour;

// One write transaction; what `decide` returned, after the commit.
template <class Decide>
auto write(store::Env &env, Decide &&decide) {
    store::WriteTxn txn(env);
    auto result = decide(txn);
    if (txn.commit() != store::Errc::ok) diag("the commit failed");
    return result;
}

template <class T>
std::string why(const Result<T> &result) {
    return result ? "it was done"
                  : std::to_string(result.error().status) + " " + result.error().detail;
}

template <class T>
void refused(const Result<T> &result, const std::string &want, const std::string &name) {
    std::string got = why(result);
    if (!ok(got.find(want) != std::string::npos, name)) diag(got);
}

// "" or why a token does not authenticate.
std::string authenticated(store::Env &env, std::string_view token, int64_t now) {
    store::Reader reader(env);
    store::ReadTxn txn(reader);
    Authenticator authenticator;
    Report report;
    Dialect dialect(true, report);
    auto actor = authenticator.authenticate(txn, "Bearer " + std::string(token), now, dialect);
    return actor ? "" : actor.error().detail;
}

Result<TokenResult> create(store::Env &env, const store::Tenant &tenant, const TokenOrder &order,
                           std::string_view token, int64_t now = noon) {
    return write(
        env, [&](auto &txn) { return create_token(txn, tenant, order, digest_of(token), now); });
}

TokenOrder labelled(const std::string &label) {
    TokenOrder order;
    order.label = label;
    return order;
}

void is_sound(store::Env &env, const std::string &name) {
    store::Reader reader(env);
    store::ReadTxn txn(reader);
    auto report = store::verify(txn);
    is(report.problem_count, 0u, name);
    for (const auto &problem : report.problems) diag(problem.key + ": " + problem.text);
}

void test_tenants(store::Env &env) {
    auto add = [&](std::string_view name) {
        return write(env, [&](auto &txn) { return create_tenant(txn, name, noon, {1, 2, 3}); });
    };
    auto acme = add("acme");
    ok(acme && !acme->existed && acme->tenant.number == 1, "a tenant");
    auto again = add("acme");
    ok(again && again->existed && again->tenant.number == 1, "once more is the same");
    is(write(env, [](auto &txn) { return store::list_tenants(txn); }).size(), 1u,
       "and no second one");
    for (const char *bad : {"", "a b", "a/b", "ä", "a\n"})
        refused(add(bad), "400 the name", std::string("not a name: ") + bad);
    ok(add("Acme") && add(std::string(255, 'x')), "names differ by case, and may be long");
    refused(add(std::string(256, 'x')), "400 the name", "but not longer");
    refused(write(env, [](auto &txn) { return tenant_named(txn, "nobody"); }),
            "404 there is no tenant \"nobody\"", "nobody");
}

void test_labels(store::Env &env, const store::Tenant &tenant) {
    auto label = [&](const std::string &text) {
        return create(env, tenant, labelled(text), text + "?");
    };
    refused(label(""), "has 0 characters", "no label");
    refused(label(std::string(65, 'a')), "has 65 characters", "65 characters");
    refused(label("a\tb"), "cannot be printed", "a tabulator");
    refused(label("a\u202eb"), "cannot be printed", "a change of direction");
    refused(label("\xff"), "not UTF-8", "a byte of no character");
    refused(label(" a"), "begins or ends with a blank", "a blank first");
    refused(label("a "), "begins or ends with a blank", "a blank last");
    refused(label("42"), "taken for a token's number", "digits alone");
    ok(bool(label(std::string(62, 'a') + "ü1")), "64 characters, one of two bytes");
    ok(bool(label("Entra ID, Straße 4")), "blanks inside");
}

void test_create(store::Env &env, const store::Tenant &tenant) {
    auto first = create(env, tenant, labelled("okta"), "one");
    ok(first && !first->existed && first->token.created == noon, "a token");
    is(authenticated(env, "one", noon), "", "authenticates");
    auto again = create(env, tenant, labelled("okta"), "one", noon + 1);
    ok(again && again->existed && again->token.created == noon,
       "the same digest and label again: it exists");
    refused(create(env, tenant, labelled("other"), "one"), "409 this token is known already",
            "the digest under another label");
    refused(create(env, tenant, labelled("okta"), "two"), "409 tenant \"acme\" has a live token",
            "the label of a live token");

    TokenOrder order = labelled("timed");
    order.not_before = noon + hour;
    order.expires = noon + hour;
    refused(create(env, tenant, order, "three"), "before it is valid",
            "expires before it is valid");
    order.expires = noon;
    refused(create(env, tenant, order, "three"), "before it is made", "expired when it is made");
    order.expires = noon + 2 * hour;
    order.scopes = store::scope_read;
    auto timed = create(env, tenant, order, "three");
    ok(timed && timed->token.scopes == store::scope_read, "a token with bounds");
    ok(state_of(timed->token, noon) == TokenState::not_yet_valid, "not yet valid");
    ok(state_of(timed->token, noon + hour) == TokenState::live, "live from the first moment");
    ok(state_of(timed->token, noon + 2 * hour) == TokenState::expired, "expired at the last");
    ok(authenticated(env, "three", noon).find("not valid before") != std::string::npos,
       "refused before");
    is(authenticated(env, "three", noon + 2 * hour - 1), "", "good in its time");
    ok(authenticated(env, "three", noon + 2 * hour).find("expired") != std::string::npos,
       "refused after");
    ok(bool(create(env, tenant, labelled("timed"), "four", noon + 2 * hour)),
       "the label of an expired token is free");
}

void test_revoke(store::Env &env, const store::Tenant &tenant) {
    auto revoke = [&](std::string_view which, int64_t now = noon + 1) {
        return write(env, [&](auto &txn) { return revoke_tokens(txn, tenant, which, now); });
    };
    auto token = create(env, tenant, labelled("leaked"), "leaked");
    is(authenticated(env, "leaked", noon), "", "good before");
    auto done = revoke("leaked");
    ok(done && done->revoked == 1 && done->tokens.size() == 1, "revoked by its label");
    ok(authenticated(env, "leaked", noon).find("was revoked") != std::string::npos,
       "and refused, whatever the clock says");
    done = revoke(std::to_string(token->token.number), noon + 5);
    ok(done && done->revoked == 0 && done->tokens[0].revoked == noon + 1,
       "again, by its number: nothing changes");
    ok(bool(create(env, tenant, labelled("leaked"), "leaked 2")), "its label is free");
    done = revoke("leaked");
    ok(done && done->revoked == 1 && done->tokens.size() == 2, "by the label: the live one, too");
    refused(create(env, tenant, labelled("leaked"), "leaked"), "409 this token is known",
            "a revoked one never comes back");
    refused(revoke("nobody"), "404 tenant \"acme\" has no token \"nobody\"", "no such label");
    refused(revoke("4711"), "404 tenant \"acme\" has no token number 4711", "no such number");
    refused(revoke(""), "404", "no word");
}

void test_rotate(store::Env &env, const store::Tenant &tenant) {
    auto rotate = [&](const std::string &which, std::string_view token, int64_t now,
                      int64_t overlap = day, int64_t expires = 0) {
        return write(env, [&](auto &txn) {
            return rotate_token(txn, tenant, RotateOrder{which, overlap, expires}, digest_of(token),
                                now);
        });
    };
    TokenOrder order = labelled("entra");
    order.scopes = store::scope_read;
    auto first = create(env, tenant, order, "first");
    auto second = rotate("entra", "second", noon + hour);
    ok(second && second->token.label == "entra" && second->token.scopes == store::scope_read,
       "same label, same scopes");
    is(second->token.expires, 0, "a successor of an eternal token is eternal");
    is(second->old.expires, noon + hour + day, "the old one has the overlap");
    is(authenticated(env, "first", noon + day) + authenticated(env, "second", noon + day), "",
       "both are good within it");
    ok(authenticated(env, "first", noon + hour + day).find("expired") != std::string::npos,
       "the old one not after");
    is(authenticated(env, "second", noon + 999 * day), "", "the new one is");
    refused(rotate(std::to_string(first->token.number), "third", noon + hour),
            "was rotated already: its successor is number " + std::to_string(second->token.number),
            "once only");
    auto third = rotate("entra", "third", noon + 2 * hour, 0, noon + 3 * day);
    ok(third && third->old.number == second->token.number, "by the label: the newest");
    ok(authenticated(env, "second", noon + 2 * hour).find("expired") != std::string::npos,
       "no overlap: at once");
    is(third->token.expires, noon + 3 * day, "an expiry of its own");
    auto fourth = rotate("entra", "fourth", noon + 2 * day + 12 * hour);
    is(fourth->old.expires, noon + 3 * day, "the overlap prolongs nothing");
    is(fourth->token.expires, noon + 2 * day + 12 * hour + (3 * day - 2 * hour),
       "as long a life as the old one had");
    TokenOrder later = labelled("later");
    later.not_before = noon + 2 * day;
    later.expires = noon + 5 * day;
    (void)create(env, tenant, later, "later");
    auto successor = rotate("later", "later still", noon + hour);
    ok(successor && successor->token.not_before == noon + 2 * day &&
           successor->token.expires == noon + 5 * day,
       "a successor is not valid before the old one would have been");
    refused(rotate("later", "too short", noon + hour, day, noon + day), "before it is valid",
            "nor does it end before that");
    refused(rotate("entra", "fifth", noon + 999 * day), "is expired; create a new one",
            "not an expired one");
    refused(rotate("entra", "first", noon + 2 * day + 12 * hour), "409 this token is known",
            "not to a known one");
    refused(rotate("nobody", "x", noon), "404", "not what is not there");
    refused(rotate("entra", "x", noon + 2 * day + 12 * hour, day, noon), "before it is made",
            "not into the past");
}

void test_limit(store::Env &env) {
    auto tenant = fixture::add_tenant(env, "full");
    for (size_t i = 0; i < store::tokens_per_tenant; i++)
        if (!create(env, tenant, labelled("t" + std::to_string(i)), "full" + std::to_string(i)))
            diag("refused too early");
    refused(create(env, tenant, labelled("more"), "more"), "409 tenant \"full\" has 64 live tokens",
            "one too many");
    refused(write(env,
                  [&](auto &txn) {
                      return rotate_token(txn, tenant, {"t0"}, digest_of("more"), noon);
                  }),
            "has 64 live tokens", "nor by rotating");
    ok(bool(write(env, [&](auto &txn) { return revoke_tokens(txn, tenant, "t7", noon); })),
       "one is revoked");
    ok(bool(create(env, tenant, labelled("more"), "more")), "a revoked one makes room");
}

// Sweeps in steps of `rows`; how many it took.
size_t sweep(store::Env &env, const store::Tenant &tenant, size_t rows) {
    for (size_t steps = 1; steps < 1000; steps++)
        if (write(env, [&](auto &txn) { return store::sweep_tenant(txn, tenant, rows); }))
            return steps;
    return 0;
}

void test_removal(store::Env &env) {
    auto tenant = fixture::add_tenant(env, "gone");
    ok(bool(create(env, tenant, labelled("a"), "gone a")), "a tenant with a token");
    write(env, [&](auto &txn) {
        store::DirectoryWriter directory(txn, tenant.number);
        for (uint8_t i = 1; i <= 20; i++) {
            store::ResourceEdit edit;
            edit.type = 1;
            edit.id[15] = i;
            edit.record = "x";
            edit.is_new = true;
            edit.position = i;
            directory.apply(edit);
        }
        store::Refusal refusal;
        refusal.tenant = tenant.number;
        store::add_refusal(txn, refusal);
        return true;
    });
    auto remove = [&](std::string_view name) {
        return write(env, [&](auto &txn) { return begin_removal(txn, name); });
    };
    refused(remove("nobody"), "404 there is no tenant \"nobody\"",
            "what is not there cannot be removed");
    auto marked = remove("gone");
    ok(marked && marked->size() == 1, "marked");
    ok(authenticated(env, "gone a", noon).find("unknown") != std::string::npos,
       "at once its token is unknown");
    refused(write(env, [](auto &txn) { return tenant_named(txn, "gone"); }), "404",
            "and its name names nobody");
    is_sound(env, "a marked tenant is no problem");
    ok(!write(env, [&](auto &txn) { return store::sweep_tenant(txn, tenant, 5); }),
       "a step of its sweep");
    is_sound(env, "nor is one that is half swept");
    auto heir = fixture::add_tenant(env, "gone");
    ok(heir.number > tenant.number, "the name is free, the number is not");
    is(write(env, [](auto &txn) { return unswept_tenants(txn); }).size(), 1u,
       "one is left to be swept");
    marked = remove("gone");
    is(marked ? marked->size() : 0, 2u, "removing the heir, too, finds both");
    ok(sweep(env, tenant, 1) > 20, "swept, a row at a time");
    ok(sweep(env, heir, 100) == 1, "the heir has nothing");
    is(write(env, [](auto &txn) { return unswept_tenants(txn); }).size(), 0u,
       "nothing is left to be swept");
    is_sound(env, "and no row without a tenant");
}

void test_pace() {
    size_t rows = first_sweep_rows;
    int64_t longest = 0;
    for (int i = 0; i < 50; i++) {  // a row takes 30 microseconds, a commit 2 milliseconds
        int64_t held = int64_t(rows) * 30 + 2000;
        longest = std::max(longest, held);
        rows = next_sweep_rows(rows, held);
    }
    ok(longest < sweep_hold_max, "the lock is never held as long as it may be");
    ok(longest > sweep_hold_max / 4, "but the time is used");
    ok(next_sweep_rows(64, 0) <= 128, "no leap after a step that took no time");
    is(next_sweep_rows(1000, 10 * sweep_hold_max), 50u, "a slow step is followed by a short one");
    ok(next_sweep_rows(16, INT64_C(60000000)) >= 16, "that still comes to an end");
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto opened = fixture::open_store(dir.path);
    store::Env &env = opened->env();
    test_tenants(env);
    auto acme = write(env, [](auto &txn) { return *tenant_named(txn, "acme"); });
    test_labels(env, acme);
    test_create(env, acme);
    test_revoke(env, acme);
    test_rotate(env, acme);
    test_limit(env);
    is_sound(env, "the store is sound");
    test_removal(env);
    test_pace();
    is(std::string(to_string(TokenState::not_yet_valid)), "not yet valid", "a state's name");
    is(scope_names(store::scope_read | store::scope_write).size(), 2u, "scopes' names");
    return tap::done();
}
