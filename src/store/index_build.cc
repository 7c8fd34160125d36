#include "store/index_build.h"

#include <algorithm>

#include "store/bytes.h"
#include "store/tenants.h"

namespace scim::store {

namespace {

// How far an index is built: a row of `local`, because every machine builds its own rows.
struct Progress {
    TenantNumber tenant = 0;
    Id id{};  // the last resource that was indexed
    bool has_conflict = false;
};

Progress read_progress(Txn &txn, const IndexDef &index) {
    Progress progress;
    Bytes bytes;
    if (!txn.get(Db::local, index_build_key(index.number), bytes)) return progress;
    if (bytes.size() != 4 + id_size + 1) return progress;  // begin again
    progress.tenant = TenantNumber(read_le(bytes.data(), 4));
    progress.id = id_at(bytes, 4);
    progress.has_conflict = bytes.back() != 0;
    return progress;
}

void put_progress(WriteTxn &txn, const IndexDef &index, const Progress &progress) {
    std::string bytes;
    append_le(bytes, progress.tenant, 4);
    bytes.append(bytes_of(progress.id));
    append_le(bytes, progress.has_conflict, 1);
    txn.put(Db::local, index_build_key(index.number), bytes);
}

// Adds the rows of one resource. Returns true if another resource has one of the values and the
// index is unique. A damaged record gets no rows: scimctl verify reports it.
bool add_rows(WriteTxn &txn, const Catalog &catalog, const IndexDef &index, TenantNumber tenant,
              const Id &id, Bytes bytes) {
    auto record = RecordView::parse(bytes);
    std::vector<Leaf> leaves;
    if (!record || !record->leaves(leaves)) return false;
    bool has_conflict = false;
    Directory directory(txn, tenant);
    const TypeView &type = *catalog.type_by_number(index.type);
    for (const auto &[attr, value] : index_values(catalog, type, leaves)) {
        if (attr != index.attr) continue;
        const std::string key = index_key(tenant, index.type, attr, value, id);
        Bytes known;
        if (!txn.get(Db::index, key, known)) txn.put(Db::index, key, {});
        has_conflict |= index.unique && directory.find(index.type, attr, value, 2).size() > 1;
    }
    return has_conflict;
}

// The first tenant with a number of at least `first`, one that is being removed left out; 0 if there
// is none.
TenantNumber next_tenant(Txn &txn, uint64_t first) {
    while (first <= UINT32_MAX) {
        Cursor cursor(txn, Db::tenants);
        if (!cursor.seek(tenant_number_key(TenantNumber(first))) || cursor.key().size() != 5 ||
            cursor.key().front() != 0)
            return 0;
        const auto number = TenantNumber(read_be(cursor.key().data() + 1, 4));
        const auto tenant = find_tenant(txn, number);
        if (tenant && tenant->state == TenantState::active) return number;
        first = uint64_t(number) + 1;
    }
    return 0;
}

// The next resources of the tenant after `after`, copied, because adding rows moves pages.
std::vector<std::pair<Id, std::string>> resources_after(Txn &txn, TenantNumber tenant,
                                                        TypeNumber type, const Id &after,
                                                        size_t limit) {
    std::vector<std::pair<Id, std::string>> some;
    const Key prefix = resource_prefix(tenant, type);
    Cursor cursor(txn, Db::resources);
    for (bool more = cursor.seek(resource_key(tenant, type, after)); more && some.size() < limit;
         more = cursor.next()) {
        const Bytes key = cursor.key();
        if (!starts_with(key, prefix) || key.size() != prefix.size() + id_size) break;
        const Id id = id_at(key, prefix.size());
        if (id != after) some.emplace_back(id, cursor.value());
    }
    return some;
}

}  // namespace

IndexBuild build_index(WriteTxn &txn, const Catalog &catalog, const IndexDef &index,
                       size_t resources) {
    Progress progress = read_progress(txn, index);
    IndexBuild build;
    size_t left = resources;  // a tenant counts as one resource more
    TenantNumber tenant = next_tenant(txn, progress.tenant);
    for (; tenant != 0 && left > 0; tenant = next_tenant(txn, uint64_t(tenant) + 1)) {
        if (tenant != progress.tenant) progress = {tenant, Id{}, progress.has_conflict};
        const auto some = resources_after(txn, tenant, index.type, progress.id, left);
        for (const auto &[id, bytes] : some) {
            progress.has_conflict |= add_rows(txn, catalog, index, tenant, id, bytes);
            progress.id = id;
        }
        left -= std::min(left, some.size() + 1);
    }
    build.is_complete = left > 0;
    build.has_conflict = progress.has_conflict;
    if (build.is_complete)
        txn.del(Db::local, index_build_key(index.number));
    else
        put_progress(txn, index, progress);
    return build;
}

}  // namespace scim::store
