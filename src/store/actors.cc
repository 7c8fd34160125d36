#include "store/actors.h"

#include "store/bytes.h"
#include "store/row.h"

namespace scim::store {

namespace {

uint32_t next_number(WriteTxn &txn, TenantNumber tenant) {
    Cursor cursor(txn, Db::actors);
    const Key prefix = tenant_prefix(tenant);
    if (!cursor.seek_before(tenant_prefix(tenant + 1)) || !starts_with(cursor.key(), prefix) ||
        cursor.key().size() != 8)
        return 1;
    return uint32_t(read_be(cursor.key().data() + 4, 4)) + 1;
}

}  // namespace

uint32_t add_actor(WriteTxn &txn, TenantNumber tenant, const ActorRow &actor) {
    const uint32_t number = next_number(txn, tenant);
    RowWriter row;
    txn.put(Db::actors, actor_key(tenant, number),
            row.text("kind", "token").number("token", actor.token).done());
    return number;
}

std::optional<ActorRow> find_actor_row(Txn &txn, TenantNumber tenant, uint32_t number) {
    Bytes bytes;
    if (!txn.get(Db::actors, actor_key(tenant, number), bytes)) return std::nullopt;
    RowReader row(bytes);
    if (!row || row.text("kind") != "token") return std::nullopt;
    return ActorRow{uint32_t(row.number("token"))};
}

}  // namespace scim::store
