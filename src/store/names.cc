#include "store/names.h"

#include <xxhash.h>

#include <vector>

#include "scim/text/matching_key.h"
#include "scim/text/unicode.h"
#include "store/bytes.h"

namespace scim::store {

namespace {

constexpr size_t position_size = 8;

std::string_view cut(std::string_view name) {
    if (name.size() <= kept_name_max) return name;
    name = name.substr(0, kept_name_max);
    return name.substr(0, utf8_prefix(name));
}

std::string folded(std::string_view name) { return key_of(Matching::folded, cut(name)); }

Key digest_prefix(TenantNumber tenant, std::string_view key) {
    return tenant_prefix(tenant).number(2, 1).number(XXH3_64bits(key.data(), key.size()), 8);
}

}  // namespace

Key deleted_name_key(TenantNumber tenant, const Id &id) {
    return tenant_prefix(tenant).number(1, 1).id(id);
}

Key name_digest_key(TenantNumber tenant, std::string_view name, const Id &id) {
    return digest_prefix(tenant, folded(name)).id(id);
}

std::optional<DeletedName> decode_deleted_name(Bytes row) {
    if (row.size() <= position_size || row.size() > position_size + kept_name_max)
        return std::nullopt;
    return DeletedName{read_le(row.data(), position_size), std::string(row.substr(position_size))};
}

std::optional<DeletedName> deleted_name(Txn &txn, TenantNumber tenant, const Id &id) {
    Bytes row;
    if (!txn.get(Db::names, deleted_name_key(tenant, id), row)) return std::nullopt;
    auto found = decode_deleted_name(row);
    if (!found) txn.fail(Errc::damaged);
    return found;
}

void put_deleted_name(WriteTxn &txn, TenantNumber tenant, const Id &id, uint64_t position,
                      std::string_view name) {
    drop_deleted_name(txn, tenant, id);
    std::string row;
    append_le(row, position, position_size);
    row.append(cut(name));
    txn.put(Db::names, deleted_name_key(tenant, id), row);
    txn.put(Db::names, name_digest_key(tenant, name, id), {});
}

size_t drop_deleted_name(WriteTxn &txn, TenantNumber tenant, const Id &id) {
    Bytes row;
    if (!txn.get(Db::names, deleted_name_key(tenant, id), row)) return 0;
    const auto known = decode_deleted_name(row);
    const bool had_digest = known && txn.del(Db::names, name_digest_key(tenant, known->name, id));
    return size_t(txn.del(Db::names, deleted_name_key(tenant, id))) + size_t(had_digest);
}

size_t drop_name_of_change(WriteTxn &txn, TenantNumber tenant, const Id &id, uint64_t position) {
    Bytes row;
    if (!txn.get(Db::names, deleted_name_key(tenant, id), row)) return 0;
    const auto known = decode_deleted_name(row);
    // The resource may have been created and deleted again.
    return known && known->position != position ? 0 : drop_deleted_name(txn, tenant, id);
}

size_t drop_deleted_names(WriteTxn &txn, TenantNumber tenant, std::string_view name, size_t limit) {
    const std::string wanted = folded(name);
    const Key prefix = digest_prefix(tenant, wanted);
    std::vector<Id> ids;
    {
        Cursor cursor(txn, Db::names);
        for (bool more = cursor.seek(prefix);
             more && ids.size() < limit && starts_with(cursor.key(), prefix);
             more = cursor.next()) {
            const Id id = id_at(cursor.key(), prefix.size());
            // Two names may have the same digest.
            const auto known = deleted_name(txn, tenant, id);
            if (known && folded(known->name) == wanted) ids.push_back(id);
        }
    }
    for (const Id &id : ids) drop_deleted_name(txn, tenant, id);
    return ids.size();
}

}  // namespace scim::store
