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

// Reads the beginning of a change row (Change in store/directory.h); nothing if it is damaged.
std::optional<ChangedResource> changed_resource(Bytes key, Bytes row) {
    constexpr size_t time_actor_request_operation = 8 + 4 + 16 + 1;
    ByteReader in(row);
    in.bytes(time_actor_request_operation);
    const auto type = TypeNumber(in.le(2));
    const Bytes id = in.bytes(id_size);
    if (in.failed() || key.size() != change_key_size) return std::nullopt;
    return ChangedResource{read_be(key.data() + 4, 8), type, id_at(id, 0)};
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

std::optional<std::vector<ChangedResource>> resources_changed_after(Directory &directory,
                                                                    uint64_t position,
                                                                    size_t limit) {
    constexpr uint16_t last_part = 0xffff;
    const Key prefix = tenant_prefix(directory.tenant());
    std::vector<ChangedResource> changed;
    Cursor cursor(directory.txn(), Db::changes);
    bool more = cursor.seek(change_key(directory.tenant(), position, last_part));
    for (size_t rows = 0; more && starts_with(cursor.key(), prefix); more = cursor.next()) {
        auto part = changed_resource(cursor.key(), cursor.value());
        if (!part) {
            directory.txn().fail(Errc::damaged);
            return std::nullopt;
        }
        if (rows++ == limit || part->position > position + 1) return std::nullopt;
        const bool is_more_of_same = !changed.empty() && part->position == position &&
                                     part->type == changed.back().type &&
                                     part->id == changed.back().id;
        position = part->position;
        if (!is_more_of_same) changed.push_back(*part);
    }
    if (position != directory.position().position || !directory.txn().good()) return std::nullopt;
    return changed;
}

LogStart log_start(Directory &directory) {
    Cursor cursor(directory.txn(), Db::changes);
    LoggedChange first;
    if (cursor.seek(tenant_prefix(directory.tenant())) && read_part(directory, cursor, first))
        return {first.place.position, first.change.time};
    return {directory.position().position + 1, std::nullopt};
}

}  // namespace scim::store
