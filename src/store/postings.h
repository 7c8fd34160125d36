#pragma once
// Posting lists: which resources have a value with certain three bytes (store/trigrams.h).
//
//     trigrams := tenant:u32 type:u16 attr:u16 trigram:3 first:u64 -> more [delta more]*
//     delta    := varint of at least 1, without leading zeros
//     more     := 0x00* | 0x80 0x00 count:varint of at least 1, without leading zeros
//
// A list is a sequence of numbers in ascending order, in blocks. A number is the first 8 bytes of
// the id of a resource, so that the order of numbers is that of ids. Resources with the same first
// bytes have the same number, which the list has with their count. The key of a block has its first
// number; each delta is the difference to the number before. `more` is the count less 1. Up to
// repeats_in_full it is written as that many bytes 0x00, above that as 0x80 0x00 and the count;
// readers accept any number of bytes 0x00. So a value never has more than posting_block_most bytes,
// however many ids begin with the same bytes.
//
// A change rewrites one block. A full block is split: after its numbers if a number is added behind
// them, as it is when ids ascend, else in the middle. A block that deletions have made small is
// merged with the one before or behind it.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "store/keys.h"
#include "store/lmdb.h"

namespace scim::store {

class Directory;

using Trigram = uint32_t;  // three bytes
using Numbers = std::vector<uint64_t>;
struct Posting {
    uint64_t number = 0, count = 1;
    bool operator<(const Posting &other) const { return number < other.number; }
    bool operator==(const Posting &other) const {
        return number == other.number && count == other.count;
    }
};
using Postings = std::vector<Posting>;

constexpr size_t posting_block_most = 512;  // bytes
constexpr uint64_t repeats_in_full = 2;
constexpr size_t trigram_prefix_size = index_prefix_size + 3;
constexpr size_t posting_key_size = trigram_prefix_size + 8;

inline uint64_t number_of(const Id &id) {
    uint64_t number = 0;
    for (size_t i = 0; i < 8; i++) number = number << 8 | id[i];
    return number;
}

// Prefix of the keys of one list.
Key trigram_prefix(TenantNumber tenant, TypeNumber type, AttrNumber attr, Trigram trigram);

// The value of a block. REQUIRES: the numbers of `postings` ascend, each once; there is one.
std::string encode_postings(const Postings &postings);
// Sets `postings` to those of a block. False if the value does not follow the grammar.
bool decode_postings(uint64_t first, Bytes value, Postings &postings);

// Changes one list. A damaged block fails the transaction.
class PostingWriter {
  public:
    PostingWriter(WriteTxn &txn, const Key &prefix) : txn_(txn), prefix_(prefix) {}

    // REQUIRES: `numbers` ascend; equal ones are of several resources.
    void add(const Numbers &numbers);
    // Removes the number once; false if the list does not have it, or if its block is damaged. The
    // number then stays, which costs searches a test of the record.
    bool remove(uint64_t number);

  private:
    Key key_of(uint64_t first) const { return Key(prefix_).number(first, 8); }
    bool load(uint64_t number);
    void put(bool is_tail);
    void merge();

    WriteTxn &txn_;
    const Key prefix_;
    // The block that is changed.
    Postings block_;
    std::optional<uint64_t> was_;   // the number in its key, if it is stored
    std::optional<uint64_t> next_;  // the first number of the next block
    bool is_damaged_ = false;
};

// Reads one list in ascending order. Blocks are charged to the budget of the directory.
class PostingList {
  public:
    PostingList(Directory &directory, const Key &prefix);

    // Moves to the first number at or after `number`. False if there is none, if the budget refuses
    // a block, or if a block is damaged, which fails the transaction. REQUIRES: `number` is not
    // before the current one, and no call has returned false.
    bool seek(uint64_t number);
    uint64_t number() const { return block_[at_].number; }

  private:
    bool read_block();
    bool take_from(uint64_t number);

    Directory &directory_;
    const Key prefix_;
    Cursor cursor_;
    Postings block_;  // the current block
    size_t at_ = 0;
    unsigned jumps_ = 0;  // the last calls that have found nothing in the next block
};

// The number of blocks of a list; counting stops at `limit`.
size_t count_blocks(Directory &directory, const Key &prefix, size_t limit);

}  // namespace scim::store
