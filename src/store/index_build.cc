#include "store/index_build.h"

#include <algorithm>
#include <map>
#include <optional>

#include "store/bytes.h"
#include "store/index_rows.h"
#include "store/postings.h"
#include "store/tenants.h"

namespace scim::store {

namespace {

// How far an index is built or dropped: a row of `local`, because every machine has its own rows.
struct Progress {
    TenantNumber tenant = 0;
    Id id{};  // the last resource that was indexed
    bool has_conflict = false;
    uint64_t done = 0;  // resources that were indexed, or rows that were deleted
};

bool builds_substrings(const IndexDef &index) {
    return index.kind == IndexKind::substring && index.state == IndexState::building;
}

// The progress counts only under the declaration that it was made under: under another one the
// attribute may not have been unique, and then duplicates were not refused. This does not concern
// the build of a substring index, which must not add a resource twice.
uint64_t generation_of(const Catalog &catalog, const IndexDef &index) {
    return builds_substrings(index) ? 0 : catalog.rows().generation;
}

Key progress_key(const IndexDef &index) {
    return builds_substrings(index) ? substring_build_key(index.number)
                                    : index_build_key(index.number);
}

struct ProgressRow {
    uint64_t generation;
    Progress progress;
};

std::optional<ProgressRow> decode_progress(Bytes bytes) {
    ByteReader in(bytes);
    const uint64_t generation = in.le(8);
    const auto tenant = TenantNumber(in.le(4));
    const Bytes id = in.bytes(id_size);
    const uint64_t has_conflict = in.le(1), done = in.le(8);
    if (in.failed() || in.left() != 0 || has_conflict > 1) return std::nullopt;
    return ProgressRow{generation, {tenant, id_at(id, 0), has_conflict == 1, done}};
}

// Where a build or drop begins if the row cannot be read, or is of another generation.
Progress read_progress(Txn &txn, const Key &key, uint64_t generation) {
    Bytes bytes;
    if (!txn.get(Db::local, key, bytes)) return {};
    const auto row = decode_progress(bytes);
    return row && row->generation == generation ? row->progress : Progress();
}

void put_progress(WriteTxn &txn, const IndexDef &index, uint64_t generation,
                  const Progress &progress) {
    std::string bytes;
    append_le(bytes, generation, 8);
    append_le(bytes, progress.tenant, 4);
    bytes.append(bytes_of(progress.id));
    append_le(bytes, progress.has_conflict, 1);
    append_le(bytes, progress.done, 8);
    txn.put(Db::local, progress_key(index), bytes);
}

// Adds the rows of one resource, and their number to `rows`. Returns true if another resource has one
// of the values and the index is unique. A damaged record gets no rows: scimctl verify reports it.
bool add_rows(WriteTxn &txn, const Catalog &catalog, const IndexDef &index, TenantNumber tenant,
              const Id &id, Bytes bytes, int64_t &rows) {
    auto record = RecordView::parse(bytes);
    std::vector<Leaf> leaves;
    if (!record || !record->leaves(leaves)) return false;
    bool has_conflict = false;
    Directory directory(txn, tenant);
    const TypeView &type = *catalog.type_by_number(index.type);
    for (const auto &[attr, value] : index_values(catalog, type, leaves)) {
        if (attr != index.attr) continue;
        if (txn.insert(Db::index, index_key(tenant, index.type, attr, value, id), {})) rows++;
        has_conflict |= index.unique && directory.find(index.type, attr, value, 2).size() > 1;
    }
    return has_conflict;
}

// The postings that a step of building a substring index adds, so that it changes each list once.
class PostingBatch {
  public:
    // Adds to `count`, the number of postings in the step, of all tenants.
    PostingBatch(const Catalog &catalog, const IndexDef &index, size_t &count)
        : catalog_(catalog), index_(index), count_(count) {}

    // REQUIRES: the ids ascend. A damaged record gets no postings: scimctl verify reports it.
    void add(const Id &id, Bytes bytes);
    bool is_full() const { return count_ >= postings_a_step; }
    void put(WriteTxn &txn, TenantNumber tenant) const;

  private:
    static constexpr size_t postings_a_step = 3000;

    const Catalog &catalog_;
    const IndexDef &index_;
    std::map<Trigram, Numbers> lists_;
    size_t &count_;
};

void PostingBatch::add(const Id &id, Bytes bytes) {
    auto record = RecordView::parse(bytes);
    std::vector<Leaf> leaves;
    if (!record || !record->leaves(leaves)) return;
    const TypeView &type = *catalog_.type_by_number(index_.type);
    for (const TrigramSet &set : trigram_sets(catalog_, type, leaves)) {
        if (set.attr != index_.attr) continue;
        for (Trigram trigram : set.trigrams) lists_[trigram].push_back(number_of(id));
        count_ += set.trigrams.size();
    }
}

void PostingBatch::put(WriteTxn &txn, TenantNumber tenant) const {
    for (const auto &[trigram, numbers] : lists_)
        PostingWriter(txn, trigram_prefix(tenant, index_.type, index_.attr, trigram)).add(numbers);
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

// True if a list of a substring index has resources of the tenant.
bool has_blocks(Txn &txn, TenantNumber tenant, const IndexDef &index) {
    const std::string prefix = index_prefix(tenant, index.type, index.attr);
    Cursor cursor(txn, Db::trigrams);
    return cursor.seek(prefix) && starts_with(cursor.key(), prefix);
}

// What a resource takes of the effort of a step.
size_t effort_of(Bytes record) { return 1 + record.size() / 1024; }

// The next resources of the tenant after `after`, copied, because adding rows moves pages. Ends with
// the resource that uses up `left`.
std::vector<std::pair<Id, std::string>> resources_after(Txn &txn, TenantNumber tenant,
                                                        TypeNumber type, const Id &after,
                                                        size_t &left) {
    std::vector<std::pair<Id, std::string>> some;
    const Key prefix = resource_prefix(tenant, type);
    Cursor cursor(txn, Db::resources);
    for (bool more = cursor.seek(resource_key(tenant, type, after)); more && left > 0;
         more = cursor.next()) {
        const Bytes key = cursor.key();
        if (!starts_with(key, prefix) || key.size() != prefix.size() + id_size) break;
        const Id id = id_at(key, prefix.size());
        if (id == after) continue;
        some.emplace_back(id, cursor.value());
        left -= std::min(left, effort_of(cursor.value()));
    }
    return some;
}

}  // namespace

bool is_built_at(Txn &txn, uint16_t number, TenantNumber tenant, const Id &id) {
    const Progress progress = read_progress(txn, substring_build_key(number), 0);
    return std::pair(tenant, id) <= std::pair(progress.tenant, progress.id);
}

IndexBuild build_index(WriteTxn &txn, const Catalog &catalog, const IndexDef &index,
                       size_t effort) {
    const uint64_t generation = generation_of(catalog, index);
    Progress progress = read_progress(txn, progress_key(index), generation);
    IndexBuild build;
    size_t left = effort, postings_of_step = 0;
    TenantNumber tenant = next_tenant(txn, progress.tenant);
    for (; tenant != 0 && left > 0; tenant = next_tenant(txn, uint64_t(tenant) + 1)) {
        if (tenant != progress.tenant) {
            progress = {tenant, Id{}, progress.has_conflict, progress.done};
            build.must_restart = builds_substrings(index) && has_blocks(txn, tenant, index);
            if (build.must_restart) return build;
        }
        int64_t rows = 0;
        PostingBatch postings(catalog, index, postings_of_step);
        for (const auto &[id, bytes] :
             resources_after(txn, tenant, index.type, progress.id, left)) {
            if (index.kind == IndexKind::value)
                progress.has_conflict |= add_rows(txn, catalog, index, tenant, id, bytes, rows);
            else
                postings.add(id, bytes);
            progress.id = id;
            progress.done++;
            if (postings.is_full()) {
                left = 0;
                break;
            }
        }
        add_index_rows(txn, tenant, index.type, index.attr, rows);
        postings.put(txn, tenant);
        left -= std::min<size_t>(left, 1);
    }
    build.is_complete = left > 0;
    build.has_conflict = progress.has_conflict;
    if (build.is_complete)
        txn.del(Db::local, progress_key(index));
    else
        put_progress(txn, index, generation, progress);
    return build;
}

// The rows of an index are in one range for each tenant. A seek skips the tenants without rows.
bool drop_index(WriteTxn &txn, const Catalog &catalog, const IndexDef &index, size_t effort) {
    const uint64_t generation = catalog.rows().generation;
    Progress progress = read_progress(txn, progress_key(index), generation);
    // Of a build that has not ended: the next one begins with the first resource.
    txn.del(Db::local, substring_build_key(index.number));
    uint64_t tenant = progress.tenant;
    bool more = true;
    const bool is_value = index.kind == IndexKind::value;
    Cursor cursor(txn, is_value ? Db::index : Db::trigrams);
    while (more && effort > 0 && tenant <= UINT32_MAX) {
        effort--;
        progress.tenant = TenantNumber(tenant);
        const std::string prefix = index_prefix(progress.tenant, index.type, index.attr);
        more = cursor.seek(prefix);
        if (more && is_value && starts_with(cursor.key(), prefix))
            txn.del(Db::meta, index_rows_key(progress.tenant, index.type, index.attr));
        for (; more && effort > 0 && starts_with(cursor.key(), prefix); effort--) {
            cursor.del();
            progress.done++;
            more = cursor.next();
        }
        if (!more || starts_with(cursor.key(), prefix)) continue;
        const Bytes key = cursor.key();
        const uint64_t next = key.size() < 4 ? 0 : read_be(key.data(), 4);  // tenant of the row
        tenant = std::max(next, tenant + 1);
    }
    const bool is_complete = !more || tenant > UINT32_MAX;
    if (is_complete)
        txn.del(Db::local, progress_key(index));
    else
        put_progress(txn, index, generation, progress);
    return is_complete;
}

void forget_progress(WriteTxn &txn, const IndexDef &index) {
    txn.del(Db::local, index_build_key(index.number));
    txn.del(Db::local, substring_build_key(index.number));
}

bool is_progress_of_values(Bytes value) { return decode_progress(value).has_value(); }

bool is_progress_of_substrings(Bytes value) {
    const auto row = decode_progress(value);
    return row && row->generation == 0 && !row->progress.has_conflict;
}

uint64_t index_progress(Txn &txn, const Catalog &catalog, const IndexDef &index) {
    return read_progress(txn, progress_key(index), generation_of(catalog, index)).done;
}

}  // namespace scim::store
