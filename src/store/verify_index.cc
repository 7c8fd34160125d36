#include <xxhash.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "store/directory.h"
#include "store/index_rows.h"
#include "store/verification.h"
#include "store/verify_record.h"

namespace scim::store {

namespace {

uint64_t hash_of(Bytes bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

// A bounded cache of the index rows that a resource must have, as hashes. The rows of a resource
// are not adjacent in the index; without the cache all its index values would be computed for each
// row.
class ExpectedRows {
  public:
    // True if `key` is an index row of this record; nothing if the record is damaged. REQUIRES: the
    // record is of the type `view`.
    std::optional<bool> has(const Catalog &catalog, const TypeView &view, TenantNumber tenant,
                            const Id &id, Bytes bytes, Bytes key);

  private:
    struct Entry {
        uint64_t version = 0;
        std::vector<uint64_t> rows;  // sorted
    };
    static constexpr size_t rows_max = size_t(1) << 22;  // 32 MiB

    std::map<std::string, Entry> entries_;  // by resource_key()
    size_t rows_ = 0;
    uint32_t epoch_ = 0;  // of the catalog
};

std::optional<bool> ExpectedRows::has(const Catalog &catalog, const TypeView &view,
                                      TenantNumber tenant, const Id &id, Bytes bytes, Bytes key) {
    // Not parse(): that would compute the checksum of the whole record for each row.
    auto seen = RecordView::peek(bytes);
    if (!seen) return std::nullopt;
    if (catalog.epoch() != epoch_ || rows_ > rows_max) {
        entries_.clear();
        rows_ = 0;
        epoch_ = catalog.epoch();
    }
    const Key name = resource_key(tenant, view.number, id);
    auto [entry, is_new] = entries_.try_emplace(std::string(Bytes(name)));
    Entry &found = entry->second;
    if (is_new || found.version != seen->header().version) {
        auto record = RecordView::parse(bytes);
        std::vector<Leaf> leaves;
        if (!record || !record->leaves(leaves)) {
            entries_.erase(entry);
            return std::nullopt;
        }
        found.version = record->header().version;
        rows_ -= found.rows.size();
        found.rows.clear();
        for (const auto &[attr, value] : index_values(catalog, view, leaves))
            found.rows.push_back(hash_of(index_key(tenant, view.number, attr, value, id)));
        std::sort(found.rows.begin(), found.rows.end());
        rows_ += found.rows.size() + 16;  // an entry itself takes about as much memory as 16 rows
    }
    return std::binary_search(found.rows.begin(), found.rows.end(), hash_of(key));
}

// Checks records against index rows in both directions, in time linear in the number of rows.
//
// The first walk computes the index rows of each record and looks up each of them. Index rows
// without a record are found by sums: the first walk adds the hash of each row that it finds to the
// sum of the resource, and the second walk, over the index, subtracts the hash of each row.
// Resources share a fixed number of sums. If a sum is not 0, there are surplus rows, or the store
// was written between the walks: a third walk compares each index row of these resources with its
// record.
class IndexVerifier {
  public:
    explicit IndexVerifier(Verification &v) : v_(v), problems_(v.report.problem_count) {}
    void check_resources();
    void check_index();
    void check_suspects();
    void check_counters();

  private:
    // A parsed index row.
    struct Row {
        TenantNumber tenant;
        TypeNumber type;
        const IndexDef *index;
        const TypeView *view;
        IndexTail tail;
    };

    void begin_type(TenantNumber tenant, TypeNumber type);
    void end_type();
    void check_resource(TenantNumber tenant, TypeNumber type, const Id &id, Bytes bytes);
    void check_version(TenantNumber tenant, TypeNumber type, const Id &id, uint64_t version);
    bool is_in_change(TenantNumber tenant, TypeNumber type, const Id &id, uint64_t version,
                      std::optional<Change> &first);
    void check_index_rows_of(TenantNumber tenant, TypeNumber type, const Id &id,
                             const std::vector<Leaf> &leaves);
    std::optional<Row> parse_row(Bytes key, bool reports);
    std::optional<bool> is_expected(const Row &row, Bytes key);
    void check_unique(const Row &row, Bytes key);
    void count_row(const Row &row);
    void end_index();

    std::string name_of(TenantNumber tenant, const TypeView &type, AttrNumber number, Bytes value,
                        const Id &id) const {
        const Attr *attr = type.indexed(number);
        bool text = attr->def->type == AttrType::string || attr->def->type == AttrType::reference ||
                    attr->def->type == AttrType::binary;
        return "tenant " + std::to_string(tenant) + " " + type.type.name + " " + attr->path + " " +
               (text ? quoted(value) : hex_text(value)) + " " + scim::to_string(id);
    }

    std::string name_of(const Row &row) const {
        return name_of(row.tenant, *row.view, row.index->attr, row.tail.value, row.tail.id);
    }
    uint64_t &sum_of(const Id &id) { return sums_[hash_of(bytes_of(id)) % sums_.size()]; }

    Verification &v_;
    const size_t problems_;  // before the check
    std::vector<Leaf> leaves_;
    // The current tenant and type.
    TenantNumber tenant_ = 0;
    TypeNumber type_ = 0;
    uint64_t count_ = 0, count_begun_ = 0;  // resources; the tenant's position at the first of them
    uint64_t snapshot_ = 0, log_start_ = 0, position_ = 0;

    std::vector<uint64_t> sums_ = std::vector<uint64_t>(1 << 16);
    std::string last_unique_;  // the previous row of a unique index
    // The rows of the current tenant and index, and the tenant's position at the first of them.
    Key counter_{};
    uint64_t rows_ = 0, rows_begun_ = 0;
    uint32_t rows_epoch_ = 0;  // of the catalog when the count began
    TenantNumber rows_tenant_ = 0;
    std::vector<std::pair<std::string, std::string>> counters_;  // key and text of each problem
    ExpectedRows expected_;
};

void IndexVerifier::begin_type(TenantNumber tenant, TypeNumber type) {
    const bool same = tenant == tenant_ && type == type_;
    if (same && snapshot_ == v_.snapshot()) return;
    if (!same) end_type();
    Cursor log(v_.txn(), Db::changes);
    const Key prefix = tenant_prefix(tenant);
    bool any = log.seek(prefix) && starts_with(log.key(), prefix) && log.key().size() >= 12;
    log_start_ = any ? read_be(log.key().data() + 4, 8) : UINT64_MAX;
    position_ = Directory(v_.txn(), tenant).position().position;
    if (!same) count_begun_ = position_;
    tenant_ = tenant;
    type_ = type;
    snapshot_ = v_.snapshot();
}

// Compares the counter of the current type after its last resource.
void IndexVerifier::end_type() {
    const uint64_t count = count_;
    count_ = 0;
    if (count == 0 || !v_.exists(tenant_)) return;
    Directory directory(v_.txn(), tenant_);
    uint64_t said = directory.count(type_);
    if (said == count) return;
    if (directory.position().position != count_begun_) {
        v_.report.uncompared++;
        return;
    }
    v_.problem(Db::meta, "tenant " + std::to_string(tenant_) + " resources",
               "the counter is " + std::to_string(said) + ", but there are " +
                   std::to_string(count) + " of " + v_.type_name(type_));
}

void IndexVerifier::check_resources() {
    v_.each_tenant_row(Db::resources, 6 + id_size, 6 + id_size, [&](Bytes key, Bytes value) {
        begin_type(TenantNumber(read_be(key.data(), 4)), TypeNumber(read_be(key.data() + 4, 2)));
        v_.report.resources++;
        count_++;
        check_resource(tenant_, type_, id_at(key, 6), value);
    });
    end_type();
}

void IndexVerifier::check_resource(TenantNumber tenant, TypeNumber type, const Id &id,
                                   Bytes bytes) {
    auto wrong = [&](std::string text) {
        v_.problem(Db::resources, v_.name_of(tenant, type, id), std::move(text));
    };
    if (v_.type_row(type) == nullptr) return wrong("there is no such resource type");
    auto record = RecordView::parse(bytes);
    if (!record) return wrong("the record is damaged: its format, bounds or checksum");
    leaves_.clear();
    if (!record->leaves(leaves_)) return wrong("the record's leaf table is damaged");
    std::string contradiction =
        check_record(*v_.catalog, v_.catalog->type_by_number(type), *record, leaves_);
    if (!contradiction.empty()) wrong(std::move(contradiction));
    check_version(tenant, type, id, record->header().version);
    check_index_rows_of(tenant, type, id, leaves_);
}

void IndexVerifier::check_version(TenantNumber tenant, TypeNumber type, const Id &id,
                                  uint64_t version) {
    auto wrong = [&](const std::string &text) {
        v_.problem(Db::resources, v_.name_of(tenant, type, id),
                   "its version " + std::to_string(version) + text);
    };
    if (version == 0 || version > position_)
        return wrong(" is not between 1 and the tenant's last position, " +
                     std::to_string(position_));
    if (version < log_start_) return;
    std::optional<Change> first;
    if (is_in_change(tenant, type, id, version, first)) return;
    if (!first) return wrong(" has no row in the change log");
    wrong(" belongs to another change: " + std::string(to_string(first->operation)) + " of " +
          v_.type_name(first->type) + " " + scim::to_string(first->id));
}

// True if the change at position `version` is of this resource, or if that cannot be determined.
// Sets `first` to its first part if the position exists. A change has several parts if it has many
// members or if a member was deleted; in the latter case the parts of its groups follow in the
// order of their ids, and then those of its heirs. Since this function runs for each of these groups, it finds the part by
// binary search.
bool IndexVerifier::is_in_change(TenantNumber tenant, TypeNumber type, const Id &id,
                                 uint64_t version, std::optional<Change> &first) {
    std::optional<Change> change;
    auto read = [&](uint16_t part) {
        Bytes bytes;
        if (!v_.txn().get(Db::changes, change_key(tenant, version, part), bytes)) return false;
        change = decode_change(bytes);
        return true;
    };
    auto is_it = [&] {
        return change->type == type && change->id == id && change->operation != Operation::remove &&
               !is_administrative(change->operation);
    };
    if (!read(0)) return false;
    if (!change) return true;  // the damaged row is reported by check_change()
    if (is_it()) return true;
    first = change;
    Cursor last(v_.txn(), Db::changes);
    if (!last.seek_before(change_key(tenant, version + 1, 0)) ||
        last.key().size() != change_key_size)
        return false;
    uint32_t low = 1, high = 1 + uint32_t(read_be(last.key().data() + 12, 2));
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (!read(uint16_t(middle)) || !change) return true;  // reported by check_change()
        if (is_it()) return true;
        // The parts of heirs come after those of groups.
        const bool is_before = change->id == first->id || change->id < id;
        if (is_before && !is_administrative(change->operation))
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

void IndexVerifier::check_index_rows_of(TenantNumber tenant, TypeNumber type, const Id &id,
                                        const std::vector<Leaf> &leaves) {
    const TypeView *view = v_.catalog->type_by_number(type);
    if (view == nullptr) return;
    for (const auto &[attr, value] : index_values(*v_.catalog, *view, leaves)) {
        const std::string key = index_key(tenant, type, attr, value, id);
        Bytes bytes;
        if (v_.txn().get(Db::index, key, bytes)) sum_of(id) += hash_of(key);
        // A building index may lack the row.
        else if (view->indexed(attr)->index->state != IndexState::building)
            v_.problem(Db::index, name_of(tenant, *view, attr, value, id),
                       "the row is missing: the resource has this value");
    }
}

void IndexVerifier::check_index() {
    v_.each_tenant_row(Db::index, index_prefix_size + 1 + id_size, SIZE_MAX,
                       [&](Bytes key, Bytes value) {
                           v_.report.index_rows++;
                           if (!value.empty())
                               v_.problem(Db::index, hex_text(key), "the row has a value");
                           auto row = parse_row(key, true);
                           if (!row) return;
                           sum_of(row->tail.id) -= hash_of(key);
                           check_unique(*row, key);
                           count_row(*row);
                       });
    end_index();
}

void IndexVerifier::count_row(const Row &row) {
    const Key counter = index_rows_key(row.tenant, row.type, row.index->attr);
    if (Bytes(counter) != Bytes(counter_)) {
        end_index();
        counter_ = counter;
        rows_tenant_ = row.tenant;
        rows_begun_ = Directory(v_.txn(), row.tenant).position().position;
        rows_epoch_ = v_.catalog->epoch();
    }
    rows_++;
}

// Compares the counter of the current index with its rows. Steps of building it change both, but no
// position.
void IndexVerifier::end_index() {
    const uint64_t rows = rows_;
    rows_ = 0;
    if (rows == 0 || !v_.exists(rows_tenant_)) return;
    const auto type = TypeNumber(read_be(Bytes(counter_).data() + 5, 2));
    const auto attr = AttrNumber(read_be(Bytes(counter_).data() + 7, 2));
    const uint64_t said = index_rows(v_.txn(), rows_tenant_, type, attr);
    if (said == rows) return;
    const IndexDef *index = nullptr;
    for (const IndexDef &def : v_.catalog->rows().indexes)
        if (def.type == type && def.attr == attr && def.kind == IndexKind::value) index = &def;
    const bool is_steady = index != nullptr && index->state != IndexState::building &&
                           index->state != IndexState::dropping;
    if (!is_steady) return;
    if (Directory(v_.txn(), rows_tenant_).position().position != rows_begun_ ||
        v_.catalog->epoch() != rows_epoch_) {
        v_.report.uncompared++;
        return;
    }
    counters_.emplace_back("tenant " + std::to_string(rows_tenant_) + " index rows",
                           "the counter is " + std::to_string(said) + ", but there are " +
                               std::to_string(rows) + " of attribute " + std::to_string(attr) +
                               " of " + v_.type_name(type));
}

// Reports wrong counters, unless rows are wrong, which explains them; and counters without rows.
void IndexVerifier::check_counters() {
    Cursor cursor(v_.txn(), Db::meta);
    for (bool more = cursor.seek(Bytes("\x08", 1)); more; more = cursor.next()) {
        const Bytes key = cursor.key();
        if (key.size() != 9 || key[0] != char(index_rows_kind)) break;
        const auto tenant = TenantNumber(read_be(key.data() + 1, 4));
        const std::string prefix(key.substr(1));
        Cursor rows(v_.txn(), Db::index);
        if (v_.exists(tenant) && (!rows.seek(prefix) || !starts_with(rows.key(), prefix)))
            counters_.emplace_back("tenant " + std::to_string(tenant) + " index rows",
                                   "there is a counter of an index without rows");
    }
    if (v_.report.problem_count != problems_) return;
    for (auto &[key, text] : counters_) v_.problem(Db::meta, std::move(key), std::move(text));
}

// Nothing if the row belongs to no index or to one that is not maintained. `reports`: report a row
// that belongs to no index.
std::optional<IndexVerifier::Row> IndexVerifier::parse_row(Bytes key, bool reports) {
    auto wrong = [&](const std::string &text) {
        if (reports) v_.problem(Db::index, hex_text(key), text);
        return std::nullopt;
    };
    TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
    TypeNumber type = TypeNumber(read_be(key.data() + 4, 2));
    AttrNumber attr = AttrNumber(read_be(key.data() + 6, 2));
    auto tail = index_tail(key);
    if (!tail) return wrong("the key has no terminator after its value");
    const IndexDef *index = nullptr;
    for (const IndexDef &def : v_.catalog->rows().indexes)
        if (def.type == type && def.attr == attr && def.kind == IndexKind::value) index = &def;
    if (index == nullptr)
        return wrong("there is no index on attribute " + std::to_string(attr) + " of " +
                     v_.type_name(type));
    const TypeView *view = v_.catalog->type_by_number(type);
    // An index that is being dropped, or whose resource type is not declared, is not maintained.
    if (index->state == IndexState::dropping || view == nullptr || view->indexed(attr) == nullptr)
        return std::nullopt;
    return Row{tenant, type, index, view, *tail};
}

// True if the row follows from its resource's record. Nothing if there is no such resource, or if
// its record is damaged, which check_resource() reports.
std::optional<bool> IndexVerifier::is_expected(const Row &row, Bytes key) {
    Bytes bytes;
    if (!v_.txn().get(Db::resources, resource_key(row.tenant, row.type, row.tail.id), bytes))
        return std::nullopt;
    return expected_.has(*v_.catalog, *row.view, row.tenant, row.tail.id, bytes, key);
}

// Reports a value of a unique index that two resources have. Rows of one value are adjacent.
// Digests are skipped, because two long values may have the same one.
void IndexVerifier::check_unique(const Row &row, Bytes key) {
    if (!row.index->is_enforced()) return;
    const Bytes before = last_unique_;
    const bool is_same = before.size() == key.size() && !is_digest(row.tail.value) &&
                         starts_with(before, key.substr(0, key.size() - id_size));
    if (is_same) {
        Row other = row;
        other.tail.id = id_at(before, before.size() - id_size);
        if (is_expected(row, key).value_or(false) && is_expected(other, before).value_or(false))
            v_.problem(Db::index, name_of(row),
                       "another resource has this value, which must be unique");
    }
    last_unique_ = key;
}

void IndexVerifier::check_suspects() {
    if (std::all_of(sums_.begin(), sums_.end(), [](uint64_t sum) { return sum == 0; })) return;
    v_.each_tenant_row(Db::index, index_prefix_size + 1 + id_size, SIZE_MAX, [&](Bytes key, Bytes) {
        auto row = parse_row(key, false);
        if (!row || sum_of(row->tail.id) == 0) return;
        Bytes bytes;
        if (!v_.txn().get(Db::resources, resource_key(row->tenant, row->type, row->tail.id), bytes))
            v_.problem(Db::index, name_of(*row), "there is no such resource");
        else if (!is_expected(*row, key).value_or(true))
            v_.problem(Db::index, name_of(*row), "the resource does not have this value");
    });
}

}  // namespace

void verify_index(Verification &v) {
    IndexVerifier verifier(v);
    verifier.check_resources();
    verifier.check_index();
    verifier.check_suspects();
    verifier.check_counters();
}

}  // namespace scim::store
