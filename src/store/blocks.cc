#include "store/blocks.h"

#include "store/bytes.h"

namespace scim::store {

namespace {

constexpr size_t total_size = 4, block_size = id_size + 1;

// Neighbours are merged if they have at most this many resources together: half of a block, so that
// a few creates do not split it again.
constexpr unsigned merged_most = block_most / 2;

// Functions on the value of a row.

bool is_value(Bytes value) {
    return value.size() > total_size && (value.size() - total_size) % block_size == 0;
}

size_t blocks_in(Bytes value) { return (value.size() - total_size) / block_size; }

uint32_t total_of(Bytes value) { return uint32_t(read_le(value.data(), int(total_size))); }

size_t offset_of(size_t at) { return total_size + at * block_size; }

Bytes first_at(Bytes value, size_t at) { return value.substr(offset_of(at), id_size); }

unsigned count_at(Bytes value, size_t at) { return uint8_t(value[offset_of(at) + id_size]); }

// The block of an id that is not before the first one.
size_t block_of(Bytes value, const Id &id) {
    size_t low = 0, high = blocks_in(value);
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        (first_at(value, middle) <= bytes_of(id) ? low : high) = middle;
    }
    return low;
}

// Changes one row. A change of a count is made in the bytes of the row, because it is part of every
// create and delete.
class BlockWriter {
  public:
    BlockWriter(WriteTxn &txn, TenantNumber tenant, TypeNumber type)
        : txn_(txn), tenant_(tenant), type_(type) {}

    void add(const Id &id);
    void remove(const Id &id);

  private:
    Key key_of(const Id &id) const { return resource_key(tenant_, type_, id); }
    bool read_row(const Id &id);
    void put_row(const std::string &row) {
        txn_.put(Db::blocks, key_of(id_at(row, total_size)), row);
    }
    void set_count(size_t at, unsigned count);
    std::string part(size_t from, size_t to) const;
    std::optional<Id> end_of(size_t at);
    std::vector<Id> ids_of(size_t at);
    void split(size_t at, const Id &added);
    void put_split(bool is_tail);
    bool absorb(size_t left, bool always);
    void merge(size_t at);

    WriteTxn &txn_;
    const TenantNumber tenant_;
    const TypeNumber type_;
    std::string row_;  // the value of the row that is changed
};

// Reads the row with the block of the id. False if there is none: no block begins at or before it.
bool BlockWriter::read_row(const Id &id) {
    std::string behind(key_of(id));
    behind += '\0';
    Cursor cursor(txn_, Db::blocks);
    if (!cursor.seek_before(behind) || !starts_with(cursor.key(), resource_prefix(tenant_, type_)))
        return false;
    row_ = cursor.value();
    if (is_value(row_)) return true;
    txn_.fail(Errc::damaged);
    return false;
}

void BlockWriter::set_count(size_t at, unsigned count) {
    const uint32_t total = total_of(row_) - count_at(row_, at) + count;
    row_[offset_of(at) + id_size] = char(count);
    std::string bytes;
    append_le(bytes, total, int(total_size));
    row_.replace(0, total_size, bytes);
}

// The value of a row of the blocks from `from` up to before `to`.
std::string BlockWriter::part(size_t from, size_t to) const {
    uint64_t total = 0;
    for (size_t at = from; at < to; at++) total += count_at(row_, at);
    std::string value;
    append_le(value, total, int(total_size));
    return value.append(row_, offset_of(from), (to - from) * block_size);
}

// The id at which the next block begins; nothing if this is the last one of the type.
std::optional<Id> BlockWriter::end_of(size_t at) {
    if (at + 1 < blocks_in(row_)) return id_at(row_, offset_of(at + 1));
    const Key prefix = resource_prefix(tenant_, type_);
    Cursor cursor(txn_, Db::blocks);
    const bool more = cursor.seek(key_of(id_at(row_, total_size))) && cursor.next();
    if (!more || !starts_with(cursor.key(), prefix)) return std::nullopt;
    return id_at(cursor.key(), prefix.size());
}

// The ids of the resources of a block, at most block_most + 1.
std::vector<Id> BlockWriter::ids_of(size_t at) {
    const std::optional<Id> end = end_of(at);
    const Key prefix = resource_prefix(tenant_, type_);
    std::vector<Id> ids;
    ids.reserve(block_most + 1);
    Cursor cursor(txn_, Db::resources);
    for (bool more = cursor.seek(key_of(id_at(row_, offset_of(at))));
         more && ids.size() <= block_most; more = cursor.next()) {
        if (!starts_with(cursor.key(), prefix)) break;
        const Id id = id_at(cursor.key(), prefix.size());
        if (end && id >= *end) break;
        ids.push_back(id);
    }
    return ids;
}

void BlockWriter::add(const Id &id) {
    if (!read_row(id)) {
        // The first row begins at the smallest id, so that the next resource before all others is
        // counted in it.
        if (txn_.good()) put_row(encode_blocks({{Id{}, 1}}));
        return;
    }
    const size_t at = block_of(row_, id);
    if (count_at(row_, at) >= block_most) return split(at, id);
    set_count(at, count_at(row_, at) + 1);
    put_row(row_);
}

// Splits a full block to which a resource was added: after the resources that it had if the new one
// is the last, else in the middle.
void BlockWriter::split(size_t at, const Id &added) {
    const std::vector<Id> ids = ids_of(at);
    if (ids.size() <= block_most) {  // the count was too high: it is corrected
        set_count(at, unsigned(ids.size()));
        return put_row(row_);
    }
    const bool is_last = ids.back() == added;
    const size_t left = is_last ? block_most : block_most / 2;
    set_count(at, unsigned(left));
    std::string block(bytes_of(ids[left]));
    block += '\0';
    row_.insert(offset_of(at + 1), block);
    set_count(at + 1, unsigned(ids.size() - left));
    put_split(is_last && at + 2 == blocks_in(row_));
}

// Writes a row to which a block was added, as two rows if it has too many. `is_tail`: the new block
// is the last one of the row, and more blocks will come after it.
void BlockWriter::put_split(bool is_tail) {
    const size_t blocks = blocks_in(row_), middle = is_tail ? row_most : row_most / 2;
    if (blocks <= row_most) return put_row(row_);
    put_row(part(0, middle));
    put_row(part(middle, blocks));
}

void BlockWriter::remove(const Id &id) {
    // A resource that was not counted can be deleted all the same: verify() reports the damage.
    if (!read_row(id)) return;
    const size_t at = block_of(row_, id);
    if (count_at(row_, at) == 0) return;
    set_count(at, count_at(row_, at) - 1);
    merge(at);
    if (total_of(row_) == 0)
        txn_.del(Db::blocks, key_of(id_at(row_, total_size)));
    else
        put_row(row_);
}

// Merges a block with the one after it if they are small, or `always`.
bool BlockWriter::absorb(size_t left, bool always) {
    const unsigned added = count_at(row_, left + 1), sum = count_at(row_, left) + added;
    if (sum > merged_most && !always) return false;
    set_count(left + 1, 0);
    set_count(left, sum);
    row_.erase(offset_of(left + 1), block_size);
    return true;
}

// Merges a block from which a resource was removed with a neighbour in its row.
void BlockWriter::merge(size_t at) {
    const bool is_empty = count_at(row_, at) == 0;
    if (at > 0 && absorb(at - 1, is_empty)) return;
    if (at + 1 < blocks_in(row_)) absorb(at, is_empty);
}

}  // namespace

std::optional<std::vector<Block>> decode_blocks(Bytes value) {
    if (!is_value(value)) return std::nullopt;
    std::vector<Block> blocks(blocks_in(value));
    uint64_t total = 0;
    for (size_t i = 0; i < blocks.size(); i++) {
        blocks[i] = {id_at(value, offset_of(i)), uint8_t(count_at(value, i))};
        total += blocks[i].count;
    }
    if (total != total_of(value)) return std::nullopt;
    return blocks;
}

std::string encode_blocks(const std::vector<Block> &blocks) {
    uint64_t total = 0;
    for (const Block &block : blocks) total += block.count;
    std::string value;
    value.reserve(total_size + blocks.size() * block_size);
    append_le(value, total, int(total_size));
    for (const Block &block : blocks) {
        value.append(bytes_of(block.first));
        value += char(block.count);
    }
    return value;
}

void add_to_blocks(WriteTxn &txn, TenantNumber tenant, TypeNumber type, const Id &id) {
    BlockWriter(txn, tenant, type).add(id);
}

void remove_from_blocks(WriteTxn &txn, TenantNumber tenant, TypeNumber type, const Id &id) {
    BlockWriter(txn, tenant, type).remove(id);
}

BlockPlace find_in_blocks(Txn &txn, TenantNumber tenant, TypeNumber type, uint64_t n) {
    if (n == 0) return {};
    const Key prefix = resource_prefix(tenant, type);
    Cursor cursor(txn, Db::blocks);
    for (bool more = cursor.seek(prefix); more && starts_with(cursor.key(), prefix);
         more = cursor.next()) {
        const Bytes row = cursor.value();
        if (!is_value(row)) break;
        if (n >= total_of(row)) {
            n -= total_of(row);
            continue;
        }
        const size_t last = blocks_in(row) - 1;
        size_t at = 0;
        for (; at < last && n >= count_at(row, at); at++) n -= count_at(row, at);
        if (n >= count_at(row, at)) break;
        return {id_at(row, offset_of(at)), n};
    }
    txn.fail(Errc::damaged);
    return {};
}

}  // namespace scim::store
