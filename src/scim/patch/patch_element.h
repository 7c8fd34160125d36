#pragma once
// The elements of a multi-valued attribute while a PATCH changes them: finding equal elements,
// finding the elements that a list of values selects, and bounding the work of both. Used only by
// the implementation of patch.h.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "scim/resource/element_index.h"
#include "scim/resource/resource.h"
#include "scim/schema/catalog.h"
#include "scim/text/result.h"
#include "scim/text/work.h"

namespace scim {

// One element of a multi-valued attribute, or a singular attribute. Parts are in canonical order.
struct Element {
    std::vector<Leaf> leaves;
    mutable size_t hash = 0;  // 0: not computed yet

    std::string key(const ElementIndex &index) const {
        return index.key(leaves.data(), leaves.data() + leaves.size());
    }
    size_t key_hash(const ElementIndex &index) const;  // cached
    const Leaf *find(AttrNumber attr) const;
    Leaf *find(const Attr &attr) {
        return const_cast<Leaf *>(std::as_const(*this).find(attr.number));
    }
    void remove(const Attr &attr);
};

// The work of one PATCH (work.h), which is bounded because other writes wait for it.
class PatchWork {
  public:
    // The work is also added to `all`, which has its own bound and must outlive the PatchWork.
    explicit PatchWork(Work &all) : all_(all) {}

    void note(size_t units) {
        own_.note(units);
        all_.note(units);
    }
    // comparable() of a leaf.
    void note_text(const Attr &attr, std::string_view json) { note(key_work(attr.matching, json)); }
    bool too_much() const { return own_.too_much() || all_.too_much(); }
    Outcome check() const;  // 413

  private:
    Work own_{patch_work_most};
    Work &all_;
};

// The place of the first of `elements` that is the same as `element`, by a scan; nullopt if there
// is none. The keys are not needed for the most part, because their hashes differ.
std::optional<uint32_t> find_same(const ElementIndex &index, const std::vector<Element> &elements,
                                  const Element &element);

// The values in the text of a sub-attribute: an array of simple values, or one value, which was
// stored before the sub-attribute was multi-valued.
std::vector<std::string_view> values_of(std::string_view json);
std::string array_of(const std::vector<std::string_view> &values);  // empty if there are no values

// A text that is the same for all values that are equal in a filter. `json` is one value, also for
// a multi-valued sub-attribute.
std::string comparable(const Attr &attr, std::string_view json);

// The elements that a remove lists. Each is described by the parts that were sent for it, whose
// values are compared as in a filter: this is not the identity of ElementIndex.
class ListedElements {
  public:
    // `type` must outlive the object, and so must `work`, to which the work is added. If that
    // becomes too much, the list is incomplete: the caller checks `work`.
    ListedElements(const TypeView &type, const std::vector<Element> &elements, PatchWork &work);

    // True if `element` has all parts of one of the descriptions. The work is linear in the leaves
    // of `element` and in the number of different sets of parts.
    bool contains(const Element &element);

  private:
    using Texts = std::unordered_map<std::string, uint32_t>;

    // Maps a value to a number, so that its text is compared once; 0 for a value that is not
    // listed. With `is_new`, the value is added.
    uint32_t number_of(const Leaf &leaf, bool is_new);
    static void append_number(std::string &key, uint32_t number);

    const TypeView &type_;
    PatchWork &work_;
    std::map<AttrNumber, Texts> texts_;
    std::map<std::vector<AttrNumber>, std::unordered_set<std::string>> by_parts_;
    std::vector<std::pair<AttrNumber, uint32_t>> numbers_;  // of the element in contains()
};

}  // namespace scim
