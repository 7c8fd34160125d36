#pragma once
// When elements of a multi-valued attribute are the same, for POST, PUT and PATCH alike: no resource
// has two with the same type and value (S-13). An element that has a value, of an attribute that
// also has a type, is that pair, a missing type being one of its own. Any other element is all it
// says. Who is primary is no part of what an element is. Texts are the same octet by octet: what is
// spelt in another way is kept.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "scim/catalog.h"
#include "scim/resource.h"

namespace scim {

class ElementIdentity {
  public:
    // `attr` must outlive it.
    explicit ElementIdentity(const Attr &attr);

    // The same text for the same elements only. The leaves are one element, in order.
    std::string text(const Leaf *from, const Leaf *to) const;

    // Of the part of that name, if there is one (S-11).
    bool is_primary(const Leaf &leaf) const {
        return primary_ && leaf.attr == primary_->number && leaf.json == "true";
    }

  private:
    const Attr *type_ = nullptr, *value_ = nullptr, *primary_ = nullptr;
};

// Numbers the elements of one attribute while their leaves are appended to a list, and makes one of
// those that are the same: the parts of the last count, but who was primary stays it.
class ElementUnion {
  public:
    // Elements begin at the end of `leaves`; about `elements` of them. All must outlive it.
    ElementUnion(const TypeView &type, const Attr &attr, std::vector<Leaf> &leaves,
                 size_t elements);

    // The leaves from `first` on, of which there are some, are an element: returns its number.
    uint32_t add(size_t first);

    // REQUIRED after the last one, before anything else is appended.
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
