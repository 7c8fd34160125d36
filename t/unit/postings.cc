// Tests the blocks of posting lists and the lists themselves: random inserts and removals against a
// std::multiset, seeks from each place, damaged blocks, and the trigrams of a text.
//
//     SCIM_SEED=n postings.t

#include "store/postings.h"

#include <algorithm>
#include <map>
#include <set>

#include "filter_trees.h"
#include "fixture.h"
#include "store/bytes.h"
#include "store/directory.h"
#include "store/trigrams.h"

using namespace fixture;
using namespace scim::store;

namespace {

constexpr TenantNumber tenant = 1;

void test_blocks() {
    for (const Postings &postings :
         {Postings{{0}}, Postings{{UINT64_MAX}}, Postings{{0}, {UINT64_MAX}}, Postings{{5, 3}},
          Postings{{5, 4}}, Postings{{5, 1000000}, {6, 2}, {1000, 300}},
          Postings{{1}, {128}, {16512}, {1ull << 35}, {1ull << 63}, {UINT64_MAX}}}) {
        Postings back;
        const uint64_t first = postings[0].number;
        ok(decode_postings(first, encode_postings(postings), back) && back == postings,
           "a block with " + std::to_string(postings.size()) + " numbers from " +
               std::to_string(first) + " on is decoded as it was encoded");
    }
    is(encode_postings({{5, 3}, {7, 4}}), std::string("\0\0\2\x80\0\3", 6),
       "up to three equal numbers have a byte for each further one, more have a count");
    Postings back;
    ok(decode_postings(5, Bytes("\0\0\0\0\1", 5), back) && back == Postings{{5, 5}, {6}},
       "a byte for each further number is read for any count");
    const auto refused = [&](uint64_t first, Bytes value) {
        return !decode_postings(first, value, back);
    };
    ok(refused(1, Bytes("\x80\0", 2)) && refused(1, Bytes("\x80\0\0", 3)),
       "a count that is missing or 0 is refused");
    ok(refused(1, Bytes("\x80\0\x80\x80\x80\x80\x10", 7)), "a count of 2^32 is refused");
    ok(!refused(1, Bytes("\x80\0\xff\xff\xff\xff\x0f", 7)), "a count of 2^32 - 1 is read");
    ok(refused(1, "\x80"), "a block that ends within a delta is refused");
    ok(refused(1, Bytes("\x81\x00", 2)) && refused(1, Bytes("\x80\x80\x00", 3)),
       "a delta with a leading zero is refused");
    ok(refused(2, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "a number above 64 bits is refused");
    ok(refused(0, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "a delta above 64 bits is refused");
    ok(refused(0, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00"),
       "a delta of more than ten bytes is refused");
}

void test_random_bytes() {
    bool same = true;
    size_t accepted = 0;
    for (int i = 0; i < 200000; i++) {
        std::string value;
        for (size_t n = below(24); n > 0; n--)
            value += char(chance(2) ? below(256) : chance(2) ? 0x80 | below(128) : below(3));
        const uint64_t first = chance(2) ? below(1000) : UINT64_MAX - below(1000);
        Postings some, again;
        if (!decode_postings(first, value, some)) continue;
        accepted++;
        same &= std::is_sorted(some.begin(), some.end()) && some[0].number == first &&
                decode_postings(first, encode_postings(some), again) && again == some &&
                encode_postings(some).size() <= value.size();
    }
    ok(same && accepted > 1000, "random bytes are refused, or are ascending numbers");
}

// The lists of a store beside their contents in memory.
class Model {
  public:
    Model() : store_(open_store(dir_.path, size_t(256) << 20)), txn_(store_->env()) {}

    Key prefix(Trigram trigram) const { return trigram_prefix(tenant, 1, 2, trigram); }
    void add(Trigram trigram, Numbers numbers) {
        std::sort(numbers.begin(), numbers.end());
        lists_[trigram].insert(numbers.begin(), numbers.end());
        PostingWriter(txn_, prefix(trigram)).add(numbers);
    }
    bool remove(Trigram trigram, uint64_t number) {
        auto &list = lists_[trigram];
        const auto at = list.find(number);
        const bool is_there = at != list.end();
        if (is_there) list.erase(at);
        return PostingWriter(txn_, prefix(trigram)).remove(number) == is_there;
    }
    const std::multiset<uint64_t> &list(Trigram trigram) { return lists_[trigram]; }
    WriteTxn &txn() { return txn_; }

    // True if the blocks of the list have its numbers in order, and none of them is too long.
    bool is_right(Trigram trigram) {
        Numbers all;
        Postings block;
        Cursor cursor(txn_, Db::trigrams);
        const Key start = prefix(trigram);
        for (bool more = cursor.seek(start); more && starts_with(cursor.key(), start);
             more = cursor.next()) {
            const uint64_t first = read_be(cursor.key().data() + trigram_prefix_size, 8);
            if (!decode_postings(first, cursor.value(), block)) return false;
            if (cursor.value().size() > posting_block_most) return false;
            if (!all.empty() && all.back() >= first) return false;
            for (const Posting &posting : block)
                all.insert(all.end(), posting.count, posting.number);
        }
        const auto &list = lists_[trigram];
        return txn_.good() && all == Numbers(list.begin(), list.end());
    }

    // True if seeks to random places, each behind the one before, find what the list has there.
    bool finds(Trigram trigram, uint64_t step) {
        Directory directory(txn_, tenant);
        PostingList list(directory, prefix(trigram));
        const auto &numbers = lists_[trigram];
        for (uint64_t at = below(2) * below(step);; at += 1 + below(step)) {
            const auto expected = numbers.lower_bound(at);
            const bool found = list.seek(at);
            if (found != (expected != numbers.end())) return false;
            if (!found) return true;
            if (list.number() != *expected) return false;
            at = list.number();
        }
    }

  private:
    TempDir dir_;
    std::unique_ptr<scim::service::Store> store_;
    WriteTxn txn_;
    std::map<Trigram, std::multiset<uint64_t>> lists_;
};

void test_lists() {
    Model model;
    constexpr uint64_t spread[] = {3, 300, 100000, uint64_t(1) << 40};
    bool right = true, found = true, removed = true;
    uint64_t tail = 0;
    for (int round = 0; round < 3000; round++) {
        const Trigram trigram = 0x616263 + Trigram(below(4));
        const uint64_t most = spread[trigram - 0x616263] * 1000;
        const auto &list = model.list(trigram);
        // Lists grow in the first half of the rounds and shrink in the second.
        const bool adds = below(10) < (round < 1500 ? 8u : 1u);
        if (adds) {
            Numbers numbers(1 + (chance(20) ? below(3000) : below(3)));
            for (uint64_t &number : numbers)
                number = chance(3) ? tail += below(most / 500 + 1) : below(most);
            model.add(trigram, std::move(numbers));
        } else {
            for (size_t n = chance(10) ? below(2000) : 1; n > 0; n--) {
                auto at = list.lower_bound(below(most));
                removed &= model.remove(trigram, at == list.end() ? below(most) : *at);
            }
        }
        if (round % 100 != 0) continue;
        right &= model.is_right(trigram);
        found &= model.finds(trigram, most / 1000 + 1) && model.finds(trigram, most / 5 + 1);
    }
    ok(right,
       "after random inserts and removals the blocks have the numbers of the lists in order");
    ok(found, "a seek finds the first number at or after the one that is sought");
    ok(removed, "a number is removed once, and only if the list has it");
    for (Trigram trigram = 0x616263; trigram < 0x616267; trigram++)
        while (!model.list(trigram).empty()) {
            auto at = model.list(trigram).lower_bound(below(spread[trigram - 0x616263] * 1000));
            if (at == model.list(trigram).end()) at = model.list(trigram).begin();
            model.remove(trigram, *at);
        }
    is(model.txn().entries(Db::trigrams), uint64_t(0), "a list without numbers has no block");
}

void test_equal_numbers() {
    Model model;
    const Numbers same(3000, 77);
    model.add(1, same);
    model.add(1, {76, 78});
    ok(model.is_right(1) && model.finds(1, 2), "3,000 equal numbers are in one block");
    is(model.txn().entries(Db::trigrams), uint64_t(1), "with the numbers beside them");
    bool removed = true;
    for (size_t i = 0; i < same.size(); i++) removed &= model.remove(1, 77);
    removed &= model.remove(1, 77) && model.list(1).size() == 2;
    ok(removed && model.is_right(1), "each of them is removed once");
}

// Ascending numbers fill the blocks, and removals of many merge them.
void test_size() {
    Model model;
    for (uint64_t n = 0; n < 20000; n++) model.add(1, {n * 100});
    is(model.txn().entries(Db::trigrams), size_t((20000 + 512) / 513),
       "ascending numbers with deltas of one byte are 513 in a block");
    for (uint64_t n = 0; n < 20000; n++)
        if (n % 20 != 0) model.remove(1, n * 100);
    ok(model.is_right(1), "what is left is in order");
    ok(model.txn().entries(Db::trigrams) <= 20, "blocks that have become small are merged");
}

void test_damage() {
    for (const auto &[key_end, value] : {std::pair("", "\x80"), std::pair("x", "")}) {
        Model model;
        model.add(1, {5, 6});
        Key key = model.prefix(1);
        std::string damaged(key.number(5, 8));
        model.txn().put(Db::trigrams, damaged + key_end, value);
        Directory directory(model.txn(), tenant);
        PostingList list(directory, model.prefix(1));
        bool more = true;
        for (uint64_t at = 0; more; at = list.number() + 1) more = list.seek(at);
        is(to_string(model.txn().error()), to_string(Errc::damaged),
           "reading a damaged block fails the transaction");
    }
    Model model;
    Key key = model.prefix(1);
    model.txn().put(Db::trigrams, key.number(5, 8), "\x80");
    PostingWriter(model.txn(), model.prefix(1)).add({7});
    is(to_string(model.txn().error()), to_string(Errc::damaged),
       "changing a damaged block fails the transaction");
}

void test_trigrams() {
    const auto text = [](const std::vector<Trigram> &all) {
        std::string out;
        for (Trigram t : all)
            out += std::string{char(t >> 16), char(t >> 8 & 255), char(t & 255)} + " ";
        return out;
    };
    is(text(trigrams_of("banana")), "ana ban nan ", "the trigrams of a text are sorted, each once");
    is(text(trigrams_of("ab")), "", "a text of two bytes has none");
    is(text(trigrams_of("abcdef", 2)), "abc bcd ", "their number is bounded");
    is(trigrams_of("\xc3\xbc"
                   "a")[0],
       0xc3bc61u, "a trigram has three bytes of UTF-8");
}

}  // namespace

int main() {
    seed_from_environment();
    test_blocks();
    test_random_bytes();
    test_lists();
    test_equal_numbers();
    test_size();
    test_damage();
    test_trigrams();
    return tap::done();
}
