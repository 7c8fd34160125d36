#include "store/index_rows.h"

#include "store/bytes.h"

namespace scim::store {

Key index_rows_key(TenantNumber tenant, TypeNumber type, AttrNumber attr) {
    return kind_prefix(index_rows_kind, tenant).number(type, 2).number(attr, 2);
}

uint64_t index_rows(Txn &txn, TenantNumber tenant, TypeNumber type, AttrNumber attr) {
    Bytes bytes;
    if (!txn.get(Db::meta, index_rows_key(tenant, type, attr), bytes) || bytes.size() != 8)
        return 0;
    return read_le(bytes.data(), 8);
}

void add_index_rows(WriteTxn &txn, TenantNumber tenant, TypeNumber type, AttrNumber attr,
                    int64_t delta) {
    if (delta == 0) return;
    const Key key = index_rows_key(tenant, type, attr);
    const uint64_t count = index_rows(txn, tenant, type, attr) + uint64_t(delta);
    if (count == 0) {
        txn.del(Db::meta, key);
        return;
    }
    std::string bytes;
    append_le(bytes, count, 8);
    txn.put(Db::meta, key, bytes);
}

}  // namespace scim::store
