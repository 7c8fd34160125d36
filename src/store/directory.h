#pragma once
// One tenant's resources, index rows, changes and counters within one transaction.
//
// A Directory is bound to a tenant: no call reaches rows of another tenant. A resource is one
// record, with one index row for each distinct value of an indexed attribute. Each resource type
// has a counter of its resources, and counts of blocks of them (store/blocks.h). The version in a record is the position of the resource's last
// change. DirectoryWriter keeps all of these consistent.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "scim/resource/resource.h"
#include "scim/schema/catalog.h"
#include "scim/text/id.h"
#include "store/access.h"
#include "store/blocks.h"
#include "store/keys.h"
#include "store/lmdb.h"
#include "store/read_budget.h"
#include "store/record.h"
#include "store/trigrams.h"

namespace scim::store {

// The operations from `block` on are those of scimctl: they change no record, so no record has the
// position of such a change as its version.
enum class Operation : uint8_t {
    create = 1,
    replace = 2,
    patch = 3,
    remove = 4,
    block = 5,
    unblock = 6,
    pause = 7,
    resume = 8,
    forget = 9,
    revoke = 10,
};
std::string_view to_string(Operation operation);
inline bool is_administrative(Operation operation) { return operation >= Operation::block; }

using RequestId = std::array<uint8_t, 16>;

// A row of `changes`:
//     change := time:i64 actor:u32 request:16 operation:u8 type:u16 id:16 flags:u8
//               names added removed
//     flags  := emptied + 2 * was_active + 8 * is_active
//     was_active, is_active := 0 (no value, or `active` did not change) | 1 (false) | 2 (true)
//     names  := count:varint attr:varint*
//     added, removed := count:varint member:16*
// Numbers are little-endian; `time` is in milliseconds since 1970; `actor` is the number of a row
// in `actors`, 0 if there was no token. A change that concerns no resource (pause, resume, forget,
// unblock of a deleted user) has type 0 and an id of zeros.
enum class ActiveValue : uint8_t { none = 0, no = 1, yes = 2 };
struct Change {
    int64_t time = 0;
    uint32_t actor = 0;
    RequestId request{};
    Operation operation = Operation::create;
    TypeNumber type = 0;
    Id id{};
    std::vector<AttrNumber> attrs;  // top-level attributes that changed
    // Values of `active` before and after a change of it. Both are `none` if it did not change.
    ActiveValue was_active = ActiveValue::none, is_active = ActiveValue::none;
    bool emptied = false;            // all members were removed before those of `added` were added
    std::vector<Id> added, removed;  // members
};
// A change of more members is continued in further parts.
constexpr size_t members_per_part = 1000;
std::string encode_change(const Change &change);
std::optional<Change> decode_change(Bytes bytes);
// The resource that a change row deletes; nothing if it is another change, or damaged.
std::optional<Id> deleted_resource(Bytes row);

struct Position {
    uint64_t position = 0;  // of the tenant's last change
    int64_t time = 0;       // of that change, milliseconds; later changes have no earlier time
};

// The index rows of a resource: pairs of attribute number and value, sorted, without duplicates;
// also those of attributes that are not declared now (TypeView::indexed()).
using IndexValues = std::vector<std::pair<AttrNumber, std::string>>;
IndexValues index_values(const Catalog &catalog, const TypeView &type,
                         const std::vector<Leaf> &leaves);
// The cost of computing index_values() (normalisation and case folding), in the units of
// scim/text/work.h.
size_t index_work(const Catalog &catalog, const TypeView &type, const std::vector<Leaf> &leaves);

class Directory {
  public:
    // `budget` may be nullptr (no limit); it must outlive the Directory.
    Directory(Txn &txn, TenantNumber tenant, ReadBudget *budget = nullptr)
        : txn_(txn), tenant_(tenant), budget_(budget) {}

    TenantNumber tenant() const { return tenant_; }
    Txn &txn() { return txn_; }
    // Call before each row of a walk: false if the walk must end.
    bool may_walk() { return budget_ == nullptr || budget_->may_walk(); }
    // Call before `bytes` of a row are decoded: false if the walk must end.
    bool may_read(size_t bytes) { return budget_ == nullptr || budget_->has_time(bytes); }

    // Nothing if there is no such resource or the budget refuses the read; a damaged record
    // fails the transaction.
    std::optional<RecordView> record(TypeNumber type, const Id &id);
    bool exists(TypeNumber type, const Id &id);
    uint64_t count(TypeNumber type);
    Position position();

    // Up to `limit` resources with this value of an indexed attribute, in the order of their ids.
    // If is_digest(value), the caller must compare the value in the record.
    std::vector<Id> find(TypeNumber type, AttrNumber attr, Bytes value, size_t limit);

    // Calls `each(id)` for the rows of an index whose value with its terminator is at or after
    // `from` and before `to` (empty: no upper bound), in the order of value and id. The walk ends
    // when `each` returns false or the budget refuses a row.
    template <class Each>
    void each_row(const IndexDef &index, Bytes from, Bytes to, Each &&each) {
        std::string prefix = index_prefix(tenant_, index.type, index.attr);
        std::string start = prefix;
        start.append(from);
        Cursor cursor(txn_, Db::index);
        for (bool more = cursor.seek(start); more && may_walk(); more = cursor.next()) {
            if (!starts_with(cursor.key(), prefix)) return;
            Bytes tail = cursor.key().substr(prefix.size());
            if (!to.empty() && tail >= to) return;
            // A fixed-width value may contain 0x00: the byte before the id must be the terminator.
            if (tail.size() <= id_size || tail[tail.size() - id_size - 1] != 0) continue;
            if (!each(id_at(tail, tail.size() - id_size))) return;
        }
    }

    // Skips `skip` resources of a type, then calls `each(id, record bytes)` for up to `count` of
    // them, in the order of their ids. The scan ends when `each` returns false. What is skipped is
    // counted in blocks (store/blocks.h), not read. REQUIRES: the type has more than `skip`
    // resources, or `count` is 0.
    template <class Each>
    void scan(TypeNumber type, uint64_t skip, uint64_t count, Each &&each) {
        if (count == 0) return;
        const Key prefix = resource_prefix(tenant_, type);
        const BlockPlace place = find_in_blocks(txn_, tenant_, type, skip);
        skip = place.skip;
        Cursor cursor(txn_, Db::resources);
        for (bool more = cursor.seek(resource_key(tenant_, type, place.first)); more && count > 0;
             more = cursor.next()) {
            if (cursor.key().size() != prefix.size() + id_size ||
                !starts_with(cursor.key(), prefix))
                return;
            if (skip > 0) {
                skip--;
                continue;
            }
            count--;
            if (!each(id_at(cursor.key(), prefix.size()), cursor.value())) return;
        }
    }

  protected:
    friend class RecordCursor;
    std::optional<RecordView> checked(Bytes bytes);

    Txn &txn_;
    TenantNumber tenant_;
    ReadBudget *budget_;
};

// Looks up records in the order of their ids. If the next record is adjacent to the last, a cursor
// finds it without descending from the root of the B+tree; otherwise the cost is that of
// Directory::record().
class RecordCursor {
  public:
    explicit RecordCursor(Directory &directory)
        : directory_(directory), cursor_(directory.txn(), Db::resources) {}

    // Like Directory::record().
    std::optional<RecordView> record(TypeNumber type, const Id &id);

  private:
    Directory &directory_;
    Cursor cursor_;
    bool placed_ = false;
};

// What one write changes in the members of a Group.
struct MemberChange {
    std::vector<std::pair<Id, TypeNumber>> joined;
    std::vector<Id> left;
    uint32_t epoch = 0;       // member epoch of the rows of `joined`
    uint32_t dead_epoch = 0;  // all rows of this epoch die; sweep() deletes them; 0: none
};

// A group that a deleted resource was a member of, with its new record.
struct LeftGroup {
    TypeNumber type = 0;
    Id id{};
    std::string record;
};

// A user whose row in `access` changes because another one leaves its state, or by an import.
struct Heir {
    TypeNumber type = 0;
    Id id{};
    bool is_blocked = false;
};

// What one write changes in one resource, and in the groups of a deleted resource.
struct ResourceEdit {
    TypeNumber type = 0;
    Id id{};
    std::string record;  // empty: the resource is deleted
    bool is_new = false;
    IndexValues before, after;
    TrigramSets trigrams_before, trigrams_after;
    uint64_t position = 0;
    Change change;  // without members
    MemberChange members;
    std::vector<LeftGroup> groups;
    // Rows of `access` by their key; an empty state deletes the row.
    std::vector<std::pair<std::string, AccessState>> access;
    std::vector<Heir> heirs;
    std::string name;  // of a deleted resource, for the log (names.h); empty: it has none
};

class DirectoryWriter : public Directory {
  public:
    DirectoryWriter(WriteTxn &txn, TenantNumber tenant) : Directory(txn, tenant), write_(txn) {}

    // Writes the record, the index rows that differ, members, counter, change rows and position.
    // Index rows that stay the same are not rewritten.
    void apply(const ResourceEdit &edit);
    // Writes only the rows of `access` of the edit, and a change for each heir.
    void apply_access(const ResourceEdit &edit);
    // Writes a change that changes no record, at the next position. Its time is moved forward to
    // that of the tenant's last change if it is earlier.
    void append(Change change);

  private:
    void put_index(const ResourceEdit &edit);
    void put_changes(const ResourceEdit &edit);
    void add_count(TypeNumber type, int64_t delta);
    void put_position(const Position &position);

    WriteTxn &write_;
};

// A refused write, or a write with ignored attributes, for `scimctl log`. The last
// refusals_per_tenant of each tenant are kept.
struct Refusal {
    TenantNumber tenant = 0;
    int64_t time = 0;       // milliseconds
    uint32_t sequence = 0;  // number among the rows of the same time; set by add_refusal()
    uint32_t actor = 0;
    RequestId request{};
    std::string operation, resource_type, resource_id;
    uint16_t status = 0;
    std::string scim_type, detail;
    std::string error_id;  // of the catalogue (refusals.h); empty for ignored attributes
};
constexpr uint64_t refusals_per_tenant = 1000;
void add_refusal(WriteTxn &txn, const Refusal &refusal);
// The newest `limit` refusals, newest first.
std::vector<Refusal> list_refusals(Txn &txn, TenantNumber tenant, size_t limit);
// Deletes the refusals for which `is_wanted(refusal)` is true; returns their number.
size_t delete_refusals(WriteTxn &txn, TenantNumber tenant,
                       const std::function<bool(const Refusal &)> &is_wanted);

}  // namespace scim::store
