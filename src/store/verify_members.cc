#include "store/members.h"

#include <optional>

#include "store/verification.h"

namespace scim::store {

namespace {

constexpr size_t row_key_size = 4 + 2 * id_size;

class MemberVerifier {
  public:
    explicit MemberVerifier(Verification &v) : v_(v) {}
    void check_members();
    void check_memberships();
    void check_jobs();

  private:
    void check_member(TenantNumber tenant, const Id &group, const Id &member, const MemberRow &row);
    void check_position(TenantNumber tenant, const Id &member, Bytes value);

    static std::string name_of(TenantNumber tenant, const Id &group, const Id &member) {
        return "tenant " + std::to_string(tenant) + " group " + scim::to_string(group) +
               " member " + scim::to_string(member);
    }

    // The member epoch of a group's record: nothing if the record is damaged, UINT32_MAX if there
    // is no such group.
    std::optional<uint32_t> epoch_of(TenantNumber tenant, const Id &group);

    Verification &v_;
    // The rows of a group are adjacent: its record is read once per group and snapshot.
    TenantNumber tenant_ = 0;
    Id group_{};
    uint64_t snapshot_ = 0;
    std::optional<uint32_t> epoch_;
};

void MemberVerifier::check_members() {
    v_.each_tenant_row(Db::members, row_key_size, row_key_size, [&](Bytes key, Bytes value) {
        TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
        Id group = id_at(key, 4), member = id_at(key, 4 + id_size);
        v_.report.memberships++;
        auto row = decode_member(value);
        if (!row)
            return v_.problem(Db::members, name_of(tenant, group, member),
                              "the row cannot be read");
        Bytes other;
        if (!v_.txn().get(Db::memberships, member_key(tenant, member, group), other))
            v_.problem(Db::members, name_of(tenant, group, member),
                       "the row has no counterpart in memberships");
        else if (other.size() != 4 || read_le(other.data(), 4) != row->epoch)
            v_.problem(Db::members, name_of(tenant, group, member),
                       "its counterpart in memberships has another epoch");
        check_member(tenant, group, member, *row);
    });
}

std::optional<uint32_t> MemberVerifier::epoch_of(TenantNumber tenant, const Id &group) {
    if (tenant == tenant_ && group == group_ && v_.snapshot() == snapshot_) return epoch_;
    tenant_ = tenant;
    group_ = group;
    snapshot_ = v_.snapshot();
    epoch_ = UINT32_MAX;
    for (const TypeView *groups : v_.catalog->group_types()) {
        Bytes bytes;
        if (!v_.txn().get(Db::resources, resource_key(tenant, groups->number, group), bytes))
            continue;
        auto record = RecordView::parse(bytes);
        epoch_ = record ? std::optional(record->header().member_epoch) : std::nullopt;
        break;
    }
    return epoch_;
}

// A living row must have an existing member, a dead one a job that will delete it.
void MemberVerifier::check_member(TenantNumber tenant, const Id &group, const Id &member,
                                  const MemberRow &row) {
    auto wrong = [&](std::string text) {
        v_.problem(Db::members, name_of(tenant, group, member), std::move(text));
    };
    Directory directory(v_.txn(), tenant);
    auto found = epoch_of(tenant, group);
    if (!found) return;  // reported by verify_index()
    uint32_t epoch = *found;
    if (row.epoch > epoch) return wrong("its epoch is later than the group's");
    if (row.epoch < epoch) {
        if (Members(directory).died_at(group, row.epoch) == 0)
            wrong("the row is dead, but there is no job to delete it");
        return;
    }
    if (v_.type_row(row.type) == nullptr)
        return wrong("its member is of " + v_.type_name(row.type) + ", which does not exist");
    if (!directory.exists(row.type, member)) wrong("there is no such " + v_.type_name(row.type));
    Bytes bytes;
    if (!v_.txn().get(Db::memberships, member_key(tenant, member, Id{}), bytes))
        wrong("the position of the member's last change is missing");
}

void MemberVerifier::check_memberships() {
    v_.each_tenant_row(Db::memberships, row_key_size, row_key_size, [&](Bytes key, Bytes value) {
        TenantNumber tenant = TenantNumber(read_be(key.data(), 4));
        Id member = id_at(key, 4), group = id_at(key, 4 + id_size);
        if (group == Id{}) return check_position(tenant, member, value);
        Bytes other;
        if (!v_.txn().get(Db::members, member_key(tenant, group, member), other))
            v_.problem(Db::memberships, name_of(tenant, group, member),
                       "the row has no counterpart in members");
    });
}

void MemberVerifier::check_position(TenantNumber tenant, const Id &member, Bytes value) {
    uint64_t last = Directory(v_.txn(), tenant).position().position;
    uint64_t position = value.size() == 8 ? read_le(value.data(), 8) : 0;
    if (position == 0 || position > last)
        v_.problem(Db::memberships,
                   "tenant " + std::to_string(tenant) + " member " + scim::to_string(member),
                   "the position of its last change is not between 1 and the tenant's last "
                   "position, " +
                       std::to_string(last));
}

void MemberVerifier::check_jobs() {
    v_.each_row(Db::jobs, [&](Bytes key, Bytes value) {
        if (key.size() != sweep_job_key_size || !is_sweep_job_value(value))
            v_.problem(Db::jobs, hex_text(key), "the row cannot be read");
    });
}

}  // namespace

void verify_members(Verification &v) {
    MemberVerifier verifier(v);
    verifier.check_members();
    verifier.check_memberships();
    verifier.check_jobs();
}

}  // namespace scim::store
