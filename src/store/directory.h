#pragma once
// One tenant's resources, index rows, changes and counters within one transaction.
//
// A handle is bound to a tenant: there is no call that reaches another one's rows. Every resource
// is one record, one index row a distinct value of an indexed attribute, one count a resource type;
// the last change of a resource has the position that its record carries as version.
// DirectoryWriter keeps all of them together.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scim/catalog.h"
#include "scim/id.h"
#include "scim/resource.h"
#include "store/keys.h"
#include "store/lmdb.h"
#include "store/record.h"

namespace scim::store {

enum class Operation : uint8_t { create = 1, replace = 2, patch = 3, remove = 4 };
std::string_view to_string(Operation operation);

using RequestId = std::array<uint8_t, 16>;

// A row of `changes`:
//     change := time:i64 actor:u32 request:16 operation:u8 type:u16 id:16 emptied:u8
//               names added removed
//     names  := count:varint attr:varint*
//     added, removed := count:varint member:16*
// numbers little-endian; `time` in milliseconds; `actor` is a token's number.
struct Change {
    int64_t time = 0;
    uint32_t actor = 0;
    RequestId request{};
    Operation operation = Operation::create;
    TypeNumber type = 0;
    Id id{};
    std::vector<AttrNumber> attrs;   // top attributes that changed
    bool emptied = false;            // all members left, before those of `added` came
    std::vector<Id> added, removed;  // members
};
// A change of more members goes on in the next part.
constexpr size_t members_per_part = 1000;
std::string encode_change(const Change &change);
std::optional<Change> decode_change(Bytes bytes);

struct Position {
    uint64_t position = 0;  // of the tenant's last change
    int64_t time = 0;       // milliseconds: no later change is older
};

// The index rows a resource needs: (index, value), sorted, each once.
using IndexValues = std::vector<std::pair<const IndexDef *, std::string>>;
IndexValues index_values(const Catalog &catalog, const TypeView &type,
                         const std::vector<Leaf> &leaves);
// To normalise and fold their texts, in units of scim/work.h.
size_t index_work(const Catalog &catalog, const TypeView &type, const std::vector<Leaf> &leaves);

// How much a reader may look at; once an answer is false no more is looked at.
class Allowance {
  public:
    // With a record's size, before its checksum is computed: that takes a millisecond for 7 MiB.
    virtual bool may_check(size_t bytes) = 0;
    // Before each row of an index or a membership, a tenth of a microsecond.
    virtual bool may_walk() = 0;

  protected:
    ~Allowance() = default;
};

class Directory {
  public:
    // `allowance`, if there is one, must outlive it.
    Directory(Txn &txn, TenantNumber tenant, Allowance *allowance = nullptr)
        : txn_(txn), tenant_(tenant), allowance_(allowance) {}

    TenantNumber tenant() const { return tenant_; }
    Txn &txn() { return txn_; }
    // To be asked before each row that is walked: false if the walk must end.
    bool may_walk() { return allowance_ == nullptr || allowance_->may_walk(); }

    // Nothing if there is no such resource, or if the allowance says so; a damaged record fails the
    // transaction.
    std::optional<RecordView> record(TypeNumber type, const Id &id);
    bool exists(TypeNumber type, const Id &id);
    uint64_t count(TypeNumber type);
    Position position();

    // The resources with an indexed value, in the order of their ids. A digest is verified by the
    // caller.
    std::vector<Id> find(const IndexDef &index, Bytes value, size_t limit);

    // `each(id)` for the rows of an index whose value and terminator lie at or after `from` and
    // before `to` (empty: the end of the index), in the order of value and id. It returns false to
    // stop; the allowance may end the walk, too.
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
            // Behind a fixed-width value that holds 0x00 another, longer key may begin: width tells.
            if (tail.size() <= id_size || tail[tail.size() - id_size - 1] != 0) continue;
            if (!each(id_at(tail, tail.size() - id_size))) return;
        }
    }

    // `each(id, record bytes)` for up to `count` resources of a type in the order of their ids,
    // after skipping `skip`. It returns false to stop.
    template <class Each>
    void scan(TypeNumber type, uint64_t skip, uint64_t count, Each &&each) {
        const Key prefix = resource_prefix(tenant_, type);
        Cursor cursor(txn_, Db::resources);
        for (bool more = cursor.seek(prefix); more && count > 0; more = cursor.next()) {
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
    Allowance *allowance_;
};

// Records that are asked for in the order of their ids. Each is often the neighbour of the last,
// which a cursor finds without a way down from the root. One that is not costs what it would have.
class RecordCursor {
  public:
    explicit RecordCursor(Directory &directory)
        : directory_(directory), cursor_(directory.txn(), Db::resources) {}

    // As Directory::record().
    std::optional<RecordView> record(TypeNumber type, const Id &id);

  private:
    Directory &directory_;
    Cursor cursor_;
    bool placed_ = false;
};

// What one write does to the members of a Group.
struct MemberChange {
    std::vector<std::pair<Id, TypeNumber>> joined;
    std::vector<Id> left;
    uint32_t epoch = 0;       // of the rows that come
    uint32_t dead_epoch = 0;  // all rows of this epoch die, and are swept later; 0: none
};

// What one write does to one resource, and to the groups that a deleted one was in.
struct ResourceEdit {
    TypeNumber type = 0;
    Id id{};
    std::string record;  // empty: the resource goes
    bool is_new = false;
    IndexValues before, after;
    uint64_t position = 0;
    Change change;  // without members
    MemberChange members;
    // Groups that a deleted resource leaves, with their new records.
    TypeNumber group_type = 0;
    std::vector<std::pair<Id, std::string>> groups;
};

class DirectoryWriter : public Directory {
  public:
    DirectoryWriter(WriteTxn &txn, TenantNumber tenant) : Directory(txn, tenant), write_(txn) {}

    // Record, index rows that differ, members, counter, change rows and position, together. Rows
    // that stay are not rewritten.
    void apply(const ResourceEdit &edit);

  private:
    void put_index(const ResourceEdit &edit);
    void put_changes(const ResourceEdit &edit);
    void add_count(TypeNumber type, int64_t delta);

    WriteTxn &write_;
};

// A refused write, for `scimctl log`: a bounded ring a tenant.
struct Refusal {
    TenantNumber tenant = 0;
    int64_t time = 0;       // milliseconds
    uint32_t sequence = 0;  // among those of this time; given by add_refusal()
    uint32_t actor = 0;
    RequestId request{};
    std::string operation, resource_type, resource_id;
    uint16_t status = 0;
    std::string scim_type, detail;
};
constexpr uint64_t refusals_per_tenant = 1000;
void add_refusal(WriteTxn &txn, const Refusal &refusal);
// The newest first, at most `limit`.
std::vector<Refusal> list_refusals(Txn &txn, TenantNumber tenant, size_t limit);

}  // namespace scim::store
