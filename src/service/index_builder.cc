#include "service/index_builder.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "store/index_build.h"

namespace scim::service {

namespace {

// The effort of a step of some milliseconds: 200 small resources, or 200 KiB of large ones; rows of
// an index that is dropped.
constexpr size_t build_effort = 200, drop_effort = 1000;

constexpr size_t reported_rows = 200000, reported_values = 3;

void change_state(store::WriteTxn &txn, CatalogRows rows, uint16_t number, IndexState state) {
    for (IndexDef &row : rows.indexes)
        if (row.number == number) row.state = state;
    rows.epoch++;
    store::write_indexes(txn, rows);
}

void advance_drop(store::WriteTxn &txn, const Catalog &catalog, const IndexDef &index) {
    if (!store::drop_index(txn, catalog, index, drop_effort)) return;
    CatalogRows rows = catalog.rows();
    if (index.declared)
        return change_state(txn, std::move(rows), index.number, IndexState::building);
    const auto is_it = [&](const IndexDef &row) { return row.number == index.number; };
    rows.indexes.erase(std::find_if(rows.indexes.begin(), rows.indexes.end(), is_it));
    rows.epoch++;
    store::write_indexes(txn, rows);
}

// The path of an attribute of any type, declared or not.
std::string path_of(const Catalog &catalog, const IndexDef &index) {
    const TypeView *type = catalog.type_by_number(index.type);
    if (const Attr *attr = type != nullptr ? type->indexed(index.attr) : nullptr) return attr->path;
    for (const auto &row : catalog.rows().attrs)
        if (row.number == index.attr) return row.path;
    return {};
}

// The name of a type, declared or not.
std::string type_name(const Catalog &catalog, const IndexDef &index) {
    for (const auto &row : catalog.rows().types)
        if (row.number == index.type) return row.type.name;
    return {};
}

// True if scim_index has added the index; false if it exists in any case.
bool is_added(const Catalog &catalog, const IndexDef &index) {
    const TypeView *type = catalog.type_by_number(index.type);
    const Attr *attr = type != nullptr ? type->by_number(index.attr) : nullptr;
    return index.declared && attr != nullptr &&
           (index.kind != IndexKind::value || !is_indexed_always(*type, *attr));
}

// The number of the index with this name, which scim_index has added.
Result<uint16_t> find_added(const Catalog &catalog, const std::string &name) {
    for (const IndexDef &index : catalog.rows().indexes) {
        if (index_name(catalog, index) != name) continue;
        if (is_added(catalog, index)) return index.number;
        return Error{Refusal::index_not_added,
                     "the index " + quoted(name) +
                         " exists without scim_index and cannot be built again while requests are "
                         "served: it keeps values unique, or nginx finds users by it"};
    }
    return Error{Refusal::index_unknown,
                 "there is no index " + quoted(name) + "; scimctl index list lists the indexes"};
}

}  // namespace

std::string index_name(const Catalog &catalog, const IndexDef &index) {
    return type_name(catalog, index) + " " + path_of(catalog, index) +
           (index.kind == IndexKind::value ? "" : " type=substring");
}

size_t rebuild_indexes(store::WriteTxn &txn, const Catalog &catalog,
                       const std::function<bool(const IndexDef &)> &is_wanted) {
    CatalogRows rows = catalog.rows();
    size_t count = 0;
    for (IndexDef &index : rows.indexes) {
        if (index.state == IndexState::dropping || !is_wanted(index)) continue;
        index.state = IndexState::dropping;
        store::forget_progress(txn, index);
        count++;
    }
    rows.epoch++;
    if (count > 0) store::write_indexes(txn, rows);
    return count;
}

Result<std::vector<std::string>> rebuild_indexes(store::WriteTxn &txn, const Catalog &catalog,
                                                 const std::vector<std::string> &names) {
    std::set<uint16_t> wanted;
    for (const std::string &name : names) {
        auto number = find_added(catalog, name);
        RETURN_IF_ERROR(number);
        wanted.insert(*number);
    }
    std::vector<std::string> all;
    for (const IndexDef &index : catalog.rows().indexes) {
        if (names.empty() ? !is_added(catalog, index) : wanted.count(index.number) == 0) continue;
        wanted.insert(index.number);
        all.push_back(index_name(catalog, index));
    }
    rebuild_indexes(txn, catalog,
                    [&](const IndexDef &index) { return wanted.count(index.number) > 0; });
    return all;
}

uint16_t advance_index(store::WriteTxn &txn, const Catalog &catalog, const IndexDef &index) {
    if (index.state == IndexState::dropping) {
        advance_drop(txn, catalog, index);
        return 0;
    }
    const store::IndexBuild build = store::build_index(txn, catalog, index, build_effort);
    if (build.must_restart) {
        rebuild_indexes(txn, catalog,
                        [&](const IndexDef &one) { return one.number == index.number; });
        return 0;
    }
    if (!build.is_complete) return 0;
    const bool in_conflict = build.has_conflict && index.unique;
    change_state(txn, catalog.rows(), index.number,
                 in_conflict ? IndexState::conflict : IndexState::ready);
    return in_conflict ? index.number : 0;
}

std::vector<IndexStatus> index_states(store::Txn &txn, const Catalog &catalog) {
    std::vector<IndexStatus> all;
    const auto tenants = store::list_tenants(txn);
    for (const IndexDef &index : catalog.rows().indexes) {
        IndexStatus status{type_name(catalog, index),
                           path_of(catalog, index),
                           index_name(catalog, index),
                           &index,
                           0,
                           0};
        const bool is_building = index.state == IndexState::building;
        if (is_building || index.state == IndexState::dropping)
            status.done = store::index_progress(txn, catalog, index);
        if (is_building)
            for (const store::Tenant &tenant : tenants)
                status.total += store::Directory(txn, tenant.number).count(index.type);
        all.push_back(std::move(status));
    }
    std::sort(all.begin(), all.end(), [](const IndexStatus &a, const IndexStatus &b) {
        return std::tie(a.index->type, a.attribute, a.index->kind) <
               std::tie(b.index->type, b.attribute, b.index->kind);
    });
    return all;
}

std::vector<Unenforced> unenforced_attributes(const Catalog &catalog) {
    std::vector<Unenforced> all;
    for (const IndexDef &index : catalog.rows().indexes) {
        const TypeView *type = catalog.type_by_number(index.type);
        const Attr *attr = type != nullptr ? type->by_number(index.attr) : nullptr;
        if (attr != nullptr && index.unique && !index.is_enforced())
            all.push_back({type, attr, &index});
    }
    return all;
}

std::vector<Duplicate> find_duplicates(store::Txn &txn, store::TenantNumber tenant,
                                       const Unenforced &unenforced, size_t rows, size_t limit) {
    std::vector<Duplicate> all;
    store::Directory directory(txn, tenant);
    const Attr &attr = *unenforced.attr;
    // The text of a value in the record of its first resource.
    auto value_of = [&](const Id &id, const Id &other) {
        auto record = directory.record(unenforced.type->number, id);
        auto second = directory.record(unenforced.type->number, other);
        std::vector<Leaf> leaves, others;
        if (!record || !second || !record->leaves(leaves) || !second->leaves(others))
            return std::string();
        for (const Leaf &leaf : leaves)
            for (const Leaf &same : others)
                if (leaf.attr == attr.number && same.attr == attr.number &&
                    store::index_value(attr, leaf.json) == store::index_value(attr, same.json))
                    return std::string(leaf.json);
        return std::string();
    };
    store::each_duplicate(
        txn, tenant, *unenforced.index, rows, [&](const Id &first, const Id &second) {
            if (!all.empty() && all.back().ids.back() == first) {
                all.back().ids.push_back(second);
            } else if (all.size() < limit) {
                all.push_back({unenforced.type, &attr, value_of(first, second), {first, second}});
            }
        });
    return all;
}

std::string conflict_report(store::Txn &txn, const Catalog &catalog, uint16_t number) {
    std::string named;
    for (const Unenforced &unenforced : unenforced_attributes(catalog)) {
        if (unenforced.index->number != number) continue;
        size_t count = 0;
        for (const store::Tenant &tenant : store::list_tenants(txn)) {
            if (count == reported_values) break;
            for (const Duplicate &duplicate : find_duplicates(
                     txn, tenant.number, unenforced, reported_rows, reported_values - count)) {
                count++;
                named += (named.empty() ? ": " : ", ") + duplicate.value + " of tenant " +
                         quoted(tenant.name);
            }
        }
        return "the attribute " + quoted(unenforced.attr->path) + " of " +
               unenforced.type->type.name +
               " is declared unique, but is not enforced, because resources have the same value" +
               named + "; scimctl duplicates lists all of them; change or delete them, then reload";
    }
    return {};
}

}  // namespace scim::service
