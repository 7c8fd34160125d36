#include "store/retention.h"

#include <optional>

#include "store/bytes.h"
#include "store/directory.h"
#include "store/names.h"

namespace scim::store {

namespace {

constexpr size_t tenants_a_look = 250;  // each may need a page to be read from disk
// The cost of changing to another tenant's pages, in adjacent rows that could be deleted instead.
constexpr size_t rows_a_tenant = 4;
// Less than a minute, because an idle worker asks once a minute and may be slightly early.
constexpr int64_t look_interval = 50000;  // milliseconds

TenantNumber tenant_at(const Cursor &cursor) {
    return TenantNumber(read_be(cursor.key().data(), 4));
}

uint64_t position_at(const Cursor &cursor) { return read_be(cursor.key().data() + 4, 8); }

// The time of a change row; nothing if the row is damaged. Its age is unknown, so the row and all
// later ones of the tenant are kept.
std::optional<int64_t> time_at(const Cursor &cursor) {
    if (cursor.key().size() != change_key_size || cursor.value().size() < 8) return std::nullopt;
    return int64_t(read_le(cursor.value().data(), 8));
}

// Deletes the change row at the cursor and, if it is the deletion of a resource, the name that is
// kept of it. Returns the number of rows deleted.
size_t delete_change(WriteTxn &txn, Cursor &cursor) {
    const TenantNumber tenant = tenant_at(cursor);
    const uint64_t position = position_at(cursor);
    const auto deleted = deleted_resource(cursor.value());
    cursor.del();
    return 1 + (deleted ? drop_name_of_change(txn, tenant, *deleted, position) : 0);
}

}  // namespace

bool LogTrimmer::due(int64_t now) const {
    if (looking_ || !heads_.empty() || looked_ == INT64_MIN) return true;
    return now < looked_ || now - looked_ >= look_interval;
}

void LogTrimmer::stop() {
    looking_ = false;
    heads_ = {};
}

void LogTrimmer::make_room(bool short_of_room) {
    if (short_of_room == short_of_room_) return;
    short_of_room_ = short_of_room;
    stop();
    if (short_of_room) looked_ = INT64_MIN;  // a look is due at once
}

void LogTrimmer::begin(Txn &txn, int64_t now) {
    looking_ = true;
    looked_ = now;
    oldest_ = now - retention_.age;
    any_ = is_too_large(txn);
    next_ = 0;
}

void LogTrimmer::look(Txn &txn, int64_t now) {
    if (has_found()) return;
    if (!looking_) begin(txn, now);
    Cursor cursor(txn, Db::changes);
    for (size_t i = 0; i < tenants_a_look && looking_; i++) {
        bool more = next_ <= UINT32_MAX && cursor.seek(tenant_prefix(TenantNumber(next_)));
        looking_ = more && cursor.key().size() >= 4;
        if (!looking_) break;
        TenantNumber tenant = tenant_at(cursor);
        auto time = time_at(cursor);
        if (time && (any_ || *time < oldest_)) heads_.push({*time, tenant});
        next_ = uint64_t(tenant) + 1;
    }
    if (!txn.good()) stop();
}

bool LogTrimmer::must_go(Txn &txn, int64_t time) const {
    if (time < oldest_) return true;
    return any_ && (heads_.empty() || time <= heads_.top().time) && is_too_large(txn);
}

// Deletes the tenant's first rows while must_go(), then puts the tenant back into heads_ with its
// new first row. Returns the number of rows deleted.
size_t LogTrimmer::trim_tenant(WriteTxn &txn, TenantNumber tenant, size_t rows) {
    const Key prefix = tenant_prefix(tenant);
    Cursor cursor(txn, Db::changes);
    bool more = cursor.seek(prefix) && starts_with(cursor.key(), prefix);
    size_t deleted = 0;
    std::optional<int64_t> time;
    while (more && (time = time_at(cursor)) && deleted < rows && must_go(txn, *time)) {
        uint64_t position = position_at(cursor);
        do {
            deleted += delete_change(txn, cursor);
            more = cursor.next() && starts_with(cursor.key(), prefix);
        } while (more && time_at(cursor) && position_at(cursor) == position);
    }
    if (more && time) heads_.push({*time, tenant});
    return deleted;
}

void LogTrimmer::trim(WriteTxn &txn, size_t rows) {
    size_t done = 0;
    while (has_found() && done < rows && txn.good()) {
        Head head = heads_.top();
        heads_.pop();
        if (!must_go(txn, head.time)) return stop();  // all other heads are younger
        done += trim_tenant(txn, head.tenant, rows - done) + rows_a_tenant;
    }
}

}  // namespace scim::store
