#include "service/admin.h"

#include <utf8proc.h>

#include <algorithm>

#include "scim/text/datetime.h"
#include "scim/text/nearest.h"
#include "scim/text/text.h"
#include "scim/text/unicode.h"
#include "service/map_space.h"

namespace scim::service {

namespace {

using store::Tenant;
using store::Token;
using store::TokenEntry;

// 503 if the transaction has failed: an item that was not found may exist.
Outcome readable(const store::Txn &txn) {
    if (txn.good()) return Done{};
    return Error{Refusal::store_unreadable,
                 "the store cannot be read: " + std::string(to_string(txn.error())), 1};
}

std::string name_of(const Token &token) {
    return std::to_string(token.number) + " " + quoted(token.label);
}

bool is_printable(int32_t code_point) {
    switch (utf8proc_category(code_point)) {
        case UTF8PROC_CATEGORY_CN:
        case UTF8PROC_CATEGORY_CC:
        case UTF8PROC_CATEGORY_CF:
        case UTF8PROC_CATEGORY_CS:
        case UTF8PROC_CATEGORY_CO:
        case UTF8PROC_CATEGORY_ZL:
        case UTF8PROC_CATEGORY_ZP: return false;
        default: return true;
    }
}

Outcome check_label(std::string_view label) {
    if (!is_utf8(label)) return Error{Refusal::token_label, "the label is not UTF-8"};
    CodePoints text = decode_utf8(label);
    if (text.empty() || text.size() > 64)
        return Error{Refusal::token_label, "the label has " + std::to_string(text.size()) +
                                               " characters; it must have 1 to 64"};
    if (!std::all_of(text.begin(), text.end(), is_printable))
        return Error{Refusal::token_label,
                     "the label " + quoted(label) + " contains a character that is not printable"};
    if (label.front() == ' ' || label.back() == ' ')
        return Error{Refusal::token_label,
                     "the label " + quoted(label) + " begins or ends with a space"};
    if (label.find_first_not_of("0123456789") == std::string_view::npos)
        return Error{Refusal::token_label,
                     "the label " + quoted(label) +
                         " consists of digits only and would be taken for the number of a token"};
    return Done{};
}

Outcome check_times(int64_t not_before, int64_t expires, int64_t now) {
    if (expires != 0 && expires <= now)
        return Error{Refusal::token_times, "the token would expire at " + time_text(expires) +
                                               ", which is not in the future"};
    if (expires != 0 && not_before >= expires)
        return Error{Refusal::token_times, "the token would expire at " + time_text(expires) +
                                               ", before it becomes valid"};
    return Done{};
}

bool is_usable(const Token &token, int64_t now) {
    TokenState state = state_of(token, now);
    return state == TokenState::live || state == TokenState::not_yet_valid;
}

Outcome check_token_limit(const Tenant &tenant, const std::vector<TokenEntry> &tokens,
                          int64_t now) {
    auto live = std::count_if(tokens.begin(), tokens.end(),
                              [&](const auto &e) { return is_usable(e.token, now); });
    if (size_t(live) < store::tokens_per_tenant) return Done{};
    return Error{Refusal::token_limit, "tenant " + quoted(tenant.name) + " has " +
                                           std::to_string(live) +
                                           " live tokens, which is the maximum; revoke one first"};
}

Error known_elsewhere() {
    return Error{Refusal::token_exists,
                 "this token already exists; a token can be added only once"};
}

// The token to rotate: the newest usable one that `which` selects. 409 if none is usable, or if it
// has a usable successor.
Result<TokenEntry> token_to_rotate(store::Txn &txn, const Tenant &tenant, std::string_view which,
                                   int64_t now) {
    auto named = tokens_named(txn, tenant, which);
    RETURN_IF_ERROR(named);
    auto usable = std::find_if(named->rbegin(), named->rend(),
                               [&](const auto &e) { return is_usable(e.token, now); });
    if (usable == named->rend()) {
        const Token &token = named->back().token;
        return Error{Refusal::token_unusable, "token " + name_of(token) + " is " +
                                                  std::string(to_string(state_of(token, now))) +
                                                  "; create a new one"};
    }
    TokenEntry old = *usable;
    // A script that runs twice must not create a second successor.
    for (const TokenEntry &other : store::list_tokens(txn, tenant.number))
        if (other.token.number > old.token.number && other.token.label == old.token.label &&
            is_usable(other.token, now))
            return Error{Refusal::token_unusable,
                         "token " + name_of(old.token) +
                             " has already been rotated: its successor is number " +
                             std::to_string(other.token.number)};
    return old;
}

}  // namespace

Result<std::vector<TokenEntry>> tokens_named(store::Txn &txn, const Tenant &tenant,
                                             std::string_view which) {
    auto tokens = store::list_tokens(txn, tenant.number);
    RETURN_IF_ERROR(readable(txn));
    uint32_t number = 0;
    const bool is_number = read_number(which, number);
    tokens.erase(std::remove_if(tokens.begin(), tokens.end(),
                                [&](const TokenEntry &e) {
                                    return is_number ? e.token.number != number
                                                     : e.token.label != which;
                                }),
                 tokens.end());
    if (tokens.empty())
        return Error{Refusal::token_unnamed,
                     "tenant " + quoted(tenant.name) + " has no token " +
                         (is_number ? "number " + std::to_string(number) : quoted(which))};
    return tokens;
}

Result<TenantResult> create_tenant(store::WriteTxn &txn, std::string_view name, int64_t now,
                                   const std::array<uint8_t, 32> &random) {
    // A name that begins with "-" would need "--" before it on a command line.
    bool begins = store::is_tenant_name(name) && name.find_first_of(".-_") != 0;
    if (!begins)
        return Error{
            Refusal::tenant_name,
            "the name " + quoted(name) +
                " is not a valid tenant name: it must consist of 1 to 255 letters, digits, "
                "\".\", \"-\" and \"_\", and begin with a letter or digit"};
    auto known = store::find_tenant(txn, name);
    RETURN_IF_ERROR(readable(txn));
    if (known) return TenantResult{std::move(*known), true};
    if (map_space(txn) == MapSpace::for_lockouts) return directory_full(txn.map_size());
    return TenantResult{store::add_tenant(txn, name, now, random), false};
}

Error unknown_tenant(store::Txn &txn, std::string_view name) {
    constexpr size_t named = 5;
    auto tenants = store::list_tenants(txn);
    std::vector<std::string_view> names;
    for (const Tenant &t : tenants)
        if (t.state == store::TenantState::active) names.push_back(t.name);
    std::string said = "there is no tenant " + quoted(name);
    if (names.empty())
        return Error{Refusal::tenant_unknown,
                     said + ", because no tenant exists; scimctl tenant add creates one"};
    if (std::string meant = did_you_mean(name, names); !meant.empty())
        return Error{Refusal::tenant_unknown, said + meant};
    if (names.size() > named)
        return Error{Refusal::tenant_unknown, said + "; scimctl tenant list prints all tenants"};
    said += "; the tenants are ";
    for (size_t i = 0; i < names.size(); i++) said += (i > 0 ? ", " : "") + quoted(names[i]);
    return Error{Refusal::tenant_unknown, said};
}

Result<Tenant> tenant_named(store::Txn &txn, std::string_view name) {
    auto tenant = store::find_tenant(txn, name);
    RETURN_IF_ERROR(readable(txn));
    if (!tenant || tenant->state != store::TenantState::active) return unknown_tenant(txn, name);
    return std::move(*tenant);
}

Result<TenantResult> disable_tenant(store::WriteTxn &txn, std::string_view name, bool disabled) {
    auto tenant = tenant_named(txn, name);
    RETURN_IF_ERROR(tenant);
    if (tenant->disabled == disabled) return TenantResult{std::move(*tenant), true};
    store::set_tenant_disabled(txn, *tenant, disabled);
    tenant->disabled = disabled;
    return TenantResult{std::move(*tenant), false};
}

std::vector<Tenant> unswept_tenants(store::Txn &txn) {
    auto tenants = store::list_tenants(txn);
    tenants.erase(
        std::remove_if(tenants.begin(), tenants.end(),
                       [](const Tenant &t) { return t.state == store::TenantState::active; }),
        tenants.end());
    return tenants;
}

Result<std::vector<Tenant>> begin_removal(store::WriteTxn &txn, std::string_view name) {
    auto active = store::find_tenant(txn, name);
    RETURN_IF_ERROR(readable(txn));
    if (active) store::mark_tenant_removed(txn, *active);
    auto tenants = unswept_tenants(txn);
    tenants.erase(std::remove_if(tenants.begin(), tenants.end(),
                                 [&](const Tenant &t) { return t.name != name; }),
                  tenants.end());
    RETURN_IF_ERROR(readable(txn));
    if (tenants.empty()) return unknown_tenant(txn, name);
    return tenants;
}

size_t next_sweep_rows(size_t rows, int64_t held) {
    // Aims at half of sweep_hold_max, because the disk makes the duration of a step vary. At most
    // doubles the rows, because one fast step does not predict the next one.
    int64_t wanted = int64_t(rows) * (sweep_hold_max / 2) / std::max<int64_t>(held, 1);
    return size_t(std::clamp<int64_t>(wanted, 16, std::min<int64_t>(int64_t(rows) * 2, 10000)));
}

TokenState state_of(const Token &token, int64_t now) {
    if (token.revoked != 0) return TokenState::revoked;
    if (token.expires != 0 && now >= token.expires) return TokenState::expired;
    return token.not_before != 0 && now < token.not_before ? TokenState::not_yet_valid
                                                           : TokenState::live;
}

std::string_view to_string(TokenState state) {
    switch (state) {
        case TokenState::live: return "live";
        case TokenState::not_yet_valid: return "not yet valid";
        case TokenState::expired: return "expired";
        case TokenState::revoked: return "revoked";
    }
    return "?";
}

std::vector<std::string> scope_names(uint8_t scopes) {
    std::vector<std::string> names;
    if (scopes & store::scope_read) names.emplace_back("read");
    if (scopes & store::scope_write) names.emplace_back("write");
    return names;
}

Result<TokenResult> create_token(store::WriteTxn &txn, const Tenant &tenant,
                                 const TokenOrder &order, const store::Digest &digest,
                                 int64_t now) {
    RETURN_IF_ERROR(check_label(order.label));
    auto tokens = store::list_tokens(txn, tenant.number);
    auto known = store::find_token(txn, digest);
    RETURN_IF_ERROR(readable(txn));
    if (known) {
        bool same = known->tenant == tenant.number && known->label == order.label &&
                    known->scopes == order.scopes && known->subject == order.subject;
        if (!same || !is_usable(*known, now)) return known_elsewhere();
        return TokenResult{std::move(*known), true};
    }
    if (map_space(txn) == MapSpace::for_lockouts) return directory_full(txn.map_size());
    RETURN_IF_ERROR(check_times(order.not_before, order.expires, now));
    for (const TokenEntry &e : tokens)
        if (e.token.label == order.label && is_usable(e.token, now))
            return Error{Refusal::token_label_taken,
                         "tenant " + quoted(tenant.name) + " has a live token " + name_of(e.token) +
                             "; rotate it, revoke it, or choose another label"};
    RETURN_IF_ERROR(check_token_limit(tenant, tokens, now));
    Token token;
    token.tenant = tenant.number;
    token.label = order.label;
    token.scopes = order.scopes;
    token.created = now;
    token.not_before = order.not_before;
    token.expires = order.expires;
    token.subject = order.subject;
    if (!store::add_token(txn, token, digest)) return known_elsewhere();
    return TokenResult{std::move(token), false};
}

Result<RevokeResult> revoke_tokens(store::WriteTxn &txn, const Tenant &tenant,
                                   std::string_view which, int64_t now) {
    auto named = tokens_named(txn, tenant, which);
    RETURN_IF_ERROR(named);
    RevokeResult result;
    for (TokenEntry &entry : *named) {
        if (entry.token.revoked == 0) {
            entry.token.revoked = now;
            store::put_token(txn, entry.token, entry.digest);
            result.revoked++;
        }
        result.tokens.push_back(std::move(entry.token));
    }
    return result;
}

Result<RotateResult> rotate_token(store::WriteTxn &txn, const Tenant &tenant,
                                  const RotateOrder &order, const store::Digest &digest,
                                  int64_t now) {
    auto old = token_to_rotate(txn, tenant, order.which, now);
    RETURN_IF_ERROR(old);
    if (map_space(txn) == MapSpace::for_lockouts) return directory_full(txn.map_size());
    auto tokens = store::list_tokens(txn, tenant.number);
    RETURN_IF_ERROR(check_token_limit(tenant, tokens, now));
    RotateResult result;
    result.old = old->token;
    Token &token = result.token;
    token.tenant = tenant.number;
    token.label = result.old.label;
    token.scopes = result.old.scopes;
    token.subject = result.old.subject;
    token.created = now;
    // The successor of a token that is not yet valid becomes valid at the same time.
    if (result.old.not_before > now) token.not_before = result.old.not_before;
    int64_t life = result.old.expires - std::max(result.old.created, result.old.not_before);
    token.expires = order.expires != 0        ? order.expires
                    : result.old.expires != 0 ? std::max(now, token.not_before) + life
                                              : 0;
    RETURN_IF_ERROR(check_times(token.not_before, token.expires, now));
    if (!store::add_token(txn, token, digest)) return known_elsewhere();
    // The rotation never extends the life of the old token.
    int64_t end = now + order.overlap;
    if (result.old.expires == 0 || end < result.old.expires) result.old.expires = end;
    store::put_token(txn, result.old, old->digest);
    return result;
}

}  // namespace scim::service
