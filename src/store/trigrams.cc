#include "store/trigrams.h"

#include <algorithm>
#include <iterator>

#include "scim/text/json.h"
#include "scim/text/work.h"
#include "store/index_build.h"

namespace scim::store {

namespace {

// Calls `each(index, attr)` for the substring indexes of the type that are maintained.
template <class Each>
void each_index(const Catalog &catalog, const TypeView &type, Each &&each) {
    for (const IndexDef *index : catalog.indexes(type.number)) {
        if (index->kind != IndexKind::substring || index->state == IndexState::dropping) continue;
        if (const Attr *attr = type.by_number(index->attr)) each(*index, *attr);
    }
}

void append_trigrams(std::vector<Trigram> &all, Bytes text, size_t most) {
    for (size_t i = 2; i < text.size() && all.size() < most; i++)
        all.push_back(Trigram(uint8_t(text[i - 2])) << 16 | Trigram(uint8_t(text[i - 1])) << 8 |
                      uint8_t(text[i]));
}

void make_set(std::vector<Trigram> &all) {
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
}

// Trigrams are sorted when there are so many, not for each value: so the cost for a byte does not
// depend on the number of values.
constexpr size_t unsorted_most = 4 * trigrams_most;

std::vector<Trigram> set_of(const Attr &attr, const std::vector<Leaf> &leaves) {
    std::vector<Trigram> all;  // those of the last values are not sorted yet
    std::string text, key;
    for (const Leaf &leaf : leaves) {
        if (leaf.attr != attr.number) continue;
        if (leaf.json.size() > trigram_value_most) return {any_trigram};
        text.clear();
        if (!read_string(leaf.json, text)) continue;
        key.assign(1, trigram_mark);
        append_key(key, attr.matching, text);
        key += trigram_mark;
        append_trigrams(all, key, SIZE_MAX);
        if (all.size() < unsorted_most) continue;
        make_set(all);
        if (all.size() > trigrams_most) return {any_trigram};
    }
    make_set(all);
    return all.size() > trigrams_most ? std::vector<Trigram>{any_trigram} : all;
}

// Calls `each(attr, building, before, after)` for each attribute of the two.
template <class Each>
void each_pair(const TrigramSets &before, const TrigramSets &after, Each &&each) {
    static const std::vector<Trigram> none;
    auto old = before.begin();
    auto now = after.begin();
    while (old != before.end() || now != after.end()) {
        const bool is_gone = now == after.end() || (old != before.end() && old->attr < now->attr);
        const bool is_new = old == before.end() || (now != after.end() && now->attr < old->attr);
        const TrigramSet &one = is_gone ? *old : *now;
        each(one, is_new ? none : old->trigrams, is_gone ? none : now->trigrams);
        if (!is_new) ++old;
        if (!is_gone) ++now;
    }
}

std::vector<Trigram> difference(const std::vector<Trigram> &a, const std::vector<Trigram> &b) {
    std::vector<Trigram> only;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(only));
    return only;
}

}  // namespace

std::vector<Trigram> trigrams_of(Bytes text, size_t most) {
    std::vector<Trigram> all;
    append_trigrams(all, text, most);
    make_set(all);
    return all;
}

TrigramSets trigram_sets(const Catalog &catalog, const TypeView &type,
                         const std::vector<Leaf> &leaves) {
    TrigramSets sets;
    each_index(catalog, type, [&](const IndexDef &index, const Attr &attr) {
        const uint16_t building = index.state == IndexState::building ? index.number : 0;
        TrigramSet set{attr.number, building, set_of(attr, leaves)};
        if (!set.trigrams.empty()) sets.push_back(std::move(set));
    });
    std::sort(sets.begin(), sets.end(),
              [](const TrigramSet &a, const TrigramSet &b) { return a.attr < b.attr; });
    return sets;
}

size_t trigram_work(const Catalog &catalog, const TypeView &type, const std::vector<Leaf> &leaves) {
    size_t work = 0;
    each_index(catalog, type, [&](const IndexDef &, const Attr &attr) {
        for (const Leaf &leaf : leaves)
            if (leaf.attr == attr.number && leaf.json.size() <= trigram_value_most)
                work += key_work(attr.matching, leaf.json) + trigram_byte_work * leaf.json.size();
    });
    return work;
}

size_t differing_trigrams(const TrigramSets &before, const TrigramSets &after) {
    size_t count = 0;
    each_pair(before, after, [&](const TrigramSet &, const auto &old, const auto &now) {
        count += difference(old, now).size() + difference(now, old).size();
    });
    return count;
}

void put_trigrams(WriteTxn &txn, TenantNumber tenant, TypeNumber type, const Id &id,
                  const TrigramSets &before, const TrigramSets &after) {
    const uint64_t number = number_of(id);
    each_pair(before, after, [&](const TrigramSet &one, const auto &old, const auto &now) {
        if (one.building != 0 && !is_built_at(txn, one.building, tenant, id)) return;
        for (Trigram trigram : difference(old, now))
            PostingWriter(txn, trigram_prefix(tenant, type, one.attr, trigram)).remove(number);
        for (Trigram trigram : difference(now, old))
            PostingWriter(txn, trigram_prefix(tenant, type, one.attr, trigram)).add({number});
    });
}

}  // namespace scim::store
