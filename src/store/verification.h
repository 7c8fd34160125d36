#pragma once
// State that the parts of verify() share: the snapshots, the report, the catalog and the state of
// tenants.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "scim/schema/catalog.h"
#include "scim/text/id.h"
#include "store/bytes.h"
#include "store/format.h"
#include "store/keys.h"
#include "store/tenants.h"
#include "store/verify.h"

namespace scim::store {

// The first 32 bytes in hexadecimal, for a message.
std::string hex_text(Bytes bytes);

class Verification {
  public:
    Verification(Snapshots &snapshots, size_t limit) : snapshots_(snapshots), limit_(limit) {}

    Txn &txn() { return snapshots_.txn(); }
    // The number of the current snapshot: it changes when the snapshot is renewed.
    uint64_t snapshot() const { return snapshot_; }

    VerifyReport report;
    std::shared_ptr<const Catalog> catalog;  // of the snapshot; nullptr if it cannot be read

    void problem(Db db, std::string key, std::string text) {
        report.problem_count++;
        if (report.problems.size() < limit_)
            report.problems.push_back({db, std::move(key), std::move(text)});
    }
    // Counts a row of this size that was read in the current snapshot. each_row() calls it for its
    // own rows.
    void note_read(size_t bytes) { is_due_ |= snapshots_.is_due(bytes); }
    // Calls `each(key, value)` for the rows of a database in key order. The snapshot may be renewed
    // between two calls.
    template <class Each>
    void each_row(Db db, Each &&each) {
        std::optional<Cursor> cursor;
        cursor.emplace(txn(), db);
        bool more = cursor->seek("");
        while (more) {
            note_read(cursor->key().size() + cursor->value().size());
            each(cursor->key(), cursor->value());
            if (is_due_ && txn().good()) {
                const std::string last(cursor->key());
                cursor.reset();
                renew();
                cursor.emplace(txn(), db);
                more = cursor->seek(last);
                if (!more || cursor->key() != last) continue;
            }
            more = cursor->next();
        }
        report_unknown_tenant();
    }
    // Calls `each(key, value)` for the rows of active tenants. A key of a wrong size is a problem.
    template <class Each>
    void each_tenant_row(Db db, size_t min_size, size_t max_size, Each &&each) {
        each_row(db, [&](Bytes key, Bytes value) {
            if (key.size() < min_size || key.size() > max_size)
                return problem(db, hex_text(key),
                               "the key has " + std::to_string(key.size()) + " bytes");
            if (is_active(db, TenantNumber(read_be(key.data(), 4)))) each(key, value);
        });
    }

    // True if the tenant of a row is active. Otherwise the row must be skipped: it is counted if
    // the tenant is being removed, and a problem if the tenant does not exist.
    bool is_active(Db db, TenantNumber tenant) {
        Known state = known(tenant);
        if (state == Known::removing) report.unswept_rows++;
        if (state != Known::unknown) return state == Known::active;
        if (unknown_rows_ != 0 && unknown_ != tenant) report_unknown_tenant();
        unknown_ = tenant;
        unknown_db_ = db;
        unknown_rows_++;
        return false;
    }
    bool exists(TenantNumber tenant) { return known(tenant) == Known::active; }
    // The row of a resource type, declared or not; nullptr if there is none.
    const CatalogRows::TypeRow *type_row(TypeNumber number) const {
        if (catalog == nullptr) return nullptr;
        for (const auto &row : catalog->rows().types)
            if (row.number == number) return &row;
        return nullptr;
    }
    std::string type_name(TypeNumber number) const {
        const auto *row = type_row(number);
        return row != nullptr ? row->type.name : "type " + std::to_string(number);
    }
    std::string name_of(TenantNumber tenant, TypeNumber type, const Id &id) const {
        return "tenant " + std::to_string(tenant) + " " + type_name(type) + " " +
               scim::to_string(id);
    }

  private:
    enum class Known : uint8_t { unknown, active, removing };

    Known known(TenantNumber tenant) {
        if (tenant == asked_ && tenant != 0) return answer_;
        auto found = find_tenant(txn(), tenant);
        asked_ = tenant;
        answer_ = !found                                ? Known::unknown
                  : found->state == TenantState::active ? Known::active
                                                        : Known::removing;
        return answer_;
    }
    void renew() {
        snapshots_.renew();
        snapshot_++;
        is_due_ = false;
        asked_ = 0;
        if (catalog == nullptr || catalog_epoch(txn()) == catalog->epoch()) return;
        auto rows = read_catalog(txn());
        if (!rows) return;
        auto changed = Catalog::build(std::move(*rows));
        if (changed) catalog = std::move(*changed);
    }
    // Reports the rows of an unknown tenant in one database as one problem.
    void report_unknown_tenant() {
        if (unknown_rows_ == 0) return;
        problem(unknown_db_, "tenant " + std::to_string(unknown_),
                std::to_string(unknown_rows_) + (unknown_rows_ == 1 ? " row is" : " rows are") +
                    " of a tenant that does not exist");
        unknown_rows_ = 0;
    }

    Snapshots &snapshots_;
    size_t limit_;
    uint64_t snapshot_ = 0;
    bool is_due_ = false;     // the next row should be read in a new snapshot
    TenantNumber asked_ = 0;  // the tenant of the last known(), and its answer
    Known answer_ = Known::unknown;
    TenantNumber unknown_ = 0;  // the unknown tenant whose rows are being counted
    Db unknown_db_ = Db::meta;
    uint64_t unknown_rows_ = 0;
};

// Checks every record, its index rows, and the counters of resources. REQUIRES: v.catalog is set.
void verify_index(Verification &v);
// Checks the blocks of substring indexes, and every list against the records. REQUIRES: v.catalog is
// set.
void verify_trigrams(Verification &v);
// Checks that each block of ids has as many resources as it counts, and that all resources are in
// blocks. REQUIRES: v.catalog is set.
void verify_blocks(Verification &v);
// Checks every membership in both directions, that the members exist, and the jobs of dead rows.
// REQUIRES: v.catalog is set.
void verify_members(Verification &v);
// Checks that each row of `access` is of a user, or a tombstone whose value not exactly one user has. REQUIRES:
// v.catalog is set.
void verify_access(Verification &v);
// Checks that each name of a deleted resource belongs to a change that deletes it, and has its
// digest.
void verify_names(Verification &v);

}  // namespace scim::store
