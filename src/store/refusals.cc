#include "store/bytes.h"
#include "store/directory.h"
#include "store/row.h"

namespace scim::store {

namespace {

std::string hex(const RequestId &id) {
    std::string out;
    append_hex(out, id.data(), id.size());
    return out;
}

RequestId unhex(std::string_view text) {
    RequestId id{};
    for (size_t i = 0; i < id.size() && 2 * i + 1 < text.size(); i++)
        id[i] = uint8_t(hex_value(text[2 * i]) * 16 + hex_value(text[2 * i + 1]));
    return id;
}

uint64_t counted(Txn &txn, TenantNumber tenant) {
    Bytes bytes;
    if (!txn.get(Db::meta, refusal_count_key(tenant), bytes) || bytes.size() != 8) return 0;
    return read_le(bytes.data(), 8);
}

void put_count(WriteTxn &txn, TenantNumber tenant, uint64_t count) {
    std::string bytes;
    append_le(bytes, count, 8);
    txn.put(Db::meta, refusal_count_key(tenant), bytes);
}

// Deletes the oldest rows until a new one fits into refusals_per_tenant; returns the rows left.
uint64_t drop_oldest(WriteTxn &txn, TenantNumber tenant, uint64_t count) {
    Cursor cursor(txn, Db::refusals);
    const Key prefix = tenant_prefix(tenant);
    bool more = cursor.seek(prefix);
    for (; more && count >= refusals_per_tenant && starts_with(cursor.key(), prefix);
         more = cursor.next(), count--)
        cursor.del();
    return count;
}

}  // namespace

void add_refusal(WriteTxn &txn, const Refusal &refusal) {
    uint64_t count = drop_oldest(txn, refusal.tenant, counted(txn, refusal.tenant));
    RowWriter row;
    row.number("actor", refusal.actor)
        .text("request", hex(refusal.request))
        .text("operation", refusal.operation);
    row.text("resourceType", refusal.resource_type).text("id", refusal.resource_id);
    row.number("status", refusal.status)
        .text("scimType", refusal.scim_type)
        .text("errorId", refusal.error_id)
        .text("detail", refusal.detail);
    uint32_t sequence = 0;
    while (!txn.insert(Db::refusals, refusal_key(refusal.tenant, refusal.time, sequence),
                       row.done()) &&
           txn.good())
        sequence++;
    put_count(txn, refusal.tenant, count + 1);
}

size_t delete_refusals(WriteTxn &txn, TenantNumber tenant,
                       const std::function<bool(const Refusal &)> &is_wanted) {
    size_t deleted = 0;
    for (const Refusal &refusal : list_refusals(txn, tenant, SIZE_MAX))
        if (is_wanted(refusal))
            deleted += txn.del(Db::refusals, refusal_key(tenant, refusal.time, refusal.sequence));
    if (deleted > 0) put_count(txn, tenant, counted(txn, tenant) - deleted);
    return deleted;
}

std::vector<Refusal> list_refusals(Txn &txn, TenantNumber tenant, size_t limit) {
    std::vector<Refusal> refusals;
    Cursor cursor(txn, Db::refusals);
    const Key prefix = tenant_prefix(tenant);
    for (bool more = cursor.seek_before(tenant_prefix(tenant + 1));
         more && refusals.size() < limit && starts_with(cursor.key(), prefix);
         more = cursor.prev()) {
        RowReader row(cursor.value());
        if (!row || cursor.key().size() != 16) continue;
        Refusal refusal;
        refusal.tenant = tenant;
        refusal.time = int64_t(read_be(cursor.key().data() + 4, 8));
        refusal.sequence = uint32_t(read_be(cursor.key().data() + 12, 4));
        refusal.actor = uint32_t(row.number("actor"));
        refusal.request = unhex(row.text("request"));
        refusal.operation = row.text("operation");
        refusal.resource_type = row.text("resourceType");
        refusal.resource_id = row.text("id");
        refusal.status = uint16_t(row.number("status"));
        refusal.scim_type = row.text("scimType");
        refusal.error_id = row.text("errorId");
        refusal.detail = row.text("detail");
        refusals.push_back(std::move(refusal));
    }
    return refusals;
}

}  // namespace scim::store
