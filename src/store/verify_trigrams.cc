// Checks substring indexes (store/trigrams.h) against the records, in time linear in the number of
// postings.
//
// As in verify_index.cc, surplus and missing postings are found by sums: the first walk adds the hash
// of each posting that the records should have to the sum of its number, and the second walk, over
// the lists, subtracts the hash of each posting. Numbers share a fixed number of sums. If a sum is not
// 0, postings are wrong, or the store was written between the walks: two further walks compare the
// postings of these numbers with the records, each in one snapshot.

#include <xxhash.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "store/directory.h"
#include "store/postings.h"
#include "store/trigrams.h"
#include "store/verification.h"

namespace scim::store {

namespace {

struct ListName {
    TenantNumber tenant;
    TypeNumber type;
    AttrNumber attr;
    Trigram trigram;

    Key prefix() const { return trigram_prefix(tenant, type, attr, trigram); }
};

ListName list_of(Bytes key) {
    return {TenantNumber(read_be(key.data(), 4)), TypeNumber(read_be(key.data() + 4, 2)),
            AttrNumber(read_be(key.data() + 6, 2)), Trigram(read_be(key.data() + 8, 3))};
}

class TrigramVerifier {
  public:
    explicit TrigramVerifier(Verification &v) : v_(v) {}
    void check();

  private:
    template <class Each>
    void each_expected(Each &&each);
    template <class Each>
    void each_block(bool reports, Each &&each);
    bool is_checked(const ListName &list, Bytes key, bool reports);
    void check_order(Bytes key, const Postings &block);
    void check_missing(const ListName &list, const Id &id);
    void check_surplus(const ListName &list, const Posting &posting);
    // The resources with one number.
    struct Expected {
        std::map<std::pair<AttrNumber, Trigram>, size_t> counts;
        bool has_damage = false;  // a record cannot be read
    };
    const Expected &expected(const ListName &list, uint64_t number);
    size_t expected_count(const ListName &list, uint64_t number);
    std::optional<size_t> listed_count(const ListName &list, uint64_t number);

    std::string name_of(const ListName &list) const {
        const TypeView *type = v_.catalog->type_by_number(list.type);
        const Attr *attr = type != nullptr ? type->by_number(list.attr) : nullptr;
        std::string bytes;
        append_be(bytes, list.trigram, 3);
        return "tenant " + std::to_string(list.tenant) + " " + v_.type_name(list.type) + " " +
               (attr != nullptr ? attr->path : std::to_string(list.attr)) + " trigram " +
               hex_text(bytes);
    }
    uint64_t &sum_of(uint64_t number) {
        return sums_[XXH3_64bits(&number, sizeof number) % sums_.size()];
    }
    static uint64_t hash_of(const ListName &list, uint64_t number) {
        const Key key = list.prefix().number(number, 8);
        return XXH3_64bits(Bytes(key).data(), key.size());
    }

    Verification &v_;
    std::vector<uint64_t> sums_ = std::vector<uint64_t>(1 << 16);
    std::string last_key_;                   // of the block before
    uint64_t last_ = 0, last_snapshot_ = 0;  // its last number, and its snapshot
    // By tenant, type and number, in one snapshot.
    std::map<std::tuple<TenantNumber, TypeNumber, uint64_t>, Expected> expected_;
    uint64_t expected_snapshot_ = 0;
};

// Calls `each(list, id)` for each trigram of each record, for indexes that are ready.
template <class Each>
void TrigramVerifier::each_expected(Each &&each) {
    const auto &indexes = v_.catalog->rows().indexes;
    if (std::none_of(indexes.begin(), indexes.end(),
                     [](const IndexDef &index) { return index.kind == IndexKind::substring; }))
        return;
    std::vector<Leaf> leaves;
    v_.each_tenant_row(Db::resources, 6 + id_size, 6 + id_size, [&](Bytes key, Bytes value) {
        const auto tenant = TenantNumber(read_be(key.data(), 4));
        const TypeView *type = v_.catalog->type_by_number(TypeNumber(read_be(key.data() + 4, 2)));
        const bool has_index =
            type != nullptr &&
            std::any_of(type->attrs.begin(), type->attrs.end(),
                        [](const Attr &attr) { return attr.substring != nullptr; });
        if (!has_index) return;
        // verify_index() reports damaged records.
        auto record = RecordView::parse(value);
        leaves.clear();
        if (!record || !record->leaves(leaves)) return;
        for (const TrigramSet &set : trigram_sets(*v_.catalog, *type, leaves))
            for (Trigram trigram : set.trigrams)
                if (set.building == 0)
                    each(ListName{tenant, type->number, set.attr, trigram}, id_at(key, 6));
    });
}

// Calls `each(key, list, block)` for each block of an index that is ready.
template <class Each>
void TrigramVerifier::each_block(bool reports, Each &&each) {
    Postings block;
    v_.each_tenant_row(Db::trigrams, posting_key_size, posting_key_size,
                       [&](Bytes key, Bytes value) {
                           const ListName list = list_of(key);
                           if (!is_checked(list, key, reports)) return;
                           const uint64_t first = read_be(key.data() + trigram_prefix_size, 8);
                           if (decode_postings(first, value, block))
                               each(key, list, block);
                           else if (reports)
                               v_.problem(Db::trigrams, name_of(list), "a block is damaged");
                       });
}

bool TrigramVerifier::is_checked(const ListName &list, Bytes key, bool reports) {
    for (const IndexDef &index : v_.catalog->rows().indexes)
        if (index.type == list.type && index.attr == list.attr &&
            index.kind == IndexKind::substring)
            return index.state == IndexState::ready &&
                   v_.catalog->type_by_number(list.type) != nullptr;
    if (reports)
        v_.problem(Db::trigrams, hex_text(key),
                   "there is no substring index on attribute " + std::to_string(list.attr) +
                       " of " + v_.type_name(list.type));
    return false;
}

// Blocks of one snapshot are compared; a write between snapshots may have split one.
void TrigramVerifier::check_order(Bytes key, const Postings &block) {
    const bool is_same = last_snapshot_ == v_.snapshot() &&
                         starts_with(last_key_, key.substr(0, trigram_prefix_size));
    if (is_same && last_ >= block.front().number)
        v_.problem(Db::trigrams, name_of(list_of(key)), "two blocks of the list overlap");
    last_key_ = key;
    last_ = block.back().number;
    last_snapshot_ = v_.snapshot();
}

// What the records of the resources with this number should have in the lists. Each record is parsed
// once, because its number is in many lists; at most expected_most numbers are kept.
const TrigramVerifier::Expected &TrigramVerifier::expected(const ListName &list, uint64_t number) {
    constexpr size_t expected_most = 1024;
    if (expected_snapshot_ != v_.snapshot() || expected_.size() == expected_most) expected_.clear();
    expected_snapshot_ = v_.snapshot();
    const auto [at, is_new] = expected_.try_emplace({list.tenant, list.type, number});
    Expected &result = at->second;
    if (!is_new) return result;
    const TypeView &type = *v_.catalog->type_by_number(list.type);
    const Key prefix = resource_prefix(list.tenant, list.type).number(number, 8);
    std::vector<Leaf> leaves;
    Cursor cursor(v_.txn(), Db::resources);
    for (bool more = cursor.seek(prefix); more && starts_with(cursor.key(), prefix);
         more = cursor.next()) {
        v_.note_read(cursor.value().size());
        auto record = RecordView::parse(cursor.value());
        leaves.clear();
        result.has_damage |= !record || !record->leaves(leaves);
        for (const TrigramSet &set : trigram_sets(*v_.catalog, type, leaves))
            for (Trigram trigram : set.trigrams) result.counts[{set.attr, trigram}]++;
    }
    return result;
}

size_t TrigramVerifier::expected_count(const ListName &list, uint64_t number) {
    const auto &counts = expected(list, number).counts;
    const auto at = counts.find({list.attr, list.trigram});
    return at == counts.end() ? 0 : at->second;
}

// How often the list has the number; nothing if its block is damaged.
std::optional<size_t> TrigramVerifier::listed_count(const ListName &list, uint64_t number) {
    const Key prefix = list.prefix();
    std::string behind(list.prefix().number(number, 8));
    behind += '\0';
    Cursor cursor(v_.txn(), Db::trigrams);
    if (!cursor.seek_before(behind) || !starts_with(cursor.key(), prefix)) return 0;
    v_.note_read(cursor.value().size());
    Postings block;
    if (cursor.key().size() != posting_key_size ||
        !decode_postings(read_be(cursor.key().data() + trigram_prefix_size, 8), cursor.value(),
                         block))
        return std::nullopt;
    const auto at = std::lower_bound(block.begin(), block.end(), Posting{number});
    return at == block.end() || at->number != number ? 0 : size_t(at->count);
}

void TrigramVerifier::check_missing(const ListName &list, const Id &id) {
    const uint64_t number = number_of(id);
    if (sum_of(number) == 0) return;
    const auto listed = listed_count(list, number);
    if (listed && *listed < expected_count(list, number))
        v_.problem(Db::trigrams, name_of(list) + " " + scim::to_string(id),
                   "the list lacks the resource, which has the trigram");
}

void TrigramVerifier::check_surplus(const ListName &list, const Posting &posting) {
    const auto [number, count] = posting;
    if (sum_of(number) == 0 || count <= expected_count(list, number)) return;
    // What the lists should have of a damaged record is not known. verify_index() reports it.
    if (expected(list, number).has_damage) return;
    std::string bytes;
    append_be(bytes, number, 8);
    v_.problem(Db::trigrams, name_of(list) + " " + hex_text(bytes),
               "the list has " + std::to_string(count) +
                   " resources whose ids begin with these bytes, which is too many");
}

void TrigramVerifier::check() {
    each_expected([&](const ListName &list, const Id &id) {
        const uint64_t number = number_of(id);
        sum_of(number) += hash_of(list, number);
    });
    each_block(true, [&](Bytes key, const ListName &list, const Postings &block) {
        check_order(key, block);
        for (const auto &[number, count] : block) sum_of(number) -= count * hash_of(list, number);
    });
    if (std::all_of(sums_.begin(), sums_.end(), [](uint64_t sum) { return sum == 0; })) return;
    each_expected([&](const ListName &list, const Id &id) { check_missing(list, id); });
    each_block(false, [&](Bytes, const ListName &list, const Postings &block) {
        for (const Posting &posting : block) check_surplus(list, posting);
    });
}

}  // namespace

void verify_trigrams(Verification &v) { TrigramVerifier(v).check(); }

}  // namespace scim::store
