#include "store/postings.h"

#include <algorithm>
#include <iterator>

#include "store/bytes.h"
#include "store/directory.h"

namespace scim::store {

namespace {

constexpr size_t varint_most = 10;  // bytes

size_t varint_size(uint64_t value) {
    size_t size = 1;
    for (; value >= 0x80; value >>= 7) size++;
    return size;
}

size_t encoded_size(const Numbers &numbers) {
    size_t size = 0;
    for (size_t i = 1; i < numbers.size(); i++) size += varint_size(numbers[i] - numbers[i - 1]);
    return size;
}

uint64_t first_of(Bytes key) { return read_be(key.data() + trigram_prefix_size, 8); }

bool is_block_of(Bytes key, Bytes prefix) {
    return key.size() == posting_key_size && starts_with(key, prefix);
}

}  // namespace

Key trigram_prefix(TenantNumber tenant, TypeNumber type, AttrNumber attr, Trigram trigram) {
    return resource_prefix(tenant, type).number(attr, 2).number(trigram, 3);
}

std::string encode_posting(const Numbers &numbers) {
    std::string value;
    for (size_t i = 1; i < numbers.size(); i++) append_varint(value, numbers[i] - numbers[i - 1]);
    return value;
}

bool decode_posting(uint64_t first, Bytes value, Numbers &numbers) {
    numbers.clear();
    numbers.push_back(first);
    uint64_t last = first;
    const char *at = value.data(), *const end = at + value.size();
    while (at != end) {
        uint64_t delta = 0;
        unsigned shift = 0;
        uint8_t byte;
        do {
            byte = uint8_t(*at++);
            // The tenth byte has the highest bit of the number.
            if (shift == 63 && byte > 1) return false;
            delta |= uint64_t(byte & 0x7f) << shift;
            shift += 7;
        } while (byte >= 0x80 && at != end);
        const bool is_padded = byte == 0 && shift > 7;
        if (byte >= 0x80 || is_padded || delta > UINT64_MAX - last) return false;
        numbers.push_back(last += delta);
    }
    return true;
}

// Reads the block into which the number belongs: the last one that begins at or before it, or else
// the first. False if the list is empty, if the block is damaged, or if the transaction has failed.
bool PostingWriter::load(uint64_t number) {
    numbers_.clear();
    was_.reset();
    next_.reset();
    is_damaged_ = false;
    std::string behind(key_of(number));
    behind += '\0';
    Cursor cursor(txn_, Db::trigrams);
    if ((!cursor.seek_before(behind) || !starts_with(cursor.key(), prefix_)) &&
        (!cursor.seek(prefix_) || !starts_with(cursor.key(), prefix_)))
        return false;
    if (!is_block_of(cursor.key(), prefix_) ||
        !decode_posting(first_of(cursor.key()), cursor.value(), numbers_)) {
        is_damaged_ = true;
        return false;
    }
    was_ = numbers_.front();
    if (cursor.next() && is_block_of(cursor.key(), prefix_)) next_ = first_of(cursor.key());
    return true;
}

// Writes the block, as several if it is too long. `is_tail`: numbers were added only behind those
// that the block had.
void PostingWriter::put(bool is_tail) {
    if (was_ && (numbers_.empty() || *was_ != numbers_.front()))
        txn_.del(Db::trigrams, key_of(*was_));
    const bool is_whole = is_tail || encoded_size(numbers_) <= posting_block_most;
    const size_t most = is_whole ? posting_block_most : posting_block_most / 2 + varint_most;
    std::string value;
    for (size_t i = 0; i < numbers_.size();) {
        const uint64_t first = numbers_[i];
        value.clear();
        for (i++; i < numbers_.size(); i++) {
            const uint64_t delta = numbers_[i] - numbers_[i - 1];
            if (delta != 0 && value.size() + varint_size(delta) > most) break;
            append_varint(value, delta);
        }
        txn_.put(Db::trigrams, key_of(first), value);
    }
}

void PostingWriter::add(const Numbers &numbers) {
    for (auto from = numbers.begin(); from != numbers.end();) {
        load(*from);
        if (is_damaged_) txn_.fail(Errc::damaged);
        if (!txn_.good()) return;
        const auto to = next_ ? std::lower_bound(from + 1, numbers.end(), *next_) : numbers.end();
        const bool is_tail = numbers_.empty() || numbers_.back() <= *from;
        const auto middle = ptrdiff_t(numbers_.size());
        numbers_.insert(numbers_.end(), from, to);
        std::inplace_merge(numbers_.begin(), numbers_.begin() + middle, numbers_.end());
        put(is_tail);
        from = to;
    }
}

bool PostingWriter::remove(uint64_t number) {
    if (!load(number)) return false;
    const auto at = std::lower_bound(numbers_.begin(), numbers_.end(), number);
    if (at == numbers_.end() || *at != number) return false;
    numbers_.erase(at);
    if (!numbers_.empty()) merge();
    put(true);
    return true;
}

// Takes the numbers of the block before or behind this one, if both are small: together at most half
// of a block, so that a few numbers more do not split it again.
void PostingWriter::merge() {
    constexpr size_t merged_most = posting_block_most / 2;
    const size_t size = encoded_size(numbers_) + varint_most;
    if (size > merged_most / 2) return;
    Numbers more;
    Cursor cursor(txn_, Db::trigrams);
    const auto read = [&](bool is_there) {
        if (!is_there || !is_block_of(cursor.key(), prefix_) ||
            size + cursor.value().size() > merged_most)
            return false;
        if (decode_posting(first_of(cursor.key()), cursor.value(), more)) return true;
        txn_.fail(Errc::damaged);
        return false;
    };
    if (read(cursor.seek_before(key_of(*was_)))) {
        numbers_.insert(numbers_.begin(), more.begin(), more.end());
    } else if (next_ && read(cursor.seek(key_of(*next_)))) {
        numbers_.insert(numbers_.end(), more.begin(), more.end());
        txn_.del(Db::trigrams, key_of(*next_));
    }
}

PostingList::PostingList(Directory &directory, const Key &prefix)
    : directory_(directory), prefix_(prefix), cursor_(directory.txn(), Db::trigrams) {}

// Reads the block at the cursor. False if it is not one of the list.
bool PostingList::read_block() {
    at_ = 0;
    numbers_.clear();
    if (!starts_with(cursor_.key(), prefix_)) return false;
    // Decoding a byte takes half as long as the budget's estimate for one.
    if (!directory_.may_walk() || !directory_.may_read(cursor_.value().size())) return false;
    if (is_block_of(cursor_.key(), prefix_) &&
        decode_posting(first_of(cursor_.key()), cursor_.value(), numbers_))
        return true;
    numbers_.clear();
    directory_.txn().fail(Errc::damaged);
    return false;
}

// Moves within the current block. False if all its numbers are less.
bool PostingList::take_from(uint64_t number) {
    if (numbers_.empty() || numbers_.back() < number) return false;
    at_ = size_t(std::lower_bound(numbers_.begin() + ptrdiff_t(at_), numbers_.end(), number) -
                 numbers_.begin());
    return true;
}

bool PostingList::seek(uint64_t number) {
    if (take_from(number)) return true;
    // If the numbers that are sought lie close together, the next block mostly has the next one;
    // otherwise it is not worth reading.
    constexpr unsigned jumps_most = 4;
    if (!numbers_.empty() && jumps_ < jumps_most) {
        if (!cursor_.next() || !read_block()) return false;
        if (take_from(number)) {
            jumps_ = 0;
            return true;
        }
        jumps_++;
    }
    std::string behind(Key(prefix_).number(number, 8));
    behind += '\0';
    if (cursor_.seek_before(behind) && starts_with(cursor_.key(), prefix_)) {
        if (!read_block()) return false;
        if (take_from(number)) return true;
        return cursor_.next() && read_block();
    }
    return directory_.txn().good() && cursor_.seek(prefix_) && read_block();
}

size_t count_blocks(Directory &directory, const Key &prefix, size_t limit) {
    size_t count = 0;
    Cursor cursor(directory.txn(), Db::trigrams);
    for (bool more = cursor.seek(prefix);
         more && count < limit && starts_with(cursor.key(), prefix) && directory.may_walk();
         more = cursor.next())
        count++;
    return count;
}

}  // namespace scim::store
