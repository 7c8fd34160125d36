#pragma once
// The elements of a multi-valued attribute by their identity, for POST, PUT and PATCH alike. A
// resource has no two elements with the same type and value (RFC 7643 2.4). If the attribute has
// the parts `type` and `value`, and the element has a value, its identity is that pair; a missing
// type equals only a missing type. Otherwise the identity is all parts except `primary`. Texts are
// compared octet by octet.

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "scim/resource/resource.h"
#include "scim/schema/catalog.h"

namespace scim {

class ElementIndex {
  public:
    // `attr` must outlive it.
    explicit ElementIndex(const Attr &attr);

    // Identity

    // A text that is equal for two elements if and only if they are the same. [from, to) are the
    // leaves of one element in canonical order.
    std::string key(const Leaf *from, const Leaf *to) const;
    // True for a leaf of the part `primary` that is true.
    bool is_primary(const Leaf &leaf) const {
        return primary_ && leaf.attr == primary_->number && leaf.json == "true";
    }

    // Looking up

    // Adds an element under the number that the caller gives it. Returns the number of the first
    // element with this key: `number`, unless the key was in the index.
    uint32_t add(std::string key, uint32_t number) {
        return numbers_.emplace(std::move(key), number).first->second;
    }
    std::optional<uint32_t> find(const std::string &key) const;

    // Merging a list of leaves

    // Numbers the elements of a list. The leaves from `first` to the end are the next one; they get
    // its number, which is that of the first element that is the same. Between the first call and
    // merge(), nothing else is appended to `leaves`. REQUIRES: there is at least one leaf.
    uint32_t number_last(std::vector<Leaf> &leaves, size_t first);
    // Merges the elements with the same number: of a part that both have, the last value is kept,
    // but an element that was primary stays primary. Called after the last number_last().
    void merge(const TypeView &type, std::vector<Leaf> &leaves) const;

  private:
    const Attr *type_ = nullptr, *value_ = nullptr, *primary_ = nullptr;
    std::unordered_map<std::string, uint32_t> numbers_;  // by key
    // Of the list: its first leaf, its number of elements, and whether an element was repeated.
    size_t begin_ = 0;
    uint32_t size_ = 0;
    bool repeated_ = false;
};

}  // namespace scim
