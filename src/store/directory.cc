#include "store/directory.h"

#include <algorithm>
#include <map>

#include "scim/text/work.h"
#include "store/blocks.h"
#include "store/bytes.h"
#include "store/index_rows.h"
#include "store/members.h"
#include "store/names.h"

namespace scim::store {

namespace {

template <class T>
void append_ids(std::string &out, const std::vector<T> &ids) {
    append_varint(out, ids.size());
    for (const Id &id : ids) out.append(bytes_of(id));
}

bool read_ids(ByteReader &in, std::vector<Id> &ids) {
    for (uint64_t n = in.varint(); n > 0 && !in.failed(); n--) {
        Bytes bytes = in.bytes(id_size);
        if (!in.failed()) ids.push_back(id_at(bytes, 0));
    }
    return !in.failed();
}

uint64_t read_counter(Txn &txn, Bytes key) {
    Bytes bytes;
    if (!txn.get(Db::meta, key, bytes) || bytes.size() != 8) return 0;
    return read_le(bytes.data(), 8);
}

void put_counter(WriteTxn &txn, Bytes key, uint64_t value) {
    std::string bytes;
    append_le(bytes, value, 8);
    txn.put(Db::meta, key, bytes);
}

}  // namespace

std::string_view to_string(Operation operation) {
    switch (operation) {
        case Operation::create: return "create";
        case Operation::replace: return "replace";
        case Operation::patch: return "patch";
        case Operation::remove: return "delete";
        case Operation::block: return "block";
        case Operation::unblock: return "unblock";
        case Operation::pause: return "pause";
        case Operation::resume: return "resume";
        case Operation::forget: return "forget";
        case Operation::revoke: return "revoke";
    }
    return "?";
}

std::string encode_change(const Change &change) {
    std::string out;
    append_le(out, uint64_t(change.time), 8);
    append_le(out, change.actor, 4);
    out.append(reinterpret_cast<const char *>(change.request.data()), change.request.size());
    append_le(out, uint64_t(change.operation), 1);
    append_le(out, change.type, 2);
    out.append(bytes_of(change.id));
    append_le(
        out,
        uint64_t(change.emptied) + 2 * uint64_t(change.was_active) + 8 * uint64_t(change.is_active),
        1);
    append_varint(out, change.attrs.size());
    for (AttrNumber attr : change.attrs) append_varint(out, attr);
    append_ids(out, change.added);
    append_ids(out, change.removed);
    return out;
}

std::optional<Change> decode_change(Bytes bytes) {
    ByteReader in(bytes);
    Change change;
    change.time = int64_t(in.le(8));
    change.actor = uint32_t(in.le(4));
    Bytes request = in.bytes(change.request.size());
    if (in.failed()) return std::nullopt;
    std::copy(request.begin(), request.end(), change.request.begin());
    uint64_t operation = in.le(1);
    if (operation < 1 || operation > uint64_t(Operation::revoke)) return std::nullopt;
    change.operation = Operation(operation);
    change.type = TypeNumber(in.le(2));
    Bytes id = in.bytes(id_size);
    if (in.failed()) return std::nullopt;
    change.id = id_at(id, 0);
    const uint64_t flags = in.le(1);
    change.emptied = (flags & 1) != 0;
    change.was_active = ActiveValue(flags >> 1 & 3);
    change.is_active = ActiveValue(flags >> 3);
    if (change.was_active > ActiveValue::yes || flags >> 3 > uint64_t(ActiveValue::yes))
        return std::nullopt;
    for (uint64_t n = in.varint(); n > 0 && !in.failed(); n--)
        change.attrs.push_back(AttrNumber(in.varint()));
    if (in.failed() || !read_ids(in, change.added) || !read_ids(in, change.removed))
        return std::nullopt;
    return change;
}

std::optional<Id> deleted_resource(Bytes row) {
    constexpr size_t operation_at = 8 + 4 + 16, id_at_byte = operation_at + 1 + 2;
    if (row.size() < id_at_byte + id_size || row[operation_at] != char(Operation::remove))
        return std::nullopt;
    return id_at(row, id_at_byte);
}

namespace {

// Calls `each(attr, leaf)` for every leaf of an indexed attribute. An index that is being built is
// maintained like a ready one; one that is being dropped is not.
template <class Each>
void each_indexed(const Catalog &catalog, const TypeView &type, const std::vector<Leaf> &leaves,
                  Each &&each) {
    for (const IndexDef *index : catalog.indexes(type.number)) {
        if (index->state == IndexState::dropping || index->kind != IndexKind::value) continue;
        const Attr *attr = type.indexed(index->attr);
        if (attr == nullptr) continue;
        for (const Leaf &leaf : leaves)
            if (leaf.attr == index->attr) each(*attr, leaf);
    }
}

void set_heir(Change &change, const Heir &heir) {
    change.operation = heir.is_blocked ? Operation::block : Operation::revoke;
    change.type = heir.type;
    change.id = heir.id;
}

}  // namespace

IndexValues index_values(const Catalog &catalog, const TypeView &type,
                         const std::vector<Leaf> &leaves) {
    IndexValues values;
    each_indexed(catalog, type, leaves, [&](const Attr &attr, const Leaf &leaf) {
        if (auto value = index_value(attr, leaf.json))
            values.emplace_back(attr.number, std::move(*value));
    });
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values;
}

size_t index_work(const Catalog &catalog, const TypeView &type, const std::vector<Leaf> &leaves) {
    size_t work = 0;
    each_indexed(catalog, type, leaves, [&](const Attr &attr, const Leaf &leaf) {
        work += key_work(attr.matching, leaf.json);
    });
    return work + trigram_work(catalog, type, leaves);
}

std::optional<RecordView> Directory::record(TypeNumber type, const Id &id) {
    Bytes bytes;
    if (!txn_.get(Db::resources, resource_key(tenant_, type, id), bytes)) return std::nullopt;
    return checked(bytes);
}

std::optional<RecordView> Directory::checked(Bytes bytes) {
    if (budget_ != nullptr && !budget_->may_check(bytes.size())) return std::nullopt;
    auto view = RecordView::parse(bytes);
    if (!view) txn_.fail(Errc::damaged);
    return view;
}

std::optional<RecordView> RecordCursor::record(TypeNumber type, const Id &id) {
    const Key key = resource_key(directory_.tenant(), type, id);
    if (!placed_ || !cursor_.next() || cursor_.key() != key) {
        placed_ = cursor_.seek(key);
        if (!placed_ || cursor_.key() != key) return std::nullopt;
    }
    return directory_.checked(cursor_.value());
}

bool Directory::exists(TypeNumber type, const Id &id) {
    Bytes bytes;
    return txn_.get(Db::resources, resource_key(tenant_, type, id), bytes);
}

uint64_t Directory::count(TypeNumber type) { return read_counter(txn_, count_key(tenant_, type)); }

Position Directory::position() {
    Bytes bytes;
    if (!txn_.get(Db::meta, position_key(tenant_), bytes) || bytes.size() != 16) return {};
    return {read_le(bytes.data(), 8), int64_t(read_le(bytes.data() + 8, 8))};
}

std::vector<Id> Directory::find(TypeNumber type, AttrNumber attr, Bytes value, size_t limit) {
    std::vector<Id> ids;
    std::string prefix = index_prefix(tenant_, type, attr);
    prefix.append(value);
    prefix += '\0';
    Cursor cursor(txn_, Db::index);
    for (bool more = cursor.seek(prefix); more && ids.size() < limit; more = cursor.next()) {
        if (!starts_with(cursor.key(), prefix)) break;
        // All values of one attribute have the same encoding, so a key of another length belongs to
        // a damaged row.
        if (cursor.key().size() == prefix.size() + id_size)
            ids.push_back(id_at(cursor.key(), prefix.size()));
    }
    return ids;
}

namespace {

// Calls `each(attr, value)` for the values of `some` that are not in `others`.
template <class Each>
void each_other(const IndexValues &some, const IndexValues &others, Each &&each) {
    for (const auto &entry : some)
        if (!std::binary_search(others.begin(), others.end(), entry))
            each(entry.first, entry.second);
}

}  // namespace

void DirectoryWriter::put_index(const ResourceEdit &edit) {
    // A row of an index that is being built may be missing.
    std::map<AttrNumber, int64_t> grown;
    each_other(edit.before, edit.after, [&](AttrNumber attr, const std::string &value) {
        grown[attr] -= write_.del(Db::index, index_key(tenant_, edit.type, attr, value, edit.id));
    });
    each_other(edit.after, edit.before, [&](AttrNumber attr, const std::string &value) {
        grown[attr] +=
            write_.insert(Db::index, index_key(tenant_, edit.type, attr, value, edit.id), {});
    });
    for (const auto &[attr, rows] : grown) add_index_rows(write_, tenant_, edit.type, attr, rows);
}

void DirectoryWriter::add_count(TypeNumber type, int64_t delta) {
    put_counter(write_, count_key(tenant_, type), count(type) + uint64_t(delta));
}

// Writes a part for the resource and its members, further parts if there are more than
// members_per_part, then a part for each group that a deleted resource was a member of, then one for
// each of its heirs.
void DirectoryWriter::put_changes(const ResourceEdit &edit) {
    uint16_t part = 0;
    Change change = edit.change;
    change.emptied = edit.members.dead_epoch != 0;
    auto put = [&] {
        write_.put(Db::changes, change_key(tenant_, edit.position, part++), encode_change(change));
        change.attrs.clear();
        change.was_active = change.is_active = ActiveValue::none;
        change.emptied = false;
        change.added.clear();
        change.removed.clear();
    };
    for (const Id &member : edit.members.left) {
        change.removed.push_back(member);
        if (change.removed.size() == members_per_part) put();
    }
    for (const auto &[member, type] : edit.members.joined) {
        change.added.push_back(member);
        if (change.added.size() + change.removed.size() == members_per_part) put();
    }
    if (part == 0 || !change.added.empty() || !change.removed.empty()) put();
    change.operation = Operation::patch;
    for (const LeftGroup &group : edit.groups) {
        change.type = group.type;
        change.id = group.id;
        change.removed.push_back(edit.id);
        put();
    }
    for (const Heir &heir : edit.heirs) {
        set_heir(change, heir);
        put();
    }
}

void DirectoryWriter::apply(const ResourceEdit &edit) {
    apply_members(write_, tenant_, edit);
    for (const LeftGroup &group : edit.groups)
        write_.put(Db::resources, resource_key(tenant_, group.type, group.id), group.record);
    Key key = resource_key(tenant_, edit.type, edit.id);
    if (edit.record.empty()) {
        write_.del(Db::resources, key);
        add_count(edit.type, -1);
        remove_from_blocks(write_, tenant_, edit.type, edit.id);
        if (!edit.name.empty())
            put_deleted_name(write_, tenant_, edit.id, edit.position, edit.name);
    } else {
        if (edit.is_new) {
            write_.put_new(Db::resources, key, edit.record);
            add_count(edit.type, 1);
            add_to_blocks(write_, tenant_, edit.type, edit.id);
        } else {
            write_.put(Db::resources, key, edit.record);
        }
    }
    put_index(edit);
    put_trigrams(write_, tenant_, edit.type, edit.id, edit.trigrams_before, edit.trigrams_after);
    put_changes(edit);
    for (const auto &[key, state] : edit.access) put_access(write_, key, state);
    put_position({edit.position, edit.change.time});
}

void DirectoryWriter::apply_access(const ResourceEdit &edit) {
    for (const auto &[key, state] : edit.access) put_access(write_, key, state);
    for (const Heir &heir : edit.heirs) {
        Change change = edit.change;
        set_heir(change, heir);
        append(std::move(change));
    }
}

void DirectoryWriter::put_position(const Position &position) {
    std::string bytes;
    append_le(bytes, position.position, 8);
    append_le(bytes, uint64_t(position.time), 8);
    write_.put(Db::meta, position_key(tenant_), bytes);
}

void DirectoryWriter::append(Change change) {
    const Position last = position();
    change.time = std::max(change.time, last.time);
    write_.put(Db::changes, change_key(tenant_, last.position + 1, 0), encode_change(change));
    put_position({last.position + 1, change.time});
}

}  // namespace scim::store
