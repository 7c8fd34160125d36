// Steps and the leaves of a resource. The attributes that are touched are taken apart into elements,
// changed, and put together again; nothing else is looked at, and no JSON is parsed.

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>

#include "scim/datetime.h"
#include "scim/json.h"
#include "scim/patch.h"
#include "scim/text.h"

namespace scim {

namespace {

// Elements asked by filters, times the terms of the filter: what keeps a request for the worst of
// resources below half a second.
constexpr size_t max_comparisons = 20'000'000;

const Attr &top_of(const Attr &attr) { return attr.parent ? *attr.parent : attr; }

// One element of an attribute, or a whole attribute that is not multi-valued. Parts are in order.
struct Element {
    std::vector<Leaf> leaves;
    mutable size_t hash = 0;  // 0: not yet known

    bool operator==(const Element &other) const {
        if (key() != other.key() || leaves.size() != other.leaves.size()) return false;
        return std::equal(
            leaves.begin(), leaves.end(), other.leaves.begin(),
            [](const Leaf &a, const Leaf &b) { return a.attr == b.attr && a.json == b.json; });
    }

    size_t key() const {
        if (hash) return hash;
        for (const Leaf &leaf : leaves)
            hash = hash * 31 + leaf.attr + std::hash<std::string_view>()(leaf.json);
        return hash |= 1;
    }

    const Leaf *find(AttrNumber attr) const {
        for (const Leaf &leaf : leaves)
            if (leaf.attr == attr) return &leaf;
        return nullptr;
    }
    Leaf *find(const Attr &attr) {
        return const_cast<Leaf *>(std::as_const(*this).find(attr.number));
    }

    void remove(const Attr &attr) {
        if (Leaf *leaf = find(attr)) leaves.erase(leaves.begin() + (leaf - leaves.data()));
        hash = 0;
    }
};

struct ElementHash {
    size_t operator()(const Element &e) const { return e.key(); }
};

struct Slot {
    const Attr *attr = nullptr;
    const Attr *primary = nullptr;  // the part of that name, if there is one
    std::vector<Element> elements;
};

const Attr *primary_of(const Attr &attr) {
    const Attr *part = attr.def->multi_valued ? TypeView::find_sub(attr, "primary") : nullptr;
    return part && part->def->type == Type::boolean && !part->def->multi_valued ? part : nullptr;
}

// The values in the text of a multi-valued part, which is an array of simple ones.
std::vector<std::string_view> values_of(std::string_view array) {
    std::vector<std::string_view> out;
    bool quoted = false;
    size_t start = 1;
    for (size_t i = 1; i < array.size(); i++) {
        if (array[i] == '"') quoted = !quoted;
        if (quoted && array[i] == '\\') i++;
        if (quoted || (array[i] != ',' && array[i] != ']')) continue;
        out.push_back(array.substr(start, i - start));
        start = i + 1;
    }
    return out;
}

std::string array_of(const std::vector<std::string_view> &values) {
    std::string out;
    for (std::string_view value : values) {
        out += out.empty() ? '[' : ',';
        out += value;
    }
    return out.empty() ? out : out + "]";
}

// One text for all values that a filter would call equal. Of a multi-valued part: one of its values.
std::string comparable(const Attr &attr, std::string_view json) {
    std::string text;
    if (!read_string(json, text)) return std::string(json);
    if (attr.def->type == Type::date_time)
        if (auto time = parse_datetime(text)) return std::to_string(*time);
    return key_of(attr.matching, text);
}

// Elements that are to go, each known by the parts that were sent of it.
class Listed {
  public:
    Listed(const TypeView &type, const std::vector<Element> &elements) : type_(type) {
        for (const Element &element : elements) {
            std::vector<AttrNumber> parts;
            for (const Leaf &leaf : element.leaves) parts.push_back(leaf.attr);
            std::string key = *key_of_parts(element, parts);
            by_parts_[std::move(parts)].insert(std::move(key));
        }
    }

    bool contains(const Element &element) const {
        return std::any_of(by_parts_.begin(), by_parts_.end(), [&](const auto &listed) {
            auto key = key_of_parts(element, listed.first);
            return key && listed.second.count(*key);
        });
    }

  private:
    // Nothing if the element lacks one of them.
    std::optional<std::string> key_of_parts(const Element &element,
                                            const std::vector<AttrNumber> &parts) const {
        std::string out;
        for (AttrNumber number : parts) {
            const Leaf *leaf = element.find(number);
            if (!leaf) return std::nullopt;
            const std::string text = comparable(*type_.by_number(number), leaf->json);
            out += std::to_string(text.size()) + ':' + text;
        }
        return out;
    }

    const TypeView &type_;
    std::map<std::vector<AttrNumber>, std::unordered_set<std::string>> by_parts_;
};

}  // namespace

// A member of namespace scim because Patch has it as its friend.
class PatchApplication {
  public:
    PatchApplication(const Patch &patch, const TypeView &type, Resource &resource, Report &report)
        : patch_(patch), type_(type), resource_(resource), report_(report) {}

    Outcome run();

  private:
    using Targets = std::vector<size_t>;  // places of elements

    void take_apart();
    void put_together();

    Outcome make(const PatchStep &step);
    void whole(const PatchStep &step, Slot &slot);
    Outcome list(const PatchStep &step, Slot &slot);
    Outcome selected(const PatchStep &step, Slot &slot);
    Outcome select(const PatchStep &step, const Slot &slot, Targets &targets);

    void remove_all(const PatchStep &step, Slot &slot, const Targets &targets);
    void remove_part(const PatchStep &step, Element &element);
    Outcome create(const PatchStep &step, Slot &slot);
    void change(const PatchStep &step, Element &element);
    void set_all(PatchOp op, Element &element, const LeafRange &range);
    void set(PatchOp op, Element &element, const Leaf &value);
    void claim_primary(Slot &slot, size_t winner);
    Outcome check_size(const PatchStep &step, const Slot &slot) const;
    bool sets_primary(const Slot &slot, const LeafRange &range) const;

    Slot &slot_of(const Attr &attr) { return slots_[places_[attr.rank] - 1]; }
    const Leaf &value(size_t i) const { return patch_.values_.leaves[i]; }
    std::vector<Element> elements(const LeafRange &range) const;
    bool is_part(const Leaf &leaf, const Attr &top) const {
        const Attr *attr = type_.by_number(leaf.attr);
        return attr && attr->stored() && &top_of(*attr) == &top;
    }

    const Patch &patch_;
    const TypeView &type_;
    Resource &resource_;
    Report &report_;
    std::vector<Slot> slots_;
    std::vector<uint16_t> places_;  // by rank: in slots_, from 1; 0 for what is not touched
    size_t comparisons_ = 0;
};

Outcome Patch::apply(const TypeView &type, Resource &resource, Report &report) const {
    if (steps_.empty()) return Done{};
    return PatchApplication(*this, type, resource, report).run();
}

Outcome PatchApplication::run() {
    take_apart();
    for (const PatchStep &step : patch_.steps_)
        if (auto r = make(step); !r) {
            r.error().detail = "Operations[" + std::to_string(step.operation) +
                               "]: " + std::move(r.error().detail);
            return r;
        }
    put_together();
    return Done{};
}

void PatchApplication::take_apart() {
    places_.assign(type_.attrs.size(), 0);
    for (const PatchStep &step : patch_.steps_) {
        uint16_t &place = places_[step.attr->rank];
        if (place) continue;
        slots_.push_back({step.attr, primary_of(*step.attr), {}});
        place = uint16_t(slots_.size());
    }
    const Attr *last = nullptr;
    uint32_t element = 0;
    for (const Leaf &leaf : resource_.leaves) {
        const Attr *attr = type_.by_number(leaf.attr);
        if (!attr || !attr->stored() || !places_[top_of(*attr).rank]) continue;
        Slot &slot = slot_of(top_of(*attr));
        if (slot.attr != last || leaf.element != element) slot.elements.emplace_back();
        last = slot.attr;
        element = leaf.element;
        slot.elements.back().leaves.push_back(leaf);
    }
}

void PatchApplication::put_together() {
    auto touched = [&](const Leaf &leaf) {
        const Attr *attr = type_.by_number(leaf.attr);
        return attr && attr->stored() && places_[top_of(*attr).rank];
    };
    std::vector<Leaf> &leaves = resource_.leaves;
    leaves.erase(std::remove_if(leaves.begin(), leaves.end(), touched), leaves.end());
    for (const Slot &slot : slots_) {
        std::unordered_set<Element, ElementHash> seen;
        uint32_t place = 0;
        for (const Element &element : slot.elements) {
            // What two different elements have become (S-13).
            if (slot.elements.size() > 1 && !seen.insert(element).second) continue;
            for (const Leaf &leaf : element.leaves) leaves.push_back({leaf.attr, place, leaf.json});
            place++;
        }
    }
    canonical_order(type_, leaves);
}

Outcome PatchApplication::make(const PatchStep &step) {
    Slot &slot = slot_of(*step.attr);
    if (step.filter || (step.part && step.attr->def->multi_valued)) return selected(step, slot);
    if (step.attr->def->multi_valued) return list(step, slot);
    whole(step, slot);
    return Done{};
}

// An attribute that is not multi-valued: a simple value, a complex one, or a part of it.
void PatchApplication::whole(const PatchStep &step, Slot &slot) {
    if (step.op == PatchOp::remove && !step.part) return slot.elements.clear();
    slot.elements.resize(1);  // others are left from a time when it was multi-valued
    Element &element = slot.elements[0];
    if (step.op == PatchOp::remove)
        remove_part(step, element);
    else
        change(step, element);
    if (element.leaves.empty()) slot.elements.clear();
}

// ---- All of a multi-valued attribute ----

std::vector<Element> PatchApplication::elements(const LeafRange &range) const {
    std::vector<Element> out;
    for (size_t i = range.first; i < range.last; i++) {
        if (i == range.first || value(i).element != value(i - 1).element) out.emplace_back();
        out.back().leaves.push_back(value(i));
    }
    return out;
}

Outcome PatchApplication::list(const PatchStep &step, Slot &slot) {
    if (step.op == PatchOp::remove) {
        Targets all(slot.elements.size());
        for (size_t i = 0; i < all.size(); i++) all[i] = i;
        remove_all(step, slot, all);
        return Done{};
    }
    if (step.op == PatchOp::replace) slot.elements.clear();
    for (Element &element : elements(step.values)) {
        auto equal = [&](const Element &other) { return other == element; };
        if (step.op == PatchOp::add &&
            std::any_of(slot.elements.begin(), slot.elements.end(), equal))
            continue;
        for (Leaf &leaf : element.leaves) leaf.json = resource_.keep(leaf.json);
        slot.elements.push_back(std::move(element));
        const Leaf *primary = slot.primary ? slot.elements.back().find(*slot.primary) : nullptr;
        if (primary && primary->json == "true") claim_primary(slot, slot.elements.size() - 1);
    }
    return check_size(step, slot);
}

Outcome PatchApplication::check_size(const PatchStep &step, const Slot &slot) const {
    if (slot.elements.size() <= max_elements) return Done{};
    return bad_request(ScimType::invalid_value, "\"" + step.attr->path + "\" would have " +
                                                    std::to_string(slot.elements.size()) +
                                                    " elements; " + std::to_string(max_elements) +
                                                    " are allowed.");
}

// S-119
void PatchApplication::claim_primary(Slot &slot, size_t winner) {
    for (size_t i = 0; i < slot.elements.size(); i++) {
        Element &element = slot.elements[i];
        Leaf *primary = i == winner ? nullptr : element.find(*slot.primary);
        if (!primary || primary->json != "true") continue;
        primary->json = "false";
        element.hash = 0;
    }
}

// ---- Elements that a filter selects, or all of which a part is meant ----

Outcome PatchApplication::select(const PatchStep &step, const Slot &slot, Targets &targets) {
    if (step.filter) comparisons_ += slot.elements.size() * step.filter->filter.terms();
    if (comparisons_ > max_comparisons)
        return Error{413, ScimType::none,
                     "the filters of this request have too many elements to compare; send it in "
                     "several requests.",
                     0};
    for (size_t i = 0; i < slot.elements.size(); i++) {
        const std::vector<Leaf> &leaves = slot.elements[i].leaves;
        if (!step.filter || step.filter->filter.matches_element(type_, leaves.data(),
                                                                leaves.data() + leaves.size()))
            targets.push_back(i);
    }
    return Done{};
}

Outcome PatchApplication::selected(const PatchStep &step, Slot &slot) {
    Targets targets;
    if (auto r = select(step, slot, targets); !r) return r;
    if (step.op == PatchOp::remove) {
        remove_all(step, slot, targets);
        return Done{};
    }
    if (targets.empty()) return create(step, slot);
    for (size_t i : targets) change(step, slot.elements[i]);
    // One may be the primary, whatever the filter selects.
    if (sets_primary(slot, step.values)) claim_primary(slot, targets[0]);
    auto gone = [](const Element &element) { return element.leaves.empty(); };
    slot.elements.erase(std::remove_if(slot.elements.begin(), slot.elements.end(), gone),
                        slot.elements.end());
    return Done{};
}

bool PatchApplication::sets_primary(const Slot &slot, const LeafRange &range) const {
    for (size_t i = range.first; i < range.last && slot.primary; i++)
        if (value(i).attr == slot.primary->number && value(i).json == "true") return true;
    return false;
}

// RFC 7644 3.5.2.3: noTarget. But this is how Entra ID creates an element, so the filter is read as
// its description if it is one (S-123). Without a filter, a part of nothing is simply added.
Outcome PatchApplication::create(const PatchStep &step, Slot &slot) {
    const PatchFilter *filter = step.filter.get();
    const bool taken = !step.attr->def->multi_valued && !slot.elements.empty();
    if (filter && (patch_.strict_ || !filter->describes || taken))
        return bad_request(ScimType::no_target,
                           "nothing matches the path " + quoted(filter->path) + ".");
    if (step.values.empty()) return Done{};
    if (filter) report_.rewrote("created-element");
    Element &element = slot.elements.emplace_back();
    if (filter) set_all(step.op, element, filter->element);
    set_all(step.op, element, step.values);
    const Leaf *primary = slot.primary ? element.find(*slot.primary) : nullptr;
    if (primary && primary->json == "true") claim_primary(slot, slot.elements.size() - 1);
    return check_size(step, slot);
}

// ---- One element ----

void PatchApplication::change(const PatchStep &step, Element &element) {
    if (step.op == PatchOp::replace && step.filter && !step.part) {
        const std::vector<const Attr *> &pinned = step.filter->pinned;
        auto goes = [&](const Leaf &leaf) {
            return !std::count(pinned.begin(), pinned.end(), type_.by_number(leaf.attr));
        };
        std::vector<Leaf> &leaves = element.leaves;
        leaves.erase(std::remove_if(leaves.begin(), leaves.end(), goes), leaves.end());
        element.hash = 0;
    }
    set_all(step.op, element, step.values);
    for (const Attr *part : step.unassigned) element.remove(*part);
}

void PatchApplication::set_all(PatchOp op, Element &element, const LeafRange &range) {
    for (size_t i = range.first; i < range.last; i++) set(op, element, value(i));
}

void PatchApplication::set(PatchOp op, Element &element, const Leaf &value) {
    const Attr &attr = *type_.by_number(value.attr);
    Leaf *leaf = element.find(attr);
    element.hash = 0;
    if (!leaf) {
        auto after = [&](const Leaf &other) {
            return type_.by_number(other.attr)->rank > attr.rank;
        };
        std::vector<Leaf> &leaves = element.leaves;
        leaves.insert(std::find_if(leaves.begin(), leaves.end(), after),
                      {value.attr, 0, resource_.keep(value.json)});
    } else if (op == PatchOp::add && attr.parent && attr.def->multi_valued) {
        std::vector<std::string_view> all = values_of(leaf->json);
        for (std::string_view one : values_of(value.json))
            if (!std::count(all.begin(), all.end(), one)) all.push_back(one);
        leaf->json = resource_.keep(array_of(all));
    } else if (leaf->json != value.json) {
        leaf->json = resource_.keep(value.json);
    }
}

// ---- Removing ----

void PatchApplication::remove_all(const PatchStep &step, Slot &slot, const Targets &targets) {
    std::vector<Element> &all = slot.elements;
    if (step.part) {
        for (size_t i : targets) remove_part(step, all[i]);
    } else {
        const Listed listed(type_, step.listed ? elements(step.values) : std::vector<Element>());
        for (size_t i : targets)
            if (!step.listed || listed.contains(all[i])) all[i].leaves.clear();
    }
    auto gone = [](const Element &element) { return element.leaves.empty(); };
    all.erase(std::remove_if(all.begin(), all.end(), gone), all.end());
}

void PatchApplication::remove_part(const PatchStep &step, Element &element) {
    const Attr &part = *step.part;
    Leaf *leaf = element.find(part);
    if (!leaf) return;
    if (!step.listed) return element.remove(part);
    const std::string_view listed = value(step.values.first).json;
    if (!part.def->multi_valued) {
        if (comparable(part, leaf->json) == comparable(part, listed)) element.remove(part);
        return;
    }
    std::unordered_set<std::string> going;
    for (std::string_view one : values_of(listed)) going.insert(comparable(part, one));
    std::vector<std::string_view> left;
    for (std::string_view one : values_of(leaf->json))
        if (!going.count(comparable(part, one))) left.push_back(one);
    if (left.empty()) return element.remove(part);
    leaf->json = resource_.keep(array_of(left));
    element.hash = 0;
}

}  // namespace scim
