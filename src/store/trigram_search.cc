#include "store/trigram_search.h"

#include <algorithm>
#include <map>

namespace scim::store {

namespace {

constexpr size_t lists_most = 8;

// Counts the blocks of the lists, as far as the shortest one is to be known. Lists beyond the last
// limit are not told apart.
void count_all(Directory &directory, std::vector<std::pair<size_t, Key>> &lists) {
    for (const size_t limit : {size_t(32), size_t(512)}) {
        bool is_known = false;
        for (auto &[blocks, key] : lists) {
            blocks = count_blocks(directory, key, limit);
            is_known |= blocks < limit;
        }
        if (is_known) return;
    }
}

}  // namespace

TrigramSearch::List::List(Directory &directory, const Key &one, const std::optional<Key> &any) {
    one_.emplace(directory, one);
    if (any) any_.emplace(directory, *any);
}

void TrigramSearch::List::advance(std::optional<PostingList> &list, uint64_t number) {
    if (list && !list->seek(number)) list.reset();
}

bool TrigramSearch::List::seek(uint64_t number) {
    advance(one_, number);
    advance(any_, number);
    if (one_) number_ = one_->number();
    if (any_) number_ = one_ ? std::min(number_, any_->number()) : any_->number();
    return one_ || any_;
}

TrigramSearch::TrigramSearch(Directory &directory, TypeNumber type,
                             const std::vector<TrigramTerm> &terms) {
    std::map<AttrNumber, std::optional<Key>> any;
    std::vector<std::pair<size_t, Key>> lists;
    for (const TrigramTerm &term : terms) {
        const Key key = trigram_prefix(directory.tenant(), type, term.attr, term.trigram);
        lists.emplace_back(0, key);
        const auto [found, is_new] = any.try_emplace(term.attr);
        const Key of_any = trigram_prefix(directory.tenant(), type, term.attr, any_trigram);
        if (is_new && count_blocks(directory, of_any, 1) > 0) found->second = of_any;
    }
    if (lists.size() > 1) count_all(directory, lists);
    std::stable_sort(lists.begin(), lists.end(),
                     [](const auto &a, const auto &b) { return a.first < b.first; });
    if (lists.size() > lists_most) lists.erase(lists.begin() + lists_most, lists.end());
    for (const auto &list : lists) {
        const Bytes key = list.second;
        const auto attr = AttrNumber(uint8_t(key[6]) << 8 | uint8_t(key[7]));
        lists_.emplace_back(directory, list.second, any.at(attr));
    }
}

bool TrigramSearch::seek(uint64_t number) {
    for (size_t same = 0; same < lists_.size();) {
        same = 0;
        for (List &list : lists_) {
            if (!list.seek(number)) return false;
            const bool is_other = list.number() != number;
            number = list.number();
            // All lists before this one must move, too. The first has none before it.
            if (is_other && &list != &lists_.front()) break;
            same++;
        }
    }
    number_ = number;
    return true;
}

}  // namespace scim::store
