#include "store/import_position.h"

#include "store/bytes.h"

namespace scim::store {

std::optional<ImportPosition> decode_import_position(Bytes bytes) {
    ByteReader in(bytes);
    ImportPosition position;
    position.source = in.le(8);
    position.started = int64_t(in.le(8));
    position.seed = in.le(8);
    position.before = in.le(8);
    position.lines = in.le(8);
    position.digest = in.le(8);
    position.is_begun = in.le(1) != 0;
    if (in.failed() || !in.at_end()) return std::nullopt;
    return position;
}

std::optional<ImportPosition> find_import_position(Txn &txn, TenantNumber tenant) {
    Bytes bytes;
    if (!txn.get(Db::local, import_position_key(tenant), bytes)) return std::nullopt;
    auto position = decode_import_position(bytes);
    if (!position) txn.fail(Errc::damaged);
    return position;
}

void put_import_position(WriteTxn &txn, TenantNumber tenant, const ImportPosition &position) {
    std::string bytes;
    append_le(bytes, position.source, 8);
    append_le(bytes, uint64_t(position.started), 8);
    append_le(bytes, position.seed, 8);
    append_le(bytes, position.before, 8);
    append_le(bytes, position.lines, 8);
    append_le(bytes, position.digest, 8);
    append_le(bytes, position.is_begun, 1);
    txn.put(Db::local, import_position_key(tenant), bytes);
}

void delete_import_position(WriteTxn &txn, TenantNumber tenant) {
    txn.del(Db::local, import_position_key(tenant));
}

}  // namespace scim::store
