#pragma once
// What an operator does to tenants and tokens: scimctl's decisions, without its terminal.
//
// Each function decides within the transaction it is given and writes there; nothing is so before
// the caller has committed. Time and randomness are arguments. Errors are 404 (no such tenant or
// token), 409 (in the way), 400 (nonsense) and 503 (the store cannot be read); their detail is a
// sentence for the operator.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scim/result.h"
#include "store/tenants.h"

namespace scim::service {

// Tenants

struct TenantResult {
    store::Tenant tenant;
    bool existed = false;  // it was there already, and nothing was written
};
// `random` seals the cursors of the tenant's lists.
Result<TenantResult> create_tenant(store::WriteTxn &txn, std::string_view name, int64_t now,
                                   const std::array<uint8_t, 32> &random);

// 404: no active tenant has this name; names the one that was probably meant, or those there are.
Error unknown_tenant(store::Txn &txn, std::string_view name);

// The active tenant of this name.
Result<store::Tenant> tenant_named(store::Txn &txn, std::string_view name);

// Marks the tenant of this name, if there is an active one: from the commit on nothing
// authenticates as it. The tenants of this name that are to be swept, those marked earlier
// included; 404 if there are none.
Result<std::vector<store::Tenant>> begin_removal(store::WriteTxn &txn, std::string_view name);

// Every tenant that is marked and not yet swept.
std::vector<store::Tenant> unswept_tenants(store::Txn &txn);

// How many rows the next step of a sweep may delete, so that the write lock is held well below 20
// ms: from the rows of the last step and how long it held the lock, in microseconds.
constexpr size_t first_sweep_rows = 64;
constexpr int64_t sweep_hold_max = 20000;  // microseconds
size_t next_sweep_rows(size_t rows, int64_t held);

// Tokens

enum class TokenState : uint8_t { live, not_yet_valid, expired, revoked };
TokenState state_of(const store::Token &token, int64_t now);
std::string_view to_string(TokenState state);          // "live", "not yet valid", …
std::vector<std::string> scope_names(uint8_t scopes);  // "read", "write"

struct TokenOrder {
    std::string label;
    uint8_t scopes = store::scope_read | store::scope_write;
    int64_t not_before = 0, expires = 0;  // milliseconds; 0: at once, never
};

struct TokenResult {
    store::Token token;
    bool existed = false;  // this very token was there already, and nothing was written
};
// A label is 1 to 64 printable characters that are not digits alone, and is free if no live token
// of the tenant has it.
Result<TokenResult> create_token(store::WriteTxn &txn, const store::Tenant &tenant,
                                 const TokenOrder &order, const store::Digest &digest, int64_t now);

// Revokes the token with the number, or every token with the label. Those that it means, revoked by
// this or before.
struct RevokeResult {
    std::vector<store::Token> tokens;
    size_t revoked = 0;  // how many of them by this
};
Result<RevokeResult> revoke_tokens(store::WriteTxn &txn, const store::Tenant &tenant,
                                   std::string_view which, int64_t now);

struct RotateOrder {
    std::string which;  // a number or a label; of several live tokens with the label, the newest
    int64_t overlap = 24 * 3600 * 1000;  // milliseconds that the old token stays valid
    int64_t expires =
        0;  // of the successor, milliseconds; 0: after as long a life as the old one had
};
struct RotateResult {
    store::Token token, old;
};
// Label and scopes are the old token's.
Result<RotateResult> rotate_token(store::WriteTxn &txn, const store::Tenant &tenant,
                                  const RotateOrder &order, const store::Digest &digest,
                                  int64_t now);

}  // namespace scim::service
