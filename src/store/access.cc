#include "store/access.h"

#include <algorithm>

#include "store/bytes.h"

namespace scim::store {

std::string encode_access(const AccessState &state) {
    std::string row;
    append_le(row, uint64_t(state.blocked), 8);
    append_le(row, uint64_t(state.not_before), 8);
    return row;
}

std::optional<AccessState> decode_access(Bytes row) {
    if (row.size() != 16) return std::nullopt;
    const AccessState state{int64_t(read_le(row.data(), 8)), int64_t(read_le(row.data() + 8, 8))};
    if (state.empty() || state.blocked < 0 || state.not_before < 0) return std::nullopt;
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

void put_access(WriteTxn &txn, Bytes key, const AccessState &state) {
    if (state.empty())
        txn.del(Db::access, key);
    else
        txn.put(Db::access, key, encode_access(state));
}

AccessState merged(const AccessState &a, const AccessState &b) {
    const bool both = a.blocked != 0 && b.blocked != 0;
    return {both ? std::min(a.blocked, b.blocked) : std::max(a.blocked, b.blocked),
            std::max(a.not_before, b.not_before)};
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
