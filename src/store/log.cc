#include "store/log.h"

#include <algorithm>

#include "store/bytes.h"

namespace scim::store {

namespace {

// Reads the change row at the cursor. False after the last row of the tenant. A damaged row fails
// the transaction and returns false.
bool read_part(Directory &directory, const Cursor &cursor, LoggedChange &part) {
    if (!starts_with(cursor.key(), tenant_prefix(directory.tenant()))) return false;
    auto change = decode_change(cursor.value());
    if (!change || cursor.key().size() != change_key_size) {
        directory.txn().fail(Errc::damaged);
        return false;
    }
    part.place = {read_be(cursor.key().data() + 4, 8),
                  uint16_t(read_be(cursor.key().data() + 12, 2))};
    part.change = std::move(*change);
    part.added = part.change.added.size();
    part.removed = part.change.removed.size();
    return true;
}

// True if both are parts of one change.
bool same_change(const LoggedChange &a, const LoggedChange &b) {
    return a.place.position == b.place.position && a.change.operation == b.change.operation &&
           a.change.type == b.change.type && a.change.id == b.change.id;
}

void append_kept(std::vector<Id> &ids, const std::vector<Id> &more) {
    ids.insert(ids.end(), more.begin(), more.end());
    if (ids.size() > members_kept) ids.resize(members_kept);
}

// `later` is the next part of the same change.
void append_part(LoggedChange &change, LoggedChange &&later) {
    change.place = later.place;
    change.change.emptied |= later.change.emptied;
    append_kept(change.change.added, later.change.added);
    append_kept(change.change.removed, later.change.removed);
    change.added += later.added;
    change.removed += later.removed;
}

// Drops the ids beyond members_kept.
void trim(LoggedChange &change) {
    append_kept(change.change.added, {});
    append_kept(change.change.removed, {});
}

}  // namespace

std::vector<LoggedChange> last_changes(Directory &directory, size_t limit, int64_t since) {
    std::vector<LoggedChange> changes;
    Cursor cursor(directory.txn(), Db::changes);
    bool more = cursor.seek_before(tenant_prefix(directory.tenant() + 1));
    for (LoggedChange part; more && read_part(directory, cursor, part); more = cursor.prev()) {
        trim(part);
        if (!changes.empty() && same_change(part, changes.back())) {
            append_part(part, std::move(changes.back()));
            changes.back() = std::move(part);
            continue;
        }
        if (changes.size() == limit || part.change.time < since) break;
        changes.push_back(std::move(part));
    }
    return changes;
}

std::vector<LoggedChange> changes_after(Directory &directory, LogPlace place, size_t limit) {
    std::vector<LoggedChange> changes;
    const Key after = change_key(directory.tenant(), place.position, place.part);
    Cursor cursor(directory.txn(), Db::changes);
    bool more = cursor.seek(after);
    if (more && cursor.key() == after) more = cursor.next();
    for (LoggedChange part; more && read_part(directory, cursor, part); more = cursor.next()) {
        trim(part);
        if (!changes.empty() && same_change(changes.back(), part)) {
            append_part(changes.back(), std::move(part));
            continue;
        }
        if (changes.size() == limit) break;
        changes.push_back(std::move(part));
    }
    return changes;
}

LogStart log_start(Directory &directory) {
    Cursor cursor(directory.txn(), Db::changes);
    LoggedChange first;
    if (cursor.seek(tenant_prefix(directory.tenant())) && read_part(directory, cursor, first))
        return {first.place.position, first.change.time};
    return {directory.position().position + 1, std::nullopt};
}

}  // namespace scim::store
