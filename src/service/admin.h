#pragma once
// Administration of tenants and tokens: the logic of scimctl, without its terminal output.
//
// Each function reads and writes within the given transaction; nothing takes effect before the
// caller commits. Time and randomness are arguments. Errors are 404 (no such tenant or token), 409
// (conflict), 400 (invalid argument) and 503 (the store cannot be read, or is full). Their detail
// is a sentence for the operator.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scim/text/result.h"
#include "store/tenants.h"

namespace scim::service {

// Tenants

struct TenantResult {
    store::Tenant tenant;
    bool existed = false;  // true: the tenant existed, and nothing was written
};
// `random` is the key that seals the cursors of the tenant's lists.
Result<TenantResult> create_tenant(store::WriteTxn &txn, std::string_view name, int64_t now,
                                   const std::array<uint8_t, 32> &random);

// 404 for a name that no active tenant has. The detail suggests the tenant with the most similar
// name, or lists the tenants.
Error unknown_tenant(store::Txn &txn, std::string_view name);

// The active tenant with this name; 404 if there is none.
Result<store::Tenant> tenant_named(store::Txn &txn, std::string_view name);

// Disables the active tenant with this name, or enables it again: TenantResult.existed is true if it
// was so already. While it is disabled, its requests are refused with 403, and the gate refuses its
// users.
Result<TenantResult> disable_tenant(store::WriteTxn &txn, std::string_view name, bool disabled);

// Marks the active tenant with this name as removed: after the commit no token authenticates as it.
// Returns all removed tenants with this name whose rows have not been deleted (swept) yet,
// including those marked earlier; 404 if there are none.
Result<std::vector<store::Tenant>> begin_removal(store::WriteTxn &txn, std::string_view name);

// All tenants that are marked as removed and not yet swept.
std::vector<store::Tenant> unswept_tenants(store::Txn &txn);

// The number of rows that the next step of a sweep may delete, so that it holds the write lock for
// less than sweep_hold_max. `rows`: rows of the last step; `held`: how long that step held the
// lock, in microseconds.
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
    int64_t not_before = 0, expires = 0;  // milliseconds since 1970; 0: valid now, never expires
    std::string subject;                  // id of a user of the tenant; empty: none
};

struct TokenResult {
    store::Token token;
    bool existed = false;  // true: the same token existed, and nothing was written
};
// Creates a token. A label has 1 to 64 printable characters, does not consist of digits only, and
// must not be the label of another live token of the tenant.
Result<TokenResult> create_token(store::WriteTxn &txn, const store::Tenant &tenant,
                                 const TokenOrder &order, const store::Digest &digest, int64_t now);

// The token whose number is `which`, or all tokens whose label is `which`. 404 if there are none.
Result<std::vector<store::TokenEntry>> tokens_named(store::Txn &txn, const store::Tenant &tenant,
                                                    std::string_view which);

// Revokes the token whose number is `which`, or every token whose label is `which`.
struct RevokeResult {
    std::vector<store::Token> tokens;  // all of them, including those revoked earlier
    size_t revoked = 0;                // the number that this call has revoked
};
Result<RevokeResult> revoke_tokens(store::WriteTxn &txn, const store::Tenant &tenant,
                                   std::string_view which, int64_t now);

struct RotateOrder {
    std::string which;  // a number or a label; of several live tokens with the label, the newest
    int64_t overlap = 24 * 3600 * 1000;  // milliseconds that the old token stays valid
    // When the new token expires, in milliseconds since 1970. 0: its lifetime is the old one's.
    int64_t expires = 0;
};
struct RotateResult {
    store::Token token, old;
};
// Replaces a token by a new one with the same label, scopes and subject. The old token expires after the
// overlap.
Result<RotateResult> rotate_token(store::WriteTxn &txn, const store::Tenant &tenant,
                                  const RotateOrder &order, const store::Digest &digest,
                                  int64_t now);

}  // namespace scim::service
