#pragma once
// Work: an estimate of the processor time of a request, counted from its size and content. The same
// request on the same resource has the same count on every machine, so that a refusal does not
// depend on the load.
//
// One unit stands for 25 ns, the time of a comparison of a short text. All costs and limits are
// here. The times of the limits:
//
//     limit             units      at 25 ns   measured for the largest requests
//     body_work_most    8,000,000  200 ms     at most 200 ms
//     patch_work_most   1,500,000   40 ms     40 to 80 ms
//     index_work_most   2,000,000   50 ms     10 to 100 ms: normalising ΐ takes most, CJK least
//     batch_work_most   2,000,000   50 ms     up to 100 ms, because it consists of the two above
//     undo_work_most    4,000,000  100 ms     30 to 200 ms: creates take least, deletes of ΐ most

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "scim/text/matching_key.h"
#include "scim/text/text.h"

namespace scim {

class Work {
  public:
    explicit Work(size_t most = SIZE_MAX) : most_(most) {}

    void note(size_t units) { done_ += units; }
    size_t done() const { return done_; }
    bool too_much() const { return done_ > most_; }

  private:
    size_t most_, done_ = 0;
};

// Reading the body of one request: 413 beyond it.
constexpr size_t body_work_most = 8'000'000;
// Comparing the values of one PATCH, under the write lock: 413 beyond it. 1,000 operations can
// select by value from 750 elements, or 75 operations from 10,000.
constexpr size_t patch_work_most = 1'500'000;
// Normalising the indexed values of one resource, which is done under the write lock when it is
// changed or deleted: 413 beyond it.
constexpr size_t index_work_most = 2'000'000;
// All requests of one transaction together. The first has no limit: if it is more, it goes alone.
constexpr size_t batch_work_most = 2'000'000;
// Operations of a bulk request that are written together or not at all: 413 beyond it. About 5,000
// creates of a user with no more than a userName, or 2,000 with eight emails.
constexpr size_t undo_work_most = 4'000'000;

// Measured from parse_json() to the index values of a resource: at most 750 ns for a value, 500 ns
// more if it has a name, and 10 ns for a byte.
constexpr size_t body_work(size_t values, size_t names, size_t bytes) {
    return values * 30 + names * 20 + bytes * 2 / 5;
}

// Making the key of `text`. Measured: lower-casing takes 0.3 ns per byte, normalising and folding
// 15 to 150 ns per byte.
inline size_t key_work(Matching matching, std::string_view text) {
    return matching == Matching::exact || is_ascii(text) ? 1 + text.size() / 64
                                                         : 10 + text.size() * 3;
}

// Making the trigrams of a value, for each byte. Measured: sorting 2,000 of them takes 41 ns each.
constexpr size_t trigram_byte_work = 2;

// Finding `sought` elements among `elements` of one attribute, with an index if they are more than
// few_sought. Measured: 90 ns for each element in the index, 1.5 ns to compare one without.
constexpr size_t few_sought = 16;
constexpr size_t search_work(size_t elements, size_t sought) {
    return sought > few_sought ? 4 * (elements + sought) : elements * sought / 16;
}
// Changing an element and computing its key again; looking up a value in a hash table.
constexpr size_t change_work = 4, value_lookup_work = 3;
// Iterating over all elements, to count them or to find the primary one.
constexpr size_t walk_work(size_t elements) { return elements / 8; }

// Measured: 1 µs for each leaf of a resource, 3 µs for each row that is written, 1 µs for each
// member that is looked up, 2.5 ns for each byte of a record that is read, encoded or written.
constexpr size_t leaf_work = 40, row_work = 120, member_lookup_work = 40;
// An operation of a bulk request, refused ones included.
constexpr size_t operation_work = 40;
constexpr size_t record_work(size_t bytes) { return bytes / 10; }

}  // namespace scim
