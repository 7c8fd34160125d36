#include "service/authenticate.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <functional>
#include <iterator>

#include "scim/text/datetime.h"
#include "service/token.h"
#include "store/format.h"

namespace scim::service {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Removes the OWS around a field value (RFC 9110 5.5).
std::string_view trim(std::string_view s) {
    while (!s.empty() && is_blank(s.front())) s.remove_prefix(1);
    while (!s.empty() && is_blank(s.back())) s.remove_suffix(1);
    return s;
}

// True for a scheme of the IANA HTTP Authentication Scheme Registry. Any other word may be a
// misplaced token and must not appear in a response or a log.
bool is_registered_scheme(std::string_view word) {
    constexpr std::string_view schemes[] = {
        "Basic",        "Bearer",      "Concealed",     "Digest",    "DPoP",
        "GNAP",         "HOBA",        "Mutual",        "Negotiate", "OAuth",
        "PrivateToken", "SCRAM-SHA-1", "SCRAM-SHA-256", "vapid"};
    return std::any_of(std::begin(schemes), std::end(schemes),
                       [&](std::string_view scheme) { return ascii_iequals(scheme, word); });
}

// 401 for an Authorization header whose first word is not Bearer.
Error wrong_scheme(std::string_view word) {
    const std::string name = is_registered_scheme(word) ? "uses the scheme " + quoted(word)
                                                        : "begins with no registered scheme";
    return Error{Refusal::authorization_form,
                 "the Authorization header " + name + "; expected \"Bearer <token>\""};
}

// Extracts the token "x" from "Bearer x", "bearer  x" or, as a deviation from RFC 6750, "x". Spaces
// separate the scheme from the token; a tab does not (RFC 9110 11.4).
Result<std::string_view> bearer_token(std::string_view header, Dialect &dialect) {
    header = trim(header);
    if (header.empty())
        return Error{
            Refusal::token_missing,
            "the request has no Authorization header; send \"Authorization: Bearer <token>\""};
    size_t blank = 0;
    while (blank < header.size() && !is_blank(header[blank])) blank++;
    const std::string_view word = header.substr(0, blank);
    const bool is_bearer = ascii_iequals(word, "Bearer");
    if (blank == header.size()) {
        if (is_bearer)
            return Error{
                Refusal::token_empty,
                "the Authorization header has the scheme Bearer but no token: the secret token "
                "field of the identity provider is empty"};
        auto bare = dialect.deviation("bare-token",
                                      "the Authorization header has no scheme; send "
                                      "\"Authorization: Bearer <token>\"",
                                      Refusal::authorization_form);
        RETURN_IF_ERROR(bare);
        return header;
    }
    if (!is_bearer) return wrong_scheme(word);
    const size_t token = header.find_first_not_of(' ', blank);
    if (header[token] == '\t')
        return Error{
            Refusal::authorization_form,
            "the Authorization header has a tab after Bearer; send a space: \"Authorization: "
            "Bearer <token>\""};
    return header.substr(token);
}

// 401 for text that administrators paste together with the token: "Bearer " or quotes.
Outcome check_pasted(std::string_view token) {
    if (token.front() != 'B' && token.front() != 'b' && token.front() != '"' &&
        token.front() != '\'')
        return Done{};
    const std::string_view word = token.substr(0, token.find(' '));
    if (word.size() < token.size() && ascii_iequals(word, "Bearer"))
        return Error{
            Refusal::token_pasted_text,
            "the token begins with the word Bearer, which the identity provider adds itself: enter "
            "only the token in its field"};
    if (token.front() == '"' || token.front() == '\'')
        return Error{Refusal::token_pasted_text, "the token is in quotes: enter it without them"};
    return Done{};
}

// 401 for a token that is not in the store, or whose tenant was removed.
Error unknown_token(TokenForm form) {
    switch (form) {
        case TokenForm::foreign:
            return {Refusal::token_foreign,
                    "the token is unknown here: it does not begin with \"scim_\", as the tokens of "
                    "scimctl token create do; check the token field of the identity provider"};
        case TokenForm::damaged:
            return {Refusal::token_damaged,
                    "the token is not complete: it has the prefix of this server's tokens, but its "
                    "length or checksum is wrong; copy it again"};
        default:
            return {Refusal::token_unknown,
                    "the token is unknown here: it was created for another server or store, or its "
                    "tenant was removed; scimctl token list --tenant NAME lists the tokens of this "
                    "store, scimctl token create creates one"};
    }
}

Outcome check_time(const Actor &actor, int64_t now) {
    if (actor.not_before != 0 && now < actor.not_before)
        return Error{Refusal::token_not_yet_valid,
                     "the token " + quoted(actor.label) + " is not valid before " +
                         time_text(actor.not_before) + "; the clock of this server says " +
                         time_text(now)};
    if (actor.expires != 0 && now >= actor.expires)
        return Error{Refusal::token_expired, "the token " + quoted(actor.label) + " expired at " +
                                                 time_text(actor.expires) +
                                                 "; create a new one with scimctl token create"};
    return Done{};
}

}  // namespace

uint64_t Authenticator::epoch_of(store::Txn &txn) {
    if (!known_ || txn.id() != txn_) {
        epoch_ = store::auth_epoch(txn);
        txn_ = txn.id();
        known_ = txn.good();
    }
    return epoch_;
}

Result<ActorPtr> Authenticator::look_up(store::Txn &txn, std::string_view token, uint64_t epoch) {
    store::Digest digest = digest_of(token);
    auto row = store::find_token(txn, digest);
    if (!txn.good()) return unreadable(txn.error(), 1);
    auto tenant = row ? store::find_tenant(txn, row->tenant) : std::nullopt;
    if (!tenant || tenant->state != store::TenantState::active)
        return unknown_token(row ? TokenForm::plausible : token_form(token));
    if (row->revoked != 0)
        return Error{Refusal::token_revoked, "the token " + quoted(row->label) +
                                                 " was revoked at " + time_text(row->revoked) +
                                                 "; create a new one with scimctl token create"};
    if (tenant->disabled) return tenant_disabled(tenant->name);
    auto actor = std::make_shared<Actor>();
    actor->tenant = row->tenant;
    actor->token = row->number;
    actor->number = row->actor;
    actor->scopes = row->scopes;
    actor->not_before = row->not_before;
    actor->expires = row->expires;
    actor->tenant_name = tenant->name;
    actor->cursor_key = std::move(tenant->cursor_key);
    actor->label = row->label;
    actor->subject = row->subject;
    actor->digest = digest;
    actor->auth_epoch = epoch;
    return ActorPtr(actor);
}

Result<ActorPtr> Authenticator::authenticate(store::Txn &txn, std::string_view authorization,
                                             int64_t now, Dialect &dialect) {
    auto token = bearer_token(authorization, dialect);
    RETURN_IF_ERROR(token);
    RETURN_IF_ERROR(check_pasted(*token));
    uint64_t epoch = epoch_of(txn);
    if (!txn.good()) return unreadable(txn.error(), 1);
    if (cache_.empty()) cache_.resize(slots);  // here, because most sessions never authenticate
    Entry &entry = cache_[std::hash<std::string_view>()(*token) % slots];
    if (entry.actor == nullptr || entry.actor->auth_epoch != epoch ||
        entry.token.size() != token->size() ||
        CRYPTO_memcmp(entry.token.data(), token->data(), token->size()) != 0) {
        auto actor = look_up(txn, *token, epoch);
        RETURN_IF_ERROR(actor);
        int64_t used = store::last_use(txn, (*actor)->tenant, (*actor)->token);
        entry = {std::string(*token), std::move(*actor), used};
    }
    auto in_time = check_time(*entry.actor, now);
    RETURN_IF_ERROR(in_time);
    if (now - entry.used >= use_interval) note_use(entry, now);
    return entry.actor;
}

void Authenticator::note_use(Entry &entry, int64_t now) {
    if (uses_.size() == uses_pending_max) return;
    uses_.push_back({entry.actor->tenant, entry.actor->token, now});
    entry.used = now;
}

Result<ActorPtr> Authenticator::anonymous(store::Txn &txn, std::string_view name, uint8_t scopes) {
    auto tenant = store::find_tenant(txn, name);
    if (!txn.good()) return unreadable(txn.error(), 1);
    if (!tenant || tenant->state != store::TenantState::active)
        return Error{
            Refusal::tenant_not_configured,
            "there is no tenant " + quoted(name) + ", the value of scim_tenant of this location"};
    if (tenant->disabled) return tenant_disabled(name);
    auto actor = std::make_shared<Actor>();
    actor->tenant = tenant->number;
    actor->tenant_name = std::move(tenant->name);
    actor->cursor_key = std::move(tenant->cursor_key);
    actor->scopes = scopes;
    actor->auth_epoch = epoch_of(txn);
    return ActorPtr(actor);
}

ActorPtr Authenticator::nobody() {
    static const ActorPtr actor = std::make_shared<Actor>();
    return actor;
}

Error tenant_disabled(std::string_view tenant) {
    return Error{
        Refusal::tenant_disabled,
        "the tenant " + quoted(tenant) + " is disabled; scimctl tenant enable enables it again"};
}

Outcome check_tenant(const Actor &actor, std::string_view tenant) {
    if (actor.tenant_name == tenant) return Done{};
    return Error{Refusal::tenant_mismatch,
                 "the token belongs to another tenant than this URL: its tenant is " +
                     quoted(actor.tenant_name)};
}

}  // namespace scim::service
