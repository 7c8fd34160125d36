#pragma once
// Memberships of groups within one tenant and transaction: a row in each direction.
//
//     members     tenant group member          -> type:u16 of the member, epoch:u32 of the row
//     memberships tenant member group          -> epoch:u32 of the row
//     memberships tenant member 0…0            -> position:u64 of the last change of its groups
//     jobs        0x01 tenant group epoch:u32  -> position:u64 at which the rows of this epoch died
//                                                 [member:16 that sweep() has processed last]
//
// A row is alive if and only if its group exists and the row's epoch equals the member epoch of the
// group's record. Emptying or deleting a large group therefore changes one record. Dead rows are
// not memberships any more; sweep() deletes them in small steps. When a member is deleted, its rows
// are deleted in the same transaction.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/bytes.h"
#include "store/directory.h"

namespace scim::store {

// Up to this many rows are deleted in the transaction that empties or deletes their group; more are
// left to sweep().
constexpr size_t members_deleted_at_once = 1000;

struct MemberRow {
    TypeNumber type = 0;  // of the member
    uint32_t epoch = 0;
};
std::string encode_member(const MemberRow &row);
std::optional<MemberRow> decode_member(Bytes bytes);

// The walks ask the directory's budget before each row, alive or dead, and end when it refuses.
// They do not read the members' records.
class Members {
  public:
    // `directory` must outlive the object.
    explicit Members(Directory &directory) : directory_(directory) {}

    // True if `member` is a living member. `epoch` is the member epoch of the group's record.
    bool contains(const Id &group, uint32_t epoch, const Id &member);

    // The position of the last change of a member's groups; 0 if it never was in a group. A User's
    // ETag shows the larger of this position and the record's version.
    uint64_t position(const Id &member);

    // Calls `each(group, record)` for the groups of a member, in the order of their ids and after
    // `*after` if it is given, until it returns false.
    template <class Each>
    void each_group(TypeNumber group_type, const Id &member, const Id *after, Each &&each) {
        each_membership(member, after, [&](const Id &group, uint32_t epoch) {
            auto record = directory_.record(group_type, group);
            if (!record || record->header().member_epoch != epoch) return true;
            return each(group, *record);
        });
    }

    // Calls `each(member, type)` for the living members of a group, in the order of their ids,
    // until it returns false. If `after` is not nullptr, the walk begins after that id.
    template <class Each>
    void each_member(const Id &group, uint32_t epoch, const Id *after, Each &&each) {
        each_row(group, after, [&](const Id &member, const MemberRow &row) {
            return row.epoch != epoch || each(member, row.type);
        });
    }

    // Like each_member(), but calls `each(member, row)` for every row, alive or dead.
    template <class Each>
    void each_row(const Id &group, const Id *after, Each &&each) {
        const Key prefix = members_prefix(directory_.tenant(), group);
        Cursor cursor(directory_.txn(), Db::members);
        bool more =
            cursor.seek(after != nullptr ? member_key(directory_.tenant(), group, *after) : prefix);
        for (; more && starts_with(cursor.key(), prefix) && directory_.may_walk();
             more = cursor.next()) {
            Id member = id_at(cursor.key(), prefix.size());
            auto row = decode_member(cursor.value());
            if (!row) return directory_.txn().fail(Errc::damaged);
            if (after != nullptr && member == *after) continue;
            if (!each(member, *row)) return;
        }
    }

    // Calls `each(group, epoch)` for every row of a member, alive or dead, after `*after` if it is
    // given, until it returns false.
    template <class Each>
    void each_membership(const Id &member, const Id *after, Each &&each) {
        const Key prefix = members_prefix(directory_.tenant(), member);
        Cursor cursor(directory_.txn(), Db::memberships);
        bool more = cursor.seek(after != nullptr ? member_key(directory_.tenant(), member, *after)
                                                 : prefix);
        for (; more && starts_with(cursor.key(), prefix) && directory_.may_walk();
             more = cursor.next()) {
            Id group = id_at(cursor.key(), prefix.size());
            if (group == Id{} || (after != nullptr && group == *after)) continue;
            if (cursor.value().size() != 4) return directory_.txn().fail(Errc::damaged);
            if (!each(group, uint32_t(read_le(cursor.value().data(), 4)))) return;
        }
    }

    // The position at which a group's rows of this epoch died; 0 if there is no job for them.
    uint64_t died_at(const Id &group, uint32_t epoch);

    // A member epoch that no row of the group has: above those of its rows that died.
    uint32_t unused_epoch(const Id &group);

    // The number of rows of a group, dead ones included, which is the cost of listing its members.
    // Counting stops at `limit`.
    size_t rows(const Id &group, size_t limit);

  private:
    uint64_t died_in_jobs(const Id &member);

    Directory &directory_;
};

// Applies the member changes of an edit: adds and deletes rows, deletes the rows of a deleted
// resource, and adds the job for rows that die. REQUIRES: called by DirectoryWriter::apply() before
// the record is written.
void apply_members(WriteTxn &txn, TenantNumber tenant, const ResourceEdit &edit);

// One step of deleting dead rows, of one or several jobs; continues where the last step ended.
// Deletes at most `rows` rows and reads at most sweep_looks times as many.
constexpr size_t sweep_looks = 20;
struct SweepStep {
    size_t read = 0;        // rows that were read
    bool has_more = false;  // dead rows are left
};
SweepStep sweep(WriteTxn &txn, size_t rows);
bool has_dead_rows(Txn &txn);

constexpr size_t sweep_job_key_size = 1 + 4 + id_size + 4;
inline bool is_sweep_job_value(Bytes value) {
    return value.size() == 8 || value.size() == 8 + id_size;
}

}  // namespace scim::store
