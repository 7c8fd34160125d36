#pragma once
// Substring indexes (scim_index … type=substring): from each three bytes of a value to the resources
// that have them (store/postings.h).
//
//     text    := 0xff key 0xff      the comparison key of a value (scim/text/matching_key.h)
//     trigram := three adjacent bytes of the text
//
// UTF-8 has no byte 0xff, so it marks the beginning and the end of a value: no trigram spans two
// values, and a term of `sw` or `ew` has one trigram more than one of `co`. A value that contains a
// term has all trigrams of the term; the converse does not hold, so that each resource found is
// tested.
//
// A resource with a value of more than trigram_value_most bytes, or with more than trigrams_most
// different trigrams of one attribute, has only the trigram `any_trigram`, which a value cannot have.
// It is found by every search, and tested.

#include <vector>

#include "scim/resource/resource.h"
#include "scim/schema/catalog.h"
#include "store/keys.h"
#include "store/lmdb.h"
#include "store/postings.h"

namespace scim::store {

constexpr size_t trigram_value_most = 1000;  // bytes of a value in JSON, the quotes included
constexpr size_t trigrams_most = 500;
constexpr Trigram any_trigram = 0xffffff;
constexpr char trigram_mark = '\xff';

// The trigrams of a text, ascending, each once; at most `most`.
std::vector<Trigram> trigrams_of(Bytes text, size_t most = SIZE_MAX);

// The trigrams of a resource for one index.
struct TrigramSet {
    AttrNumber attr = 0;
    uint16_t building = 0;          // the number of the index if it is being built, else 0
    std::vector<Trigram> trigrams;  // ascending, each once
};
// The sets of a resource, by attribute, without empty ones. An index that is being dropped is not
// maintained.
using TrigramSets = std::vector<TrigramSet>;
TrigramSets trigram_sets(const Catalog &catalog, const TypeView &type,
                         const std::vector<Leaf> &leaves);
// The cost of computing trigram_sets(), in the units of scim/text/work.h.
size_t trigram_work(const Catalog &catalog, const TypeView &type, const std::vector<Leaf> &leaves);
// The number of lists that a change from one to the other changes.
size_t differing_trigrams(const TrigramSets &before, const TrigramSets &after);

// Changes the lists of one resource. While an index is built, only resources that the build has
// passed are in its lists (store/index_build.h).
void put_trigrams(WriteTxn &txn, TenantNumber tenant, TypeNumber type, const Id &id,
                  const TrigramSets &before, const TrigramSets &after);

}  // namespace scim::store
