#include "store/tenants.h"

#include <algorithm>

#include "scim/text/json.h"
#include "store/actors.h"
#include "store/bytes.h"
#include "store/format.h"
#include "store/index_rows.h"
#include "store/row.h"

namespace scim::store {

namespace {

Bytes bytes_of(const Digest &digest) {
    return {reinterpret_cast<const char *>(digest.data()), digest.size()};
}

std::string encode(const Tenant &tenant) {
    RowWriter row;
    row.text("name", tenant.name)
        .text("state", tenant.state == TenantState::active ? "active" : "removing");
    if (tenant.disabled) row.boolean("disabled", true);
    return row.number("created", tenant.created).text("cursorKey", tenant.cursor_key).done();
}

std::optional<Tenant> decode_tenant(TenantNumber number, Bytes bytes) {
    RowReader row(bytes);
    if (!row) return std::nullopt;
    Tenant tenant;
    tenant.number = number;
    tenant.name = row.text("name");
    tenant.state = row.text("state") == "active" ? TenantState::active : TenantState::removing;
    tenant.disabled = row.boolean("disabled");
    tenant.created = row.number("created");
    tenant.cursor_key = row.text("cursorKey");
    return tenant;
}

std::string encode(const Token &token) {
    RowWriter row;
    row.number("tenant", token.tenant).number("number", token.number);
    row.number("actor", token.actor).text("label", token.label);
    row.number("scopes", token.scopes).number("created", token.created);
    row.number("notBefore", token.not_before).number("expires", token.expires);
    row.number("revoked", token.revoked);
    if (!token.subject.empty()) row.text("subject", token.subject);
    return row.done();
}

std::optional<Token> decode_token(Bytes bytes) {
    RowReader row(bytes);
    if (!row) return std::nullopt;
    Token token;
    token.tenant = TenantNumber(row.number("tenant"));
    token.number = uint32_t(row.number("number"));
    token.actor = uint32_t(row.number("actor"));
    token.label = row.text("label");
    token.scopes = uint8_t(row.number("scopes"));
    token.created = row.number("created");
    token.not_before = row.number("notBefore");
    token.expires = row.number("expires");
    token.revoked = row.number("revoked");
    token.subject = row.text("subject");
    return token;
}

// Deletes up to `limit` rows whose keys begin with `prefix`; returns the number deleted.
size_t delete_range(WriteTxn &txn, Db db, Bytes prefix, size_t limit) {
    size_t deleted = 0;
    Cursor cursor(txn, db);
    for (bool more = cursor.seek(prefix);
         more && deleted < limit && starts_with(cursor.key(), prefix); more = cursor.next()) {
        cursor.del();
        deleted++;
    }
    return deleted;
}

}  // namespace

bool is_tenant_name(std::string_view name) {
    return !name.empty() && name.size() <= 255 &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '-' || c == '_';
           });
}

std::optional<Tenant> find_tenant(Txn &txn, TenantNumber number) {
    Bytes bytes;
    if (!txn.get(Db::tenants, tenant_number_key(number), bytes)) return std::nullopt;
    return decode_tenant(number, bytes);
}

std::optional<Tenant> find_tenant(Txn &txn, std::string_view name) {
    Bytes bytes;
    if (name.empty() || !txn.get(Db::tenants, tenant_name_key(name), bytes) || bytes.size() != 4)
        return std::nullopt;
    return find_tenant(txn, TenantNumber(read_be(bytes.data(), 4)));
}

std::vector<Tenant> list_tenants(Txn &txn, size_t limit) {
    std::vector<Tenant> tenants;
    Cursor cursor(txn, Db::tenants);
    std::string prefix(1, '\0');
    for (bool more = cursor.seek(prefix);
         more && tenants.size() < limit && starts_with(cursor.key(), prefix);
         more = cursor.next()) {
        if (cursor.key().size() != 5) continue;
        auto tenant =
            decode_tenant(TenantNumber(read_be(cursor.key().data() + 1, 4)), cursor.value());
        if (tenant) tenants.push_back(std::move(*tenant));
    }
    return tenants;
}

Tenant add_tenant(WriteTxn &txn, std::string_view name, int64_t now,
                  const std::array<uint8_t, 32> &random) {
    Tenant tenant;
    tenant.number = next_tenant_number(txn);
    tenant.name = name;
    tenant.created = now;
    append_hex(tenant.cursor_key, random.data(), random.size());
    std::string number;
    append_be(number, tenant.number, 4);
    txn.put(Db::tenants, tenant_number_key(tenant.number), encode(tenant));
    txn.put(Db::tenants, tenant_name_key(name), number);
    bump_auth_epoch(txn);
    return tenant;
}

void mark_tenant_removed(WriteTxn &txn, Tenant tenant) {
    tenant.state = TenantState::removing;
    txn.put(Db::tenants, tenant_number_key(tenant.number), encode(tenant));
    txn.del(Db::tenants, tenant_name_key(tenant.name));
    bump_auth_epoch(txn);
}

void set_tenant_disabled(WriteTxn &txn, Tenant tenant, bool disabled) {
    tenant.disabled = disabled;
    txn.put(Db::tenants, tenant_number_key(tenant.number), encode(tenant));
    bump_auth_epoch(txn);
}

bool sweep_tenant(WriteTxn &txn, const Tenant &tenant, size_t rows) {
    for (const TokenEntry &entry : list_tokens(txn, tenant.number))
        txn.del(Db::tokens, bytes_of(entry.digest));
    // Derived rows are deleted first, so that no index row is left without its record between
    // steps.
    const Key prefix = tenant_prefix(tenant.number);
    for (Db db :
         {Db::tenant_tokens, Db::index, Db::trigrams, Db::members, Db::memberships, Db::blocks,
          Db::resources, Db::changes, Db::refusals, Db::actors, Db::access, Db::names}) {
        rows -= std::min(rows, delete_range(txn, db, prefix, rows));
        if (rows == 0) return false;
    }
    // The tokens are deleted by now, so put_use() adds no more rows.
    rows -= std::min(rows, delete_range(txn, Db::local, kind_prefix(1, tenant.number), rows));
    if (rows == 0) return false;
    txn.del(Db::local, import_position_key(tenant.number));
    // These rows are few; all must be deleted with the tenant, even beyond `rows`.
    for (uint8_t kind :
         {uint8_t(1), uint8_t(2), uint8_t(3), uint8_t(4), uint8_t(5), index_rows_kind})
        delete_range(txn, Db::meta, kind_prefix(kind, tenant.number), SIZE_MAX);
    txn.del(Db::tenants, tenant_number_key(tenant.number));
    return true;
}

std::optional<Token> find_token(Txn &txn, const Digest &digest) {
    Bytes bytes;
    if (!txn.get(Db::tokens, bytes_of(digest), bytes)) return std::nullopt;
    return decode_token(bytes);
}

std::vector<TokenEntry> list_tokens(Txn &txn, TenantNumber tenant, size_t limit) {
    std::vector<TokenEntry> tokens;
    Cursor cursor(txn, Db::tenant_tokens);
    const Key prefix = tenant_prefix(tenant);
    for (bool more = cursor.seek(prefix);
         more && tokens.size() < limit && starts_with(cursor.key(), prefix); more = cursor.next()) {
        TokenEntry entry;
        if (cursor.value().size() != entry.digest.size()) continue;
        std::copy(cursor.value().begin(), cursor.value().end(), entry.digest.begin());
        auto token = find_token(txn, entry.digest);
        if (!token) continue;
        entry.token = std::move(*token);
        tokens.push_back(std::move(entry));
    }
    return tokens;
}

bool add_token(WriteTxn &txn, Token &token, const Digest &digest) {
    Bytes known;
    if (txn.get(Db::tokens, bytes_of(digest), known)) return false;
    token.number = 1;
    {
        Cursor cursor(txn, Db::tenant_tokens);
        const Key prefix = tenant_prefix(token.tenant);
        if (cursor.seek_before(tenant_prefix(token.tenant + 1)) &&
            starts_with(cursor.key(), prefix) && cursor.key().size() == 8)
            token.number = uint32_t(read_be(cursor.key().data() + 4, 4)) + 1;
    }
    token.actor = add_actor(txn, token.tenant, {token.number});
    txn.put(Db::tenant_tokens, tenant_token_key(token.tenant, token.number), bytes_of(digest));
    put_token(txn, token, digest);
    return true;
}

void put_token(WriteTxn &txn, const Token &token, const Digest &digest) {
    txn.put(Db::tokens, bytes_of(digest), encode(token));
    bump_auth_epoch(txn);
}

int64_t last_use(Txn &txn, TenantNumber tenant, uint32_t token) {
    Bytes bytes;
    if (!txn.get(Db::local, token_use_key(tenant, token), bytes) || bytes.size() != 8) return 0;
    return int64_t(read_le(bytes.data(), 8));
}

void put_use(WriteTxn &txn, const TokenUse &use) {
    Bytes digest;
    if (!txn.get(Db::tenant_tokens, tenant_token_key(use.tenant, use.token), digest)) return;
    if (last_use(txn, use.tenant, use.token) >= use.time) return;
    std::string time;
    append_le(time, uint64_t(use.time), 8);
    txn.put(Db::local, token_use_key(use.tenant, use.token), time);
}

}  // namespace scim::store
