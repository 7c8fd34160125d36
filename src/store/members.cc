#include "store/members.h"

#include <algorithm>

namespace scim::store {

namespace {

constexpr uint8_t sweep_kind = 1;

Key job_key(TenantNumber tenant, const Id &group, uint32_t epoch) {
    return kind_prefix(sweep_kind, tenant).id(group).number(epoch, 4);
}

std::string position_text(uint64_t position) {
    std::string out;
    append_le(out, position, 8);
    return out;
}

uint64_t position_of(Bytes bytes) { return bytes.size() == 8 ? read_le(bytes.data(), 8) : 0; }

void put_position(WriteTxn &txn, TenantNumber tenant, const Id &member, uint64_t position) {
    txn.put(Db::memberships, member_key(tenant, member, Id{}), position_text(position));
}

// Deletes all memberships of a deleted resource.
void leave_all(WriteTxn &txn, TenantNumber tenant, const Id &member) {
    Directory directory(txn, tenant);
    std::vector<Id> groups;
    Members(directory).each_membership(member, nullptr, [&](const Id &group, uint32_t) {
        groups.push_back(group);
        return true;
    });
    for (const Id &group : groups) {
        txn.del(Db::members, member_key(tenant, group, member));
        txn.del(Db::memberships, member_key(tenant, member, group));
    }
    txn.del(Db::memberships, member_key(tenant, member, Id{}));
}

struct Job {
    TenantNumber tenant = 0;
    Id group{};
    uint32_t epoch = 0;
    uint64_t position = 0;
    std::optional<Id> swept;  // the last member whose row was processed
};

std::optional<Job> job_at(Txn &txn, const Cursor &cursor) {
    Bytes value = cursor.value();
    if (cursor.key().size() != sweep_job_key_size || !is_sweep_job_value(value)) {
        txn.fail(Errc::damaged);
        return {};
    }
    const char *key = cursor.key().data();
    Job job{TenantNumber(read_be(key + 1, 4)),
            id_at(cursor.key(), 5),
            uint32_t(read_be(key + 5 + id_size, 4)),
            read_le(value.data(), 8),
            {}};
    if (value.size() > 8) job.swept = id_at(value, 8);
    return job;
}

std::optional<Job> first_job(Txn &txn) {
    Cursor cursor(txn, Db::jobs);
    if (!cursor.seek(Key().number(sweep_kind, 1)) || uint8_t(cursor.key().front()) != sweep_kind)
        return {};
    return job_at(txn, cursor);
}

// Deletes the next dead rows of a job, at most `rows`, and reads at most `read_most` rows. Returns the
// number of rows that were deleted, and adds that of the rows that were read to `read`. A job without
// more rows is deleted.
size_t sweep_job(WriteTxn &txn, const Job &job, size_t rows, size_t read_most, size_t &read) {
    Directory directory(txn, job.tenant);
    std::vector<Id> dead;
    Id last{};
    size_t looked_at = 0;
    bool more = false;
    Members(directory).each_row(job.group, job.swept ? &*job.swept : nullptr,
                                [&](const Id &member, const MemberRow &row) {
                                    last = member;
                                    if (row.epoch == job.epoch) dead.push_back(member);
                                    looked_at++;
                                    more = dead.size() == rows || looked_at == read_most;
                                    return !more;
                                });
    for (const Id &member : dead) {
        txn.del(Db::members, member_key(job.tenant, job.group, member));
        txn.del(Db::memberships, member_key(job.tenant, member, job.group));
        Key key = member_key(job.tenant, member, Id{});
        Bytes bytes;
        uint64_t latest = txn.get(Db::memberships, key, bytes) ? position_of(bytes) : 0;
        put_position(txn, job.tenant, member, std::max(latest, job.position));
    }
    const Key key = job_key(job.tenant, job.group, job.epoch);
    if (more)
        txn.put(Db::jobs, key, position_text(job.position).append(bytes_of(last)));
    else
        txn.del(Db::jobs, key);
    read += looked_at;
    return dead.size();
}

// What the end of a job costs, in rows that could be deleted instead.
constexpr size_t work_of_job = 4;

}  // namespace

std::string encode_member(const MemberRow &row) {
    std::string out;
    append_le(out, row.type, 2);
    append_le(out, row.epoch, 4);
    return out;
}

std::optional<MemberRow> decode_member(Bytes bytes) {
    if (bytes.size() != 6) return std::nullopt;
    return MemberRow{TypeNumber(read_le(bytes.data(), 2)), uint32_t(read_le(bytes.data() + 2, 4))};
}

bool Members::contains(const Id &group, uint32_t epoch, const Id &member) {
    Bytes bytes;
    if (!directory_.txn().get(Db::members, member_key(directory_.tenant(), group, member), bytes))
        return false;
    auto row = decode_member(bytes);
    if (!row) directory_.txn().fail(Errc::damaged);
    return row && row->epoch == epoch;
}

uint64_t Members::position(const Id &member) {
    Txn &txn = directory_.txn();
    TenantNumber tenant = directory_.tenant();
    Bytes bytes;
    uint64_t position = 0;
    if (txn.get(Db::memberships, member_key(tenant, member, Id{}), bytes))
        position = position_of(bytes);
    if (position == 0 || !has_dead_rows(txn)) return position;
    // The death of a row that sweep() has not reached is recorded only in its job. Either the rows
    // of the member are read or the jobs, whichever are fewer.
    const uint64_t jobs = txn.entries(Db::jobs);
    uint64_t rows = 0, died = 0;
    each_membership(member, nullptr, [&](const Id &group, uint32_t epoch) {
        died = std::max(died, died_at(group, epoch));
        return ++rows <= jobs;
    });
    return std::max(position, rows > jobs ? died_in_jobs(member) : died);
}

uint64_t Members::died_in_jobs(const Id &member) {
    uint64_t position = 0;
    const Key prefix = kind_prefix(sweep_kind, directory_.tenant());
    Cursor jobs(directory_.txn(), Db::jobs);
    for (bool more = jobs.seek(prefix);
         more && starts_with(jobs.key(), prefix) && directory_.may_walk(); more = jobs.next()) {
        auto job = job_at(directory_.txn(), jobs);
        if (job && contains(job->group, job->epoch, member))
            position = std::max(position, job->position);
    }
    return position;
}

uint64_t Members::died_at(const Id &group, uint32_t epoch) {
    Bytes bytes;
    bool known = directory_.txn().get(Db::jobs, job_key(directory_.tenant(), group, epoch), bytes);
    return known && is_sweep_job_value(bytes) ? read_le(bytes.data(), 8) : 0;
}

uint32_t Members::unused_epoch(const Id &group) {
    uint32_t epoch = 1;
    const Key prefix = kind_prefix(sweep_kind, directory_.tenant()).id(group);
    Cursor jobs(directory_.txn(), Db::jobs);
    for (bool more = jobs.seek(prefix); more && starts_with(jobs.key(), prefix); more = jobs.next())
        if (auto job = job_at(directory_.txn(), jobs)) epoch = std::max(epoch, job->epoch + 1);
    return epoch;
}

size_t Members::rows(const Id &group, size_t limit) {
    size_t count = 0;
    each_row(group, nullptr, [&](const Id &, const MemberRow &) { return ++count < limit; });
    return count;
}

void apply_members(WriteTxn &txn, TenantNumber tenant, const ResourceEdit &edit) {
    const MemberChange &change = edit.members;
    for (const Id &member : change.left) {
        txn.del(Db::members, member_key(tenant, edit.id, member));
        txn.del(Db::memberships, member_key(tenant, member, edit.id));
        put_position(txn, tenant, member, edit.position);
    }
    std::string epoch;
    append_le(epoch, change.epoch, 4);
    for (const auto &[member, type] : change.joined) {
        txn.put(Db::members, member_key(tenant, edit.id, member),
                encode_member({type, change.epoch}));
        txn.put(Db::memberships, member_key(tenant, member, edit.id), epoch);
        put_position(txn, tenant, member, edit.position);
    }
    if (change.dead_epoch != 0)
        txn.put(Db::jobs, job_key(tenant, edit.id, change.dead_epoch),
                position_text(edit.position));
    if (edit.record.empty()) leave_all(txn, tenant, edit.id);
}

bool has_dead_rows(Txn &txn) { return txn.entries(Db::jobs) != 0; }

SweepStep sweep(WriteTxn &txn, size_t rows) {
    SweepStep step;
    size_t deleted = 0;
    const size_t read_most = rows * sweep_looks;
    while (deleted < rows && step.read < read_most && txn.good()) {
        const auto job = first_job(txn);
        if (!job) break;
        deleted +=
            work_of_job + sweep_job(txn, *job, rows - deleted, read_most - step.read, step.read);
    }
    step.has_more = has_dead_rows(txn);
    return step;
}

}  // namespace scim::store
