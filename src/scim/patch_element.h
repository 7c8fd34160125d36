#pragma once
// Elements of a multi-valued attribute while a PATCH changes them: how they are found, which of
// them a list of values means, and what finding that out may cost. Of use to patch.h alone.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "scim/catalog.h"
#include "scim/resource.h"
#include "scim/result.h"
#include "scim/same_element.h"
#include "scim/work.h"

namespace scim {

// One element of an attribute, or a whole attribute that is not multi-valued. Parts are in order.
struct Element {
    std::vector<Leaf> leaves;
    mutable size_t hash = 0;  // 0: not yet known

    // The same for elements that are the same, and hardly ever for others.
    size_t key(const ElementIdentity &identity) const;
    const Leaf *find(AttrNumber attr) const;
    Leaf *find(const Attr &attr) {
        return const_cast<Leaf *>(std::as_const(*this).find(attr.number));
    }
    void remove(const Attr &attr);
};

// The work of one PATCH. Other writes wait meanwhile, so the bound keeps the worst request for the
// worst resource below 100 ms (40 to 80 ms were measured). It lets 1,000 operations select by value
// from 750 elements, or 75 from 10,000.
class PatchWork {
  public:
    // `all` counts the work, too, and has a bound of its own. It must outlive the PatchWork.
    explicit PatchWork(Work &all) : all_(all) {}

    void note(size_t units) {
        own_.note(units);
        all_.note(units);
    }
    // A leaf is made comparable: long ones take longer, and those that have to be folded much more.
    void note_text(const Attr &attr, std::string_view json);
    // Elements are changed, and their keys made anew when they are asked for.
    void note_changes(size_t elements) { note(4 * elements); }
    // All elements are counted, or their primary is looked for.
    void note_walk(size_t elements) { note(elements / 8); }

    bool too_much() const { return own_.too_much() || all_.too_much(); }
    Outcome check() const;  // 413

  private:
    static constexpr size_t most = 1'500'000;
    Work own_{most};
    Work &all_;
};

// Which elements a growing list has: by looking at each if few are asked for, by an index otherwise.
class Present {
  public:
    // Both must outlive it. Elements may be added, and changed as long as they stay what they are.
    Present(const ElementIdentity &identity, const std::vector<Element> &all, size_t questions);

    // What making it and asking it so often costs, for PatchWork.
    static size_t cost(size_t elements, size_t questions);

    // The place of the first that is the same.
    std::optional<size_t> find(const Element &element) const;
    // The last element is new.
    void note_last() { note(all_.size() - 1); }

  private:
    void note(size_t i);
    bool is_same(size_t i, const Element &element) const;

    const ElementIdentity &identity_;
    const std::vector<Element> &all_;
    const bool indexed_;
    std::unordered_multimap<size_t, size_t> places_;  // by key
};

// The values in the text of a multi-valued part, which is an array of simple ones.
std::vector<std::string_view> values_of(std::string_view array);
std::string array_of(const std::vector<std::string_view> &values);  // empty if there are none

// One text for all values that a filter would call equal. Of a multi-valued part: one of its values.
std::string comparable(const Attr &attr, std::string_view json);

// Elements that are to go, each known by the parts that were sent of it.
class Listed {
  public:
    // `type` and `work`, where its cost is noted, must outlive it.
    Listed(const TypeView &type, const std::vector<Element> &elements, PatchWork &work);

    // True if all parts that were sent of one of them are in `element`. Takes time for its leaves
    // once, and for the sets of parts that there are.
    bool contains(const Element &element);

  private:
    using Texts = std::unordered_map<std::string, uint32_t>;

    // A value by a number of its own, so that its text is looked at once; 0 for one not listed.
    uint32_t number_of(const Leaf &leaf, bool is_new);
    static void append_number(std::string &key, uint32_t number);

    const TypeView &type_;
    PatchWork &work_;
    std::map<AttrNumber, Texts> texts_;
    std::map<std::vector<AttrNumber>, std::unordered_set<std::string>> by_parts_;
    std::vector<std::pair<AttrNumber, uint32_t>> numbers_;  // of the element that is looked at
};

}  // namespace scim
