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

size_t more_size(uint64_t more) { return more <= repeats_in_full ? more : 2 + varint_size(more); }

void append_more(std::string &value, uint64_t more) {
    if (more <= repeats_in_full) {
        value.append(more, '\0');
    } else {
        value.append("\x80\0", 2);
        append_varint(value, more);
    }
}

// The bytes of a posting behind the one with the number `last`.
size_t size_behind(uint64_t last, const Posting &posting) {
    return varint_size(posting.number - last) + more_size(posting.count - 1);
}

void append_behind(std::string &value, uint64_t last, const Posting &posting) {
    append_varint(value, posting.number - last);
    append_more(value, posting.count - 1);
}

size_t encoded_size(const Postings &postings) {
    size_t size = postings.empty() ? 0 : more_size(postings.front().count - 1);
    for (size_t i = 1; i < postings.size(); i++)
        size += size_behind(postings[i - 1].number, postings[i]);
    return size;
}

// Adds up the counts of equal numbers, which are adjacent.
void unite_equal(Postings &postings) {
    size_t kept = 0;
    for (size_t i = 1; i < postings.size(); i++)
        if (postings[i].number == postings[kept].number)
            postings[kept].count += postings[i].count;
        else
            postings[++kept] = postings[i];
    postings.resize(kept + 1);
}

// Reads a varint of `size` bytes and advances `at`. False if it does not end, or is above 64 bits.
bool read_varint(const char *&at, const char *end, uint64_t &value, size_t &size) {
    const char *const begin = at;
    value = 0;
    for (unsigned shift = 0; at != end; shift += 7) {
        const auto byte = uint8_t(*at++);
        // The tenth byte has the highest bit of the number.
        if (shift == 63 && byte > 1) return false;
        value |= uint64_t(byte & 0x7f) << shift;
        if (byte < 0x80) {
            size = size_t(at - begin);
            return true;
        }
    }
    return false;
}

uint64_t first_of(Bytes key) { return read_be(key.data() + trigram_prefix_size, 8); }

bool is_block_of(Bytes key, Bytes prefix) {
    return key.size() == posting_key_size && starts_with(key, prefix);
}

}  // namespace

Key trigram_prefix(TenantNumber tenant, TypeNumber type, AttrNumber attr, Trigram trigram) {
    return resource_prefix(tenant, type).number(attr, 2).number(trigram, 3);
}

std::string encode_postings(const Postings &postings) {
    std::string value;
    append_more(value, postings.front().count - 1);
    for (size_t i = 1; i < postings.size(); i++)
        append_behind(value, postings[i - 1].number, postings[i]);
    return value;
}

bool decode_postings(uint64_t first, Bytes value, Postings &postings) {
    constexpr uint64_t count_most = UINT32_MAX;  // resources of a tenant; larger ones are damage
    postings.assign(1, {first, 1});
    const char *at = value.data(), *const end = at + value.size();
    while (at != end) {
        Posting &last = postings.back();
        uint64_t delta = 0, more = 1;
        size_t size = 0;
        if (!read_varint(at, end, delta, size)) return false;
        if (delta != 0) {
            if (size != varint_size(delta) || delta > UINT64_MAX - last.number) return false;
            postings.push_back({last.number + delta, 1});
            continue;
        }
        const bool has_count = size == 2;
        if (size > 2 || (has_count && (!read_varint(at, end, more, size) || more == 0 ||
                                       more > count_most || size != varint_size(more))))
            return false;
        last.count += more;
    }
    return true;
}

// Reads the block into which the number belongs: the last one that begins at or before it, or else
// the first. False if the list is empty, if the block is damaged, or if the transaction has failed.
bool PostingWriter::load(uint64_t number) {
    block_.clear();
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
        !decode_postings(first_of(cursor.key()), cursor.value(), block_)) {
        is_damaged_ = true;
        return false;
    }
    was_ = block_.front().number;
    if (cursor.next() && is_block_of(cursor.key(), prefix_)) next_ = first_of(cursor.key());
    return true;
}

// Writes the block, as several if it is too long. `is_tail`: numbers were added only behind those
// that the block had.
void PostingWriter::put(bool is_tail) {
    if (was_ && (block_.empty() || *was_ != block_.front().number))
        txn_.del(Db::trigrams, key_of(*was_));
    const bool is_whole = is_tail || encoded_size(block_) <= posting_block_most;
    const size_t most = is_whole ? posting_block_most : posting_block_most / 2 + varint_most;
    std::string value;
    for (size_t i = 0; i < block_.size();) {
        const uint64_t first = block_[i].number;
        value.clear();
        append_more(value, block_[i].count - 1);
        for (i++; i < block_.size(); i++) {
            const uint64_t last = block_[i - 1].number;
            if (value.size() + size_behind(last, block_[i]) > most) break;
            append_behind(value, last, block_[i]);
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
        const bool is_tail = block_.empty() || block_.back().number <= *from;
        const auto middle = ptrdiff_t(block_.size());
        for (auto at = from; at != to; ++at) block_.push_back({*at, 1});
        std::inplace_merge(block_.begin(), block_.begin() + middle, block_.end());
        unite_equal(block_);
        put(is_tail);
        from = to;
    }
}

bool PostingWriter::remove(uint64_t number) {
    if (!load(number)) return false;
    const auto at = std::lower_bound(block_.begin(), block_.end(), Posting{number});
    if (at == block_.end() || at->number != number) return false;
    if (--at->count == 0) block_.erase(at);
    if (!block_.empty()) merge();
    put(true);
    return true;
}

// Takes the numbers of the block before or behind this one, if both are small: together at most half
// of a block, so that a few numbers more do not split it again.
void PostingWriter::merge() {
    constexpr size_t merged_most = posting_block_most / 2;
    const size_t size = encoded_size(block_) + varint_most;
    if (size > merged_most / 2) return;
    Postings more;
    Cursor cursor(txn_, Db::trigrams);
    const auto read = [&](bool is_there) {
        if (!is_there || !is_block_of(cursor.key(), prefix_) ||
            size + cursor.value().size() > merged_most)
            return false;
        if (decode_postings(first_of(cursor.key()), cursor.value(), more)) return true;
        txn_.fail(Errc::damaged);
        return false;
    };
    if (read(cursor.seek_before(key_of(*was_)))) {
        block_.insert(block_.begin(), more.begin(), more.end());
    } else if (next_ && read(cursor.seek(key_of(*next_)))) {
        block_.insert(block_.end(), more.begin(), more.end());
        txn_.del(Db::trigrams, key_of(*next_));
    }
}

PostingList::PostingList(Directory &directory, const Key &prefix)
    : directory_(directory), prefix_(prefix), cursor_(directory.txn(), Db::trigrams) {}

// Reads the block at the cursor. False if it is not one of the list.
bool PostingList::read_block() {
    at_ = 0;
    block_.clear();
    if (!starts_with(cursor_.key(), prefix_)) return false;
    // Decoding a byte takes half as long as the budget's estimate for one.
    if (!directory_.may_walk() || !directory_.may_read(cursor_.value().size())) return false;
    if (is_block_of(cursor_.key(), prefix_) &&
        decode_postings(first_of(cursor_.key()), cursor_.value(), block_))
        return true;
    block_.clear();
    directory_.txn().fail(Errc::damaged);
    return false;
}

// Moves within the current block. False if all its numbers are less.
bool PostingList::take_from(uint64_t number) {
    if (block_.empty() || block_.back().number < number) return false;
    at_ = size_t(std::lower_bound(block_.begin() + ptrdiff_t(at_), block_.end(), Posting{number}) -
                 block_.begin());
    return true;
}

bool PostingList::seek(uint64_t number) {
    if (take_from(number)) return true;
    // If the numbers that are sought lie close together, the next block mostly has the next one;
    // otherwise it is not worth reading.
    constexpr unsigned jumps_most = 4;
    if (!block_.empty() && jumps_ < jumps_most) {
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
