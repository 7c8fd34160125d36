// Tests the creation, removal and sweep of tenants and the creation, revocation and rotation of
// tokens, and that the Authenticator and verify() agree with the result.

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

// Runs `decide` in one write transaction, commits, and returns the result of `decide`.
template <class Decide>
auto write(store::Env &env, Decide &&decide) {
    store::WriteTxn txn(env);
    auto result = decide(txn);
    if (txn.commit() != store::Errc::ok) diag("the commit failed");
    return result;
}

template <class T>
std::string error_text(const Result<T> &result) {
    return result ? "success"
                  : std::to_string(result.error().status()) + " " + result.error().detail;
}

template <class T>
void refused(const Result<T> &result, const std::string &want, const std::string &name) {
    std::string got = error_text(result);
    if (!ok(got.find(want) != std::string::npos, name)) diag(got);
}

// Returns "" if the token authenticates, or the detail of the error.
std::string authenticated(store::Env &env, std::string_view token, int64_t now) {
    store::Reader reader(env);
    store::ReadTxn txn(reader);
    Authenticator authenticator;
    DeviationReport report;
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
    ok(acme && !acme->existed && acme->tenant.number == 1,
       "the first tenant is created with number 1");
    auto again = add("acme");
    ok(again && again->existed && again->tenant.number == 1,
       "creating a tenant that exists returns the existing one");
    is(write(env, [](auto &txn) { return store::list_tenants(txn); }).size(), 1u,
       "creating a tenant that exists adds no second one");
    for (const char *bad : {"", "a b", "a/b", "ä", "a\n"})
        refused(add(bad), "400 the name",
                "tenant name '" + std::string(bad) + "' is refused with 400");
    ok(add("Acme") && add(std::string(255, 'x')),
       "a tenant name that differs only by case and one of 255 characters are accepted");
    refused(add(std::string(256, 'x')), "400 the name",
            "a tenant name of 256 characters is refused with 400");
    refused(write(env, [](auto &txn) { return tenant_named(txn, "nobody"); }),
            "404 there is no tenant \"nobody\"",
            "looking up a tenant name that does not exist is refused with 404");
}

void test_labels(store::Env &env, const store::Tenant &tenant) {
    auto label = [&](const std::string &text) {
        return create(env, tenant, labelled(text), text + "?");
    };
    refused(label(""), "has 0 characters", "an empty token label is refused");
    refused(label(std::string(65, 'a')), "has 65 characters",
            "a token label of 65 characters is refused");
    refused(label("a\tb"), "not printable", "a tab in a token label is refused");
    refused(label("a\u202eb"), "not printable",
            "a right-to-left override (U+202E) in a token label is refused");
    refused(label("\xff"), "not UTF-8", "a token label that is not UTF-8 is refused");
    refused(label(" a"), "begins or ends with a space",
            "a token label that begins with a blank is refused");
    refused(label("a "), "begins or ends with a space",
            "a token label that ends with a blank is refused");
    refused(label("42"), "taken for the number of a token",
            "a token label of digits only is refused");
    ok(bool(label(std::string(62, 'a') + "ü1")),
       "a token label of 64 characters, one of them of two bytes, is accepted");
    ok(bool(label("Entra ID, Straße 4")),
       "a token label with inner blanks and a non-ASCII letter is accepted");
}

void test_create(store::Env &env, const store::Tenant &tenant) {
    auto first = create(env, tenant, labelled("okta"), "one");
    ok(first && !first->existed && first->token.created == noon,
       "a token is created with the current time");
    is(authenticated(env, "one", noon), "", "a token authenticates once it is created");
    auto again = create(env, tenant, labelled("okta"), "one", noon + 1);
    ok(again && again->existed && again->token.created == noon,
       "creating a token with the digest and label of an existing one returns the existing token");
    refused(create(env, tenant, labelled("other"), "one"), "409 this token already exists",
            "a token with a known digest and another label is refused with 409");
    refused(create(env, tenant, labelled("okta"), "two"), "409 tenant \"acme\" has a live token",
            "a token with the label of a live token is refused with 409");

    TokenOrder order = labelled("timed");
    order.not_before = noon + hour;
    order.expires = noon + hour;
    refused(create(env, tenant, order, "three"), "before it becomes valid",
            "a token that expires at its not-before time is refused");
    order.expires = noon;
    refused(create(env, tenant, order, "three"), "not in the future",
            "a token that expires at its creation time is refused");
    order.expires = noon + 2 * hour;
    order.scopes = store::scope_read;
    auto timed = create(env, tenant, order, "three");
    ok(timed && timed->token.scopes == store::scope_read,
       "a token with not-before, expiry and scopes is created");
    ok(state_of(timed->token, noon) == TokenState::not_yet_valid,
       "a token is not yet valid before its not-before time");
    ok(state_of(timed->token, noon + hour) == TokenState::live,
       "a token is live at its not-before time");
    ok(state_of(timed->token, noon + 2 * hour) == TokenState::expired,
       "a token is expired at its expiry time");
    ok(authenticated(env, "three", noon).find("not valid before") != std::string::npos,
       "a token is refused before its not-before time");
    is(authenticated(env, "three", noon + 2 * hour - 1), "",
       "a token authenticates one millisecond before its expiry time");
    ok(authenticated(env, "three", noon + 2 * hour).find("expired") != std::string::npos,
       "a token is refused at its expiry time");
    ok(bool(create(env, tenant, labelled("timed"), "four", noon + 2 * hour)),
       "a new token can take the label of an expired one");
}

void test_revoke(store::Env &env, const store::Tenant &tenant) {
    auto revoke = [&](std::string_view which, int64_t now = noon + 1) {
        return write(env, [&](auto &txn) { return revoke_tokens(txn, tenant, which, now); });
    };
    auto token = create(env, tenant, labelled("leaked"), "leaked");
    is(authenticated(env, "leaked", noon), "", "a token authenticates before it is revoked");
    auto done = revoke("leaked");
    ok(done && done->revoked == 1 && done->tokens.size() == 1, "a token is revoked by its label");
    ok(authenticated(env, "leaked", noon).find("was revoked") != std::string::npos,
       "a revoked token is refused even if the clock is before the revocation");
    done = revoke(std::to_string(token->token.number), noon + 5);
    ok(done && done->revoked == 0 && done->tokens[0].revoked == noon + 1,
       "revoking a revoked token, by its number, keeps the first revocation time");
    ok(bool(create(env, tenant, labelled("leaked"), "leaked 2")),
       "a new token can take the label of a revoked one");
    done = revoke("leaked");
    ok(done && done->revoked == 1 && done->tokens.size() == 2,
       "revoking by a label that two tokens have revokes the live one and lists both");
    refused(create(env, tenant, labelled("leaked"), "leaked"), "409 this token already exists",
            "creating a token with the digest of a revoked one is refused with 409");
    refused(revoke("nobody"), "404 tenant \"acme\" has no token \"nobody\"",
            "revoking by an unknown label is refused with 404");
    refused(revoke("4711"), "404 tenant \"acme\" has no token number 4711",
            "revoking by an unknown number is refused with 404");
    refused(revoke(""), "404", "revoking by an empty label is refused with 404");
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
       "the successor of a rotated token has its label and scopes");
    is(second->token.expires, 0, "the successor of a token without expiry has no expiry");
    is(second->old.expires, noon + hour + day, "the rotated token expires after the overlap");
    is(authenticated(env, "first", noon + day) + authenticated(env, "second", noon + day), "",
       "the rotated token and its successor authenticate during the overlap");
    ok(authenticated(env, "first", noon + hour + day).find("expired") != std::string::npos,
       "the rotated token is refused after the overlap");
    is(authenticated(env, "second", noon + 999 * day), "",
       "the successor authenticates after the overlap");
    refused(
        rotate(std::to_string(first->token.number), "third", noon + hour),
        "has already been rotated: its successor is number " + std::to_string(second->token.number),
        "rotating a token that was rotated is refused, and its successor is named");
    auto third = rotate("entra", "third", noon + 2 * hour, 0, noon + 3 * day);
    ok(third && third->old.number == second->token.number,
       "rotating by a label rotates the newest token with it");
    ok(authenticated(env, "second", noon + 2 * hour).find("expired") != std::string::npos,
       "a token rotated without an overlap is expired at once");
    is(third->token.expires, noon + 3 * day,
       "the successor has the expiry that the rotation asks for");
    auto fourth = rotate("entra", "fourth", noon + 2 * day + 12 * hour);
    is(fourth->old.expires, noon + 3 * day,
       "an overlap does not extend the expiry of the rotated token");
    is(fourth->token.expires, noon + 2 * day + 12 * hour + (3 * day - 2 * hour),
       "without an expiry in the rotation the successor lives as long as the rotated token was to");
    TokenOrder later = labelled("later");
    later.not_before = noon + 2 * day;
    later.expires = noon + 5 * day;
    (void)create(env, tenant, later, "later");
    auto successor = rotate("later", "later still", noon + hour);
    ok(successor && successor->token.not_before == noon + 2 * day &&
           successor->token.expires == noon + 5 * day,
       "the successor of a token that is not yet valid keeps its not-before and expiry times");
    refused(rotate("later", "too short", noon + hour, day, noon + day), "before it becomes valid",
            "a rotation with an expiry before the inherited not-before time is refused");
    refused(rotate("entra", "fifth", noon + 999 * day), "is expired; create a new one",
            "rotating an expired token is refused");
    refused(rotate("entra", "first", noon + 2 * day + 12 * hour), "409 this token already exists",
            "rotating to a known digest is refused with 409");
    refused(rotate("nobody", "x", noon), "404", "rotating an unknown token is refused with 404");
    refused(rotate("entra", "x", noon + 2 * day + 12 * hour, day, noon), "not in the future",
            "a rotation with an expiry in the past is refused");
}

void test_limit(store::Env &env) {
    auto tenant = fixture::add_tenant(env, "full");
    for (size_t i = 0; i < store::tokens_per_tenant; i++)
        if (!create(env, tenant, labelled("t" + std::to_string(i)), "full" + std::to_string(i)))
            diag("refused too early");
    refused(create(env, tenant, labelled("more"), "more"), "409 tenant \"full\" has 64 live tokens",
            "one live token more than a tenant may have is refused with 409");
    const auto more = create(env, tenant, labelled("more"), "more");
    ok(!more && more.error().refusal == Refusal::token_limit, "its refusal is token-limit");
    refused(write(env,
                  [&](auto &txn) {
                      return rotate_token(txn, tenant, {"t0"}, digest_of("more"), noon);
                  }),
            "has 64 live tokens",
            "rotating a token of a tenant that has the maximum of live tokens is refused");
    ok(bool(write(env, [&](auto &txn) { return revoke_tokens(txn, tenant, "t7", noon); })),
       "a token of a full tenant can be revoked");
    ok(bool(create(env, tenant, labelled("more"), "more")),
       "after a revocation a full tenant can have a new token");
}

// Sweeps in steps of `rows`. Returns the number of steps, or 0 after 999 unfinished ones.
size_t sweep(store::Env &env, const store::Tenant &tenant, size_t rows) {
    for (size_t steps = 1; steps < 1000; steps++)
        if (write(env, [&](auto &txn) { return store::sweep_tenant(txn, tenant, rows); }))
            return steps;
    return 0;
}

void test_removal(store::Env &env) {
    auto tenant = fixture::add_tenant(env, "gone");
    ok(bool(create(env, tenant, labelled("a"), "gone a")), "the tenant to be removed has a token");
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
            "removing an unknown tenant is refused with 404");
    auto marked = remove("gone");
    ok(marked && marked->size() == 1, "removing a tenant marks it");
    ok(authenticated(env, "gone a", noon).find("unknown") != std::string::npos,
       "the token of a removed tenant is unknown before the sweep");
    refused(write(env, [](auto &txn) { return tenant_named(txn, "gone"); }), "404",
            "the name of a removed tenant is not found");
    is_sound(env, "verify finds no problem with a tenant marked as removed");
    ok(!write(env, [&](auto &txn) { return store::sweep_tenant(txn, tenant, 5); }),
       "a sweep step of 5 rows does not finish the tenant");
    is_sound(env, "verify finds no problem with a partly swept tenant");
    auto heir = fixture::add_tenant(env, "gone");
    ok(heir.number > tenant.number,
       "a new tenant takes the name of a removed one and gets a higher number");
    is(write(env, [](auto &txn) { return unswept_tenants(txn); }).size(), 1u,
       "one tenant is unswept before its sweep ends");
    marked = remove("gone");
    is(marked ? marked->size() : 0, 2u,
       "removing a second tenant of the same name returns both unswept ones");
    ok(sweep(env, tenant, 1) > 20, "sweeping one row a step takes more than 20 steps");
    ok(sweep(env, heir, 100) == 1, "the second tenant, which has no rows, is swept in one step");
    is(write(env, [](auto &txn) { return unswept_tenants(txn); }).size(), 0u,
       "no tenant is unswept after the sweeps");
    is_sound(env, "verify finds no problem after the sweeps");
}

void test_pace() {
    size_t rows = first_sweep_rows;
    int64_t longest = 0;
    for (int i = 0; i < 50; i++) {  // a row takes 30 microseconds, a commit 2 milliseconds
        int64_t held = int64_t(rows) * 30 + 2000;
        longest = std::max(longest, held);
        rows = next_sweep_rows(rows, held);
    }
    ok(longest < sweep_hold_max, "sweep steps of 30 microseconds a row stay below sweep_hold_max");
    ok(longest > sweep_hold_max / 4, "sweep steps use more than a quarter of sweep_hold_max");
    ok(next_sweep_rows(64, 0) <= 128,
       "a sweep step at most doubles after a step of 0 microseconds");
    is(next_sweep_rows(1000, 10 * sweep_hold_max), 50u,
       "a step ten times too slow is followed by a much shorter one");
    ok(next_sweep_rows(16, INT64_C(60000000)) >= 16,
       "a sweep step has at least 16 rows after a step of a minute");
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
    is_sound(env, "verify finds no problem after the token operations");
    test_removal(env);
    test_pace();
    is(std::string(to_string(TokenState::not_yet_valid)), "not yet valid",
       "the name of TokenState::not_yet_valid is 'not yet valid'");
    is(scope_names(store::scope_read | store::scope_write).size(), 2u,
       "scope_names names each of two scopes");
    return tap::done();
}
