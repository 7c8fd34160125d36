#pragma once
// Who belongs to which group: rows, one in each direction, within one tenant and transaction.
//
//     members     tenant group member            -> type:u16 epoch:u32      (of the member, of the row)
//     memberships tenant member group            -> epoch:u32
//     memberships tenant member 0…0              -> position:u64 of the member's last change
//     jobs        0x01 tenant group epoch:u32    -> position:u64 at which the rows of this epoch died,
//                                                   member: the last one that sweep() has looked at
//
// A membership is alive iff its group exists and the row's member epoch is that of the group's
// record: deleting or emptying a large group changes one record. The dead rows are nobody's members
// from then on, and sweep() takes them away in small steps. A member's rows go at once when the
// member itself is deleted.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/bytes.h"
#include "store/directory.h"

namespace scim::store {

// Up to this many rows are deleted with their group; more are left to sweep().
constexpr size_t members_deleted_at_once = 1000;

struct MemberRow {
    TypeNumber type = 0;  // of the member
    uint32_t epoch = 0;
};
std::string encode_member(const MemberRow &row);
std::optional<MemberRow> decode_member(Bytes bytes);

// What a row leads to is the caller's to ask for; the directory's allowance is asked before each row,
// living or dead, and may end a walk.
class Members {
  public:
    // `directory` must outlive this.
    explicit Members(Directory &directory) : directory_(directory) {}

    // `epoch`: the member epoch of the group's record.
    bool contains(const Id &group, uint32_t epoch, const Id &member);

    // Position of the last change of a member's groups, 0 if it never had any: with the version it
    // makes a User's ETag.
    uint64_t position(const Id &member);

    // `each(group, record)` for the living groups of a member, by id; false stops.
    template <class Each>
    void each_group(TypeNumber group_type, const Id &member, Each &&each) {
        each_membership(member, [&](const Id &group, uint32_t epoch) {
            auto record = directory_.record(group_type, group);
            if (!record || record->header().member_epoch != epoch) return true;
            return each(group, *record);
        });
    }

    // `each(member, type)` for the living members of a group, by id, those after `*after` if it is
    // given; false stops.
    template <class Each>
    void each_member(const Id &group, uint32_t epoch, const Id *after, Each &&each) {
        each_row(group, after, [&](const Id &member, const MemberRow &row) {
            return row.epoch != epoch || each(member, row.type);
        });
    }

    // `each(member, row)` for every row of a group, living or dead, likewise.
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

    // `each(group, epoch)` for every row of a member, living or dead; false stops.
    template <class Each>
    void each_membership(const Id &member, Each &&each) {
        const Key prefix = members_prefix(directory_.tenant(), member);
        Cursor cursor(directory_.txn(), Db::memberships);
        bool more = cursor.seek(prefix);
        for (; more && starts_with(cursor.key(), prefix) && directory_.may_walk();
             more = cursor.next()) {
            Id group = id_at(cursor.key(), prefix.size());
            if (group == Id{}) continue;
            if (cursor.value().size() != 4) return directory_.txn().fail(Errc::damaged);
            if (!each(group, uint32_t(read_le(cursor.value().data(), 4)))) return;
        }
    }

    // The position at which a group's rows of this epoch died; 0 if no job says so.
    uint64_t died_at(const Id &group, uint32_t epoch);

    // The rows of a group, dead ones included, counted up to `limit`: what it takes to list its
    // members.
    size_t rows(const Id &group, size_t limit);

  private:
    Directory &directory_;
};

// Writes what an edit says of members: rows that come and go, the rows of a resource that is
// deleted, the job for those that die. REQUIRES: called by DirectoryWriter::apply() before the
// record is written.
void apply_members(WriteTxn &txn, TenantNumber tenant, const ResourceEdit &edit);

// Takes away up to `rows` dead rows, looking at no more than sweep_looks times as many rows, which
// `allowance` is told of, and goes on where the last step has ended. True if there are more.
constexpr size_t sweep_looks = 20;
bool sweep(WriteTxn &txn, size_t rows, Allowance *allowance = nullptr);
bool has_dead_rows(Txn &txn);

constexpr size_t sweep_job_key_size = 1 + 4 + id_size + 4;
inline bool is_sweep_job_value(Bytes value) {
    return value.size() == 8 || value.size() == 8 + id_size;
}

}  // namespace scim::store
