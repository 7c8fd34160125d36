#pragma once
// What the parts of verify() share: the snapshots, the report in the making, the catalog, and which
// tenants there are.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "scim/catalog.h"
#include "scim/id.h"
#include "store/bytes.h"
#include "store/format.h"
#include "store/keys.h"
#include "store/tenants.h"
#include "store/verify.h"

namespace scim::store {

// The first 32 bytes, for a reader.
std::string hex_text(Bytes bytes);

class Verification {
  public:
    Verification(Snapshots &snapshots, size_t limit) : snapshots_(snapshots), limit_(limit) {}

    Txn &txn() { return snapshots_.txn(); }
    // Another number for another snapshot.
    uint64_t snapshot() const { return snapshot_; }

    VerifyReport report;
    std::shared_ptr<const Catalog> catalog;  // of this snapshot; nullptr if it cannot be read

    void problem(Db db, std::string key, std::string text) {
        report.problem_count++;
        if (report.problems.size() < limit_)
            report.problems.push_back({db, std::move(key), std::move(text)});
    }
    // `each(key, value)` for the rows of a database in their order. The snapshot may be another one
    // for each.
    template <class Each>
    void each_row(Db db, Each &&each) {
        std::optional<Cursor> cursor;
        cursor.emplace(txn(), db);
        bool more = cursor->seek("");
        while (more) {
            bool due = snapshots_.is_due(cursor->key().size() + cursor->value().size());
            std::string last(due ? cursor->key() : Bytes());
            each(cursor->key(), cursor->value());
            if (due && txn().good()) {
                cursor.reset();
                renew();
                cursor.emplace(txn(), db);
                more = cursor->seek(last);
                if (!more || cursor->key() != last) continue;
            }
            more = cursor->next();
        }
        end_of_strangers();
    }
    // `each` for the rows of active tenants whose keys are of the right size.
    template <class Each>
    void each_tenant_row(Db db, size_t min_size, size_t max_size, Each &&each) {
        each_row(db, [&](Bytes key, Bytes value) {
            if (key.size() < min_size || key.size() > max_size)
                return problem(db, hex_text(key),
                               "the key has " + std::to_string(key.size()) + " bytes");
            if (is_active(db, TenantNumber(read_be(key.data(), 4)))) each(key, value);
        });
    }

    // False for a row that is not to be looked at: counted if its tenant is being removed, a
    // problem if there is none.
    bool is_active(Db db, TenantNumber tenant) {
        Known state = known(tenant);
        if (state == Known::removing) report.unswept_rows++;
        if (state != Known::unknown) return state == Known::active;
        if (strangers_ != 0 && stranger_ != tenant) end_of_strangers();
        stranger_ = tenant;
        stranger_db_ = db;
        strangers_++;
        return false;
    }
    bool exists(TenantNumber tenant) { return known(tenant) == Known::active; }
    // Declared or not; nullptr if there is none.
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
        asked_ = 0;
        if (catalog == nullptr || catalog_epoch(txn()) == catalog->epoch()) return;
        auto rows = read_catalog(txn());
        if (!rows) return;
        auto changed = Catalog::build(std::move(*rows));
        if (changed) catalog = std::move(*changed);
    }
    // Rows of one unknown tenant are one problem.
    void end_of_strangers() {
        if (strangers_ == 0) return;
        problem(stranger_db_, "tenant " + std::to_string(stranger_),
                std::to_string(strangers_) + (strangers_ == 1 ? " row is" : " rows are") +
                    " of a tenant that does not exist");
        strangers_ = 0;
    }

    Snapshots &snapshots_;
    size_t limit_;
    uint64_t snapshot_ = 0;
    TenantNumber asked_ = 0, stranger_ = 0;
    Known answer_ = Known::unknown;
    Db stranger_db_ = Db::meta;
    uint64_t strangers_ = 0;
};

// Every record, its index rows, and the counters of resources.
// REQUIRES: a catalog.
void verify_resources(Verification &v);
// Every membership in both directions, who the members are, and the jobs of dead rows.
// REQUIRES: a catalog.
void verify_members(Verification &v);

}  // namespace scim::store
