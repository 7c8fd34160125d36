#pragma once
// Tenants and their tokens. These are the only rows that are looked up without a tenant number;
// only authentication and scimctl read them.
//
// A token is 256 random bits with a recognisable prefix; the store contains only its SHA-256. A
// revoked token is kept, so that the error can say that it was revoked. Removing a tenant deletes
// its tokens. Tenant and token numbers are never reused.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scim/text/result.h"
#include "store/keys.h"
#include "store/lmdb.h"

namespace scim::store {

enum class TenantState : uint8_t { active, removing };

struct Tenant {
    TenantNumber number = 0;
    std::string name;
    TenantState state = TenantState::active;
    bool disabled = false;   // an active tenant whose requests and users are refused
    int64_t created = 0;     // milliseconds
    std::string cursor_key;  // 32 random bytes in hexadecimal; seals the cursors of lists
};

// True for 1 to 255 letters, digits, '.', '-' and '_'. A tenant name appears in logs, file names
// and URLs, and may be a host name (scim_tenant $host).
bool is_tenant_name(std::string_view name);

std::optional<Tenant> find_tenant(Txn &txn, std::string_view name);
std::optional<Tenant> find_tenant(Txn &txn, TenantNumber number);
// At most `limit`.
std::vector<Tenant> list_tenants(Txn &txn, size_t limit = SIZE_MAX);
// REQUIRES: no tenant of this name.
Tenant add_tenant(WriteTxn &txn, std::string_view name, int64_t now,
                  const std::array<uint8_t, 32> &random);
// Marks a tenant as being removed: after the commit no request authenticates as this tenant, and
// its name may be used again.
void mark_tenant_removed(WriteTxn &txn, Tenant tenant);
// Disables or enables a tenant: after the commit its tokens, scim_tenant and the gate obey it.
void set_tenant_disabled(WriteTxn &txn, Tenant tenant, bool disabled);
// Deletes about `rows` rows of a tenant that is marked as being removed. True when all its rows,
// including its own row in `tenants`, are deleted.
bool sweep_tenant(WriteTxn &txn, const Tenant &tenant, size_t rows);

using Digest = std::array<uint8_t, 32>;  // SHA-256

enum Scope : uint8_t { scope_read = 1, scope_write = 2 };

struct Token {
    TenantNumber tenant = 0;
    uint32_t number = 0;
    uint32_t actor = 0;  // its number in `actors`
    std::string label;
    uint8_t scopes = 0;
    int64_t created = 0;     // milliseconds
    int64_t not_before = 0;  // milliseconds; 0: valid at once
    int64_t expires = 0;     // milliseconds; 0: never
    int64_t revoked = 0;     // milliseconds; 0: not revoked
    std::string subject;     // id of the user that /Me addresses; empty: none
};

std::optional<Token> find_token(Txn &txn, const Digest &digest);
struct TokenEntry {
    Token token;
    Digest digest;
};
// In the order of their numbers, at most `limit`.
std::vector<TokenEntry> list_tokens(Txn &txn, TenantNumber tenant, size_t limit = SIZE_MAX);
// Adds a token, sets its number to the tenant's next one, and makes it an actor. False, without a
// change, if any tenant has a token with this digest.
bool add_token(WriteTxn &txn, Token &token, const Digest &digest);
void put_token(WriteTxn &txn, const Token &token, const Digest &digest);

// When a token was last used on this machine. Stored in `local`, which is not part of the
// directory.
struct TokenUse {
    TenantNumber tenant = 0;
    uint32_t token = 0;  // its number
    int64_t time = 0;    // milliseconds
};
// Milliseconds; 0: never used.
int64_t last_use(Txn &txn, TenantNumber tenant, uint32_t token);
// Records a use unless a later one is recorded, or the token does not exist any more.
void put_use(WriteTxn &txn, const TokenUse &use);

// The maximum number of live tokens per tenant.
constexpr size_t tokens_per_tenant = 64;

}  // namespace scim::store
