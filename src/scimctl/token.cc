// scimctl token: creates, lists, shows, revokes and rotates tokens.

#include "service/token.h"
#include "scimctl/commands.h"
#include "scimctl/table.h"
#include "service/admin.h"
#include "service/block_user.h"

namespace scim::scimctl {

namespace {

// The digest, which is stored, and the token itself, which is shown once and never stored; `text`
// is empty if the token was generated elsewhere.
struct NewToken {
    std::string text;
    store::Digest digest;
};

Result<NewToken> new_token(const std::string &sha256) {
    if (!sha256.empty()) {
        auto digest = service::parse_digest(sha256);
        if (!digest) return Error{Refusal::token_digest, "--sha256 needs 64 hexadecimal digits"};
        return NewToken{"", *digest};
    }
    std::array<uint8_t, 32> random;
    service::fill_random(random.data(), random.size());
    NewToken token;
    token.text = service::format_token(random);
    token.digest = service::digest_of(token.text);
    return token;
}

std::string joined(const std::vector<std::string> &words) {
    std::string out;
    for (const auto &word : words) out += (out.empty() ? "" : ", ") + word;
    return out;
}

void add_token(store::RowWriter &row, const store::Token &token, int64_t at) {
    row.number("number", token.number).text("label", token.label);
    row.texts("scopes", service::scope_names(token.scopes))
        .text("state", to_string(service::state_of(token, at)));
    if (!token.subject.empty()) row.text("subject", token.subject);
    row.text("created", time_text(token.created));
    if (token.not_before != 0) row.text("notBefore", time_text(token.not_before));
    if (token.expires != 0) row.text("expires", time_text(token.expires));
    if (token.revoked != 0) row.text("revoked", time_text(token.revoked));
}

std::string described(const store::Token &token, const std::string &tenant) {
    std::string text = "Token " + std::to_string(token.number) + " \"" + token.label +
                       "\" of tenant " + tenant + " (" +
                       joined(service::scope_names(token.scopes)) + ")";
    if (!token.subject.empty()) text += ", bound to user " + token.subject;
    if (token.not_before != 0) text += ", valid from " + time_text(token.not_before);
    if (token.expires != 0) text += ", expires " + time_text(token.expires);
    return text;
}

// A token that could not be printed is useless, because it cannot be shown again.
int not_shown(const Globals &globals, const store::Token &token) {
    return fail(
        globals, exit_store,
        "token " + std::to_string(token.number) + " was created but could not be shown; revoke it");
}

int bad_time(const Globals &globals, const char *option, const std::string &value) {
    return fail(globals, exit_usage,
                std::string(option) + ": " + quoted(value) +
                    " is not a time, expected 2026-11-21T10:00:00Z, 2026-11-21 or 90d");
}

// Creates the token; `user` is the id or userName of its subject, or empty.
Result<service::TokenResult> create(store::WriteTxn &txn, const store::Tenant &tenant,
                                    service::TokenOrder order, const std::string &user,
                                    const store::Digest &digest, int64_t at) {
    if (!user.empty()) {
        auto catalog = service::CatalogCache().at(txn);
        RETURN_IF_ERROR(catalog);
        auto subject = service::find_user({txn, **catalog, tenant}, user);
        RETURN_IF_ERROR(subject);
        order.subject = scim::to_string(subject->id);
    }
    return service::create_token(txn, tenant, order, digest, at);
}

// Opens the store and runs `decide` in a write transaction on the tenant of this name; commits if
// it succeeds. Sets `code` to the exit code.
template <class Decide>
auto write_tokens(const Globals &globals, const std::string &name, int &code, Decide &&decide)
    -> decltype(decide(std::declval<store::WriteTxn &>(), std::declval<const store::Tenant &>())) {
    using Decided =
        decltype(decide(std::declval<store::WriteTxn &>(), std::declval<const store::Tenant &>()));
    auto store = open_store(globals, Access::write);
    code = exit_store;
    if (store == nullptr) return undecided();
    WriteTxn txn(globals, *store);
    auto tenant = service::tenant_named(txn, name);
    Decided decided = tenant ? decide(txn, *tenant) : Decided(tenant.error());
    code = decided ? commit(globals, txn) : fail(globals, decided.error());
    return decided;
}

// Opens the store and calls `show` with a read transaction and the tenant of this name. Returns the
// exit code.
template <class Show>
int read_tokens(const Globals &globals, const std::string &name, Show &&show) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    store::Reader reader(store->env());
    store::ReadTxn txn(reader);
    auto tenant = service::tenant_named(txn, name);
    return tenant ? show(txn, *tenant) : fail(globals, tenant.error());
}

int64_t last_use(store::Txn &txn, const store::Token &token) {
    return store::last_use(txn, token.tenant, token.number);
}

// The newest refusal of the token in the log: its time and its id. Nothing if there is none.
std::optional<store::Refusal> last_refusal(store::Txn &txn, const store::Token &token) {
    for (const store::Refusal &refusal :
         store::list_refusals(txn, token.tenant, store::refusals_per_tenant))
        if (refusal.operation == "authenticate" && refusal.actor == token.actor) return refusal;
    return std::nullopt;
}

std::string shown_time(int64_t time) { return time != 0 ? time_text(time) : std::string(); }

store::RowWriter row_of(store::Txn &txn, const store::Token &token, int64_t at) {
    store::RowWriter row;
    add_token(row, token, at);
    if (const int64_t used = last_use(txn, token); used != 0) row.text("lastUsed", time_text(used));
    return row;
}

// What token show prints of a token, in lines.
std::string details(store::Txn &txn, const store::Tenant &tenant, const store::Token &token,
                    const std::optional<store::Refusal> &refusal, int64_t at) {
    std::string text = "Token " + std::to_string(token.number) + " " + quoted(token.label) +
                       " of tenant " + tenant.name;
    auto add = [&](std::string_view name, const std::string &value) {
        if (!value.empty()) text.append("\n  ").append(name).append(value);
    };
    add("state:      ", std::string(to_string(service::state_of(token, at))));
    add("scopes:     ", joined(service::scope_names(token.scopes)));
    add("subject:    ", token.subject);
    add("created:    ", time_text(token.created));
    add("valid from: ", shown_time(token.not_before));
    add("expires:    ", shown_time(token.expires));
    add("revoked:    ", shown_time(token.revoked));
    const int64_t used = last_use(txn, token);
    add("last used:  ", used != 0 ? time_text(used) : "never");
    if (refusal) add("refused:    ", time_text(refusal->time) + " [" + refusal->error_id + "]");
    return text;
}

}  // namespace

int token_create(const Globals &globals, const TokenArguments &arguments) {
    int64_t at = now();
    service::TokenOrder order;
    order.label = arguments.label;
    order.scopes =
        arguments.scope == "read" ? store::scope_read : store::scope_read | store::scope_write;
    for (auto [option, value, time] :
         {std::tuple("--not-before", &arguments.not_before, &order.not_before),
          std::tuple("--expires", &arguments.expires, &order.expires)}) {
        if (value->empty()) continue;
        auto parsed = parse_time(*value, at);
        if (!parsed || *parsed <= 0) return bad_time(globals, option, *value);
        *time = *parsed;
    }
    auto made = new_token(arguments.sha256);
    if (!made) return fail(globals, exit_usage, made.error());
    int code = exit_ok;
    auto result = write_tokens(
        globals, arguments.tenant, code, [&](store::WriteTxn &txn, const store::Tenant &tenant) {
            return create(txn, tenant, order, arguments.subject, made->digest, at);
        });
    if (code != exit_ok) return code;
    const store::Token &token = result->token;
    store::RowWriter row;
    row.text("tenant", arguments.tenant);
    add_token(row, token, at);
    if (!made->text.empty()) row.text("token", made->text);
    row.boolean("existed", result->existed);
    std::string text = described(token, arguments.tenant);
    if (result->existed)
        text += " exists already.";
    else if (made->text.empty())
        text += " added.";
    else
        text += ". It is shown only once:\n" + made->text;
    return print(globals, text, row) ? exit_ok : not_shown(globals, token);
}

int token_list(const Globals &globals, const TokenArguments &arguments) {
    return read_tokens(
        globals, arguments.tenant, [&](store::Txn &txn, const store::Tenant &tenant) {
            int64_t at = now();
            Table table({"number", "label", "state", "scopes", "created", "expires", "last used",
                         "subject"});
            for (const auto &entry : store::list_tokens(txn, tenant.number)) {
                const store::Token &token = entry.token;
                table.add(
                    {std::to_string(token.number), token.label,
                     std::string(to_string(service::state_of(token, at))),
                     joined(service::scope_names(token.scopes)), time_text(token.created),
                     shown_time(token.expires), shown_time(last_use(txn, token)), token.subject},
                    row_of(txn, token, at));
            }
            if (!txn.good()) return fail(globals, exit_store, to_string(txn.error()));
            store::RowWriter json;
            json.text("tenant", tenant.name);
            return table.print(globals, json, "tokens",
                               "Tenant " + tenant.name + " has no tokens.");
        });
}

int token_show(const Globals &globals, const TokenArguments &arguments) {
    return read_tokens(globals, arguments.tenant,
                       [&](store::Txn &txn, const store::Tenant &tenant) {
                           int64_t at = now();
                           auto tokens = service::tokens_named(txn, tenant, arguments.which);
                           if (!tokens) return fail(globals, tokens.error());
                           List list;
                           for (const auto &entry : *tokens) {
                               store::RowWriter row = row_of(txn, entry.token, at);
                               const auto refusal = last_refusal(txn, entry.token);
                               if (refusal)
                                   row.text("lastRefused", time_text(refusal->time))
                                       .text("lastRefusal", refusal->error_id);
                               list.add(details(txn, tenant, entry.token, refusal, at), row);
                           }
                           store::RowWriter json;
                           json.text("tenant", tenant.name);
                           return list.print(globals, json, "tokens", "");
                       });
}

int token_revoke(const Globals &globals, const TokenArguments &arguments) {
    int64_t at = now();
    int code = exit_ok;
    auto result = write_tokens(globals, arguments.tenant, code,
                               [&](store::WriteTxn &txn, const store::Tenant &tenant) {
                                   return service::revoke_tokens(txn, tenant, arguments.which, at);
                               });
    if (code != exit_ok) return code;
    store::RowWriter json;
    json.text("tenant", arguments.tenant).number("revokedNow", int64_t(result->revoked));
    List list;
    for (const store::Token &token : result->tokens) {
        store::RowWriter row;
        add_token(row, token, at);
        std::string line = "Token " + std::to_string(token.number) + " \"" + token.label +
                           "\" of tenant " + arguments.tenant;
        line +=
            token.revoked == at ? " revoked." : " was revoked at " + time_text(token.revoked) + ".";
        list.add(line, row);
    }
    return list.print(globals, json, "tokens", "");
}

int token_rotate(const Globals &globals, const TokenArguments &arguments) {
    int64_t at = now();
    service::RotateOrder order;
    order.which = arguments.which;
    auto overlap = parse_duration(arguments.overlap);
    if (!overlap)
        return fail(globals, exit_usage,
                    "--overlap: " + quoted(arguments.overlap) +
                        " is not a duration, expected a number with a unit, such as 24h");
    order.overlap = *overlap;
    if (!arguments.expires.empty()) {
        auto parsed = parse_time(arguments.expires, at);
        if (!parsed || *parsed <= 0) return bad_time(globals, "--expires", arguments.expires);
        order.expires = *parsed;
    }
    auto made = new_token(arguments.sha256);
    if (!made) return fail(globals, exit_usage, made.error());
    int code = exit_ok;
    auto result = write_tokens(
        globals, arguments.tenant, code, [&](store::WriteTxn &txn, const store::Tenant &tenant) {
            return service::rotate_token(txn, tenant, order, made->digest, at);
        });
    if (code != exit_ok) return code;
    store::RowWriter row, old;
    row.text("tenant", arguments.tenant);
    add_token(row, result->token, at);
    if (!made->text.empty()) row.text("token", made->text);
    add_token(old, result->old, at);
    row.member("old") += old.done();
    std::string text = described(result->old, arguments.tenant) + " is succeeded by\n" +
                       described(result->token, arguments.tenant) +
                       (made->text.empty() ? "." : ". It is shown only once:\n" + made->text);
    return print(globals, text, row) ? exit_ok : not_shown(globals, result->token);
}

}  // namespace scim::scimctl
