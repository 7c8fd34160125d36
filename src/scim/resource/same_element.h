#pragma once
// Identity of the elements of a multi-valued attribute, for POST, PUT and PATCH alike. A resource
// has no two elements with the same type and value (RFC 7643 2.4). If the attribute has the parts
// `type` and `value`, and the element has a value, its identity is that pair; a missing type equals
// only a missing type. Otherwise the identity is all parts except `primary`. Texts are compared
// octet by octet.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "scim/resource/resource.h"
#include "scim/schema/catalog.h"

namespace scim {

class ElementIdentity {
  public:
    // `attr` must outlive it.
    explicit ElementIdentity(const Attr &attr);

    // A text that is equal for two elements if and only if they are the same. [from, to) are the
    // leaves of one element in canonical order.
    std::string text(const Leaf *from, const Leaf *to) const;

    // True for a leaf of the part `primary` that is true.
    bool is_primary(const Leaf &leaf) const {
        return primary_ && leaf.attr == primary_->number && leaf.json == "true";
    }

  private:
    const Attr *type_ = nullptr, *value_ = nullptr, *primary_ = nullptr;
};

// Numbers the elements of one attribute while their leaves are appended to a list, and merges
// elements that are the same: of a part that both have, the last value is kept, but an element that
// was primary stays primary.
class ElementUnion {
  public:
    // The leaves of the elements are appended to `leaves` after this call. `elements` is an upper
    // bound of the number of elements. All arguments must outlive the object.
    ElementUnion(const TypeView &type, const Attr &attr, std::vector<Leaf> &leaves,
                 size_t elements);

    // The leaves from `first` to the end are an element; returns its number. REQUIRES: there is at
    // least one leaf.
    uint32_t add(size_t first);

    // REQUIRED after the last element, before other leaves are appended.
    void finish();

    const ElementIdentity &identity() const { return identity_; }

  private:
    const TypeView &type_;
    const ElementIdentity identity_;
    std::vector<Leaf> &leaves_;
    const size_t begin_;
    const bool alone_;
    uint32_t size_ = 0;
    bool repeated_ = false;
    std::unordered_map<std::string, uint32_t> numbers_;
};

}  // namespace scim
