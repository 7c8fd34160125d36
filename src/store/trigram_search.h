#pragma once
// The resources that have all of some trigrams (store/trigrams.h), by their numbers.

#include <deque>
#include <optional>
#include <vector>

#include "store/directory.h"
#include "store/postings.h"
#include "store/trigrams.h"

namespace scim::store {

// One trigram that a value of an attribute must have.
struct TrigramTerm {
    AttrNumber attr = 0;
    Trigram trigram = 0;
};

// Intersects the lists of the trigrams. Each list includes the resources with `any_trigram`. Of many
// trigrams, those with the shortest lists are used: the resources are tested anyway.
class TrigramSearch {
  public:
    // REQUIRES: `terms` is not empty.
    TrigramSearch(Directory &directory, TypeNumber type, const std::vector<TrigramTerm> &terms);

    // Moves to the first number at or after `number` that is in all lists. False if there is none,
    // or if the budget of the directory refuses a block: the caller checks the budget. REQUIRES:
    // `number` is not before the current one, and no call has returned false.
    bool seek(uint64_t number);
    // Moves to the next number.
    bool next() { return number_ != UINT64_MAX && seek(number_ + 1); }
    uint64_t number() const { return number_; }

  private:
    // The numbers of two lists: of a trigram, and of any_trigram unless that list is empty.
    class List {
      public:
        List(Directory &directory, const Key &one, const std::optional<Key> &any);
        bool seek(uint64_t number);
        uint64_t number() const { return number_; }

      private:
        static void advance(std::optional<PostingList> &list, uint64_t number);
        std::optional<PostingList> one_, any_;
        uint64_t number_ = 0;
    };

    std::deque<List> lists_;  // the shortest first
    uint64_t number_ = 0;
};

}  // namespace scim::store
