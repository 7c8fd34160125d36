#include "store/access.h"

#include <algorithm>

#include "store/bytes.h"

namespace scim::store {

std::string encode_access(const AccessState &state) {
    std::string row;
    append_le(row, uint64_t(state.blocked), 8);
    append_le(row, uint64_t(state.not_before), 8);
    if (state.blocked != 0 && state.blocked_user != Id{}) row.append(bytes_of(state.blocked_user));
    return row;
}

std::optional<AccessState> decode_access(Bytes row) {
    constexpr size_t times_size = 16;
    const bool has_user = row.size() == times_size + id_size;
    if (row.size() != times_size && !has_user) return std::nullopt;
    AccessState state{int64_t(read_le(row.data(), 8)), int64_t(read_le(row.data() + 8, 8)), {}};
    if (state.empty() || state.blocked < 0 || state.not_before < 0) return std::nullopt;
    if (has_user) state.blocked_user = id_at(row, times_size);
    if (has_user && (state.blocked == 0 || state.blocked_user == Id{})) return std::nullopt;
    return state;
}

AccessState access_at(Txn &txn, Bytes key) {
    Bytes row;
    if (!txn.get(Db::access, key, row)) return {};
    auto state = decode_access(row);
    if (!state) txn.fail(Errc::damaged);
    return state.value_or(AccessState());
}

AccessState access_of(Txn &txn, TenantNumber tenant, const Id &id) {
    if (txn.entries(Db::access) == 0) return {};  // the usual case, and faster
    return access_at(txn, access_key(tenant, id));
}

bool is_tombstone(Bytes key) {
    const auto kind = AccessKind(key[access_prefix_size - 1]);
    return kind != AccessKind::resource && kind != AccessKind::block;
}

namespace {

// The row of kind 0x05 that a tombstone has before and after a write.
void put_block(WriteTxn &txn, Bytes key, const AccessState &state) {
    Bytes row;
    const auto before =
        txn.get(Db::access, key, row) ? decode_access(row) : std::optional<AccessState>();
    const Id old = before ? before->blocked_user : Id{};
    const Id user = state.blocked != 0 ? state.blocked_user : Id{};
    if (old == user) return;
    if (old != Id{}) txn.del(Db::access, block_key(old, key));
    if (user != Id{}) txn.put(Db::access, block_key(user, key), {});
}

}  // namespace

void put_access(WriteTxn &txn, Bytes key, const AccessState &state) {
    if (is_tombstone(key)) put_block(txn, key, state);
    if (state.empty())
        txn.del(Db::access, key);
    else
        txn.put(Db::access, key, encode_access(state));
}

std::vector<std::string> tombstones_of_block(Txn &txn, TenantNumber tenant, const Id &user,
                                             size_t limit) {
    std::vector<std::string> keys;
    const Key prefix = block_prefix(tenant, user);
    Cursor cursor(txn, Db::access);
    for (bool more = cursor.seek(prefix);
         more && keys.size() < limit && starts_with(cursor.key(), prefix); more = cursor.next())
        keys.push_back(
            std::string(tenant_prefix(tenant)).append(cursor.key().substr(prefix.size())));
    return keys;
}

AccessState merged(const AccessState &a, const AccessState &b) {
    AccessState both{std::max(a.blocked, b.blocked), std::max(a.not_before, b.not_before), {}};
    if (a.blocked == 0 || b.blocked == 0)
        both.blocked_user = a.blocked == 0 ? b.blocked_user : a.blocked_user;
    else if (a.blocked_user == b.blocked_user)
        both.blocked_user = a.blocked_user;
    return both;
}

int64_t gate_paused_until(Txn &txn, TenantNumber tenant) {
    Bytes row;
    if (!txn.get(Db::meta, gate_pause_key(tenant), row)) return 0;
    if (row.size() != 8) {
        txn.fail(Errc::damaged);
        return 0;
    }
    return int64_t(read_le(row.data(), 8));
}

void put_gate_pause(WriteTxn &txn, TenantNumber tenant, int64_t until) {
    if (until == 0) {
        txn.del(Db::meta, gate_pause_key(tenant));
        return;
    }
    std::string row;
    append_le(row, uint64_t(until), 8);
    txn.put(Db::meta, gate_pause_key(tenant), row);
}

}  // namespace scim::store
