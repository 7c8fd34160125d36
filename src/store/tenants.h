#pragma once
// Tenants and their tokens. These are the only rows that are found without knowing a tenant first,
// and only the authenticator and scimctl look at them.
//
// A token is 256 random bits behind a recognisable prefix; the store knows its SHA-256 and nothing
// else. A revoked token stays, so that its user is told so; a removed tenant takes its tokens
// along. Tenant and token numbers are never given twice.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/result.h"
#include "store/keys.h"
#include "store/lmdb.h"

namespace scim::store {

enum class TenantState : uint8_t { active, removing };

struct Tenant {
    TenantNumber number = 0;
    std::string name;
    TenantState state = TenantState::active;
    int64_t created = 0;     // milliseconds
    std::string cursor_key;  // 32 random bytes, hexadecimal: seals the cursors of its lists
};

// 1 to 255 characters of letters, digits, '.', '-', '_': it is a word in logs, file names and URLs,
// and must be able to be a host name ($host as scim_tenant).
bool is_tenant_name(std::string_view name);

std::optional<Tenant> find_tenant(Txn &txn, std::string_view name);
std::optional<Tenant> find_tenant(Txn &txn, TenantNumber number);
std::vector<Tenant> list_tenants(Txn &txn);
// REQUIRES: no tenant of this name.
Tenant add_tenant(WriteTxn &txn, std::string_view name, int64_t now,
                  const std::array<uint8_t, 32> &random);
// From here on nothing authenticates as this tenant, and its name is free.
void mark_tenant_removed(WriteTxn &txn, Tenant tenant);
// Deletes up to `rows` rows of a tenant that is marked; true when nothing is left and the tenant's
// own row is gone.
bool sweep_tenant(WriteTxn &txn, const Tenant &tenant, size_t rows);

using Digest = std::array<uint8_t, 32>;  // SHA-256

enum Scope : uint8_t { scope_read = 1, scope_write = 2 };

struct Token {
    TenantNumber tenant = 0;
    uint32_t number = 0;
    std::string label;
    uint8_t scopes = 0;
    int64_t created = 0;     // milliseconds
    int64_t not_before = 0;  // milliseconds, 0: at once
    int64_t expires = 0;     // milliseconds, 0: never
    int64_t revoked = 0;     // milliseconds, 0: not
};

std::optional<Token> find_token(Txn &txn, const Digest &digest);
struct TokenEntry {
    Token token;
    Digest digest;
};
// In the order of their numbers.
std::vector<TokenEntry> list_tokens(Txn &txn, TenantNumber tenant);
// Gives the token the tenant's next number.
// False if the digest is known already, of whichever tenant.
bool add_token(WriteTxn &txn, Token &token, const Digest &digest);
void put_token(WriteTxn &txn, const Token &token, const Digest &digest);

// When a token was last used on this machine: a note of this store's own (`local`), no part of what
// another machine would be told.
struct TokenUse {
    TenantNumber tenant = 0;
    uint32_t token = 0;  // its number
    int64_t time = 0;    // milliseconds
};
// Milliseconds, 0: never.
int64_t last_use(Txn &txn, TenantNumber tenant, uint32_t token);
// Of two times the later one stays. Nothing is written about a token that has gone meanwhile.
void put_use(WriteTxn &txn, const TokenUse &use);

// How many tokens of one tenant may be live at once.
constexpr size_t tokens_per_tenant = 64;

}  // namespace scim::store
