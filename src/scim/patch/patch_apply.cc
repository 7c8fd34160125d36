// Applies steps to the leaves of a resource. Only the attributes that a step changes are split into
// elements, changed, and joined again. No JSON is parsed.

#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_set>
#include <utility>

#include "scim/patch/patch.h"
#include "scim/patch/patch_element.h"
#include "scim/schema/quoted_path.h"

namespace scim {

namespace {

// An attribute that is changed, and its elements.
struct Slot {
    const Attr *attr = nullptr;
    const ElementIndex identity;  // empty: only for keys and `primary`
    std::vector<Element> elements;
};

// Erases elements without leaves: an object without values is unassigned (RFC 7643 2.5).
void erase_empty(std::vector<Element> &elements) {
    auto is_empty = [](const Element &element) { return element.leaves.empty(); };
    elements.erase(std::remove_if(elements.begin(), elements.end(), is_empty), elements.end());
}

// RFC 7643 7, immutable: the value of such a part cannot change as long as its element exists.
bool is_immutable_part(const Attr &attr) {
    return attr.parent && attr.parent->def->multi_valued &&
           attr.def->mutability == Mutability::immutable;
}

Error immutable_part(const Attr &part) {
    return Error{Refusal::attribute_immutable,
                 "\"" + part.path +
                     "\" is immutable and cannot be changed in an existing element; remove "
                     "the whole element instead"};
}

bool is_primary(const Slot &slot, const Element &element) {
    return std::any_of(element.leaves.begin(), element.leaves.end(),
                       [&](const Leaf &leaf) { return slot.identity.is_primary(leaf); });
}

}  // namespace

// Not in the anonymous namespace, because it is a friend of Patch.
class PatchApplication {
  public:
    PatchApplication(const Patch &patch, const TypeView &type, Resource &resource,
                     DeviationReport &report, Work &work)
        : patch_(patch), type_(type), resource_(resource), report_(report), work_(work) {}

    Outcome run();

  private:
    using Targets = std::vector<size_t>;  // indexes of elements

    void take_apart();
    Outcome put_together();

    Outcome make(const PatchStep &step);
    void whole(const PatchStep &step, Slot &slot);
    Outcome list(const PatchStep &step, Slot &slot);
    Outcome add_to(Slot &slot, std::vector<Element> sent);
    Outcome selected(const PatchStep &step, Slot &slot);
    Outcome select(const PatchStep &step, const Slot &slot, Targets &targets);

    Outcome remove_all(const PatchStep &step, Slot &slot, const Targets &targets);
    void remove_part(const PatchStep &step, Element &element);
    Outcome create(const PatchStep &step, Slot &slot);
    void change(const PatchStep &step, Element &element);
    void remove_value(const Attr &part, Element &element);
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
        return attr && attr->stored() && &attr->top() == &top;
    }

    const Patch &patch_;
    const TypeView &type_;
    Resource &resource_;
    DeviationReport &report_;
    std::vector<Slot> slots_;
    std::vector<uint16_t> places_;  // by rank: index in slots_ plus 1; 0: no step changes it
    PatchWork work_;
    const Attr *changed_immutable_ = nullptr;  // an immutable part that a step has changed
};

Outcome Patch::apply(const TypeView &type, Resource &resource, DeviationReport &report,
                     Work &work) const {
    if (steps_.empty()) return Done{};
    return PatchApplication(*this, type, resource, report, work).run();
}

Outcome PatchApplication::run() {
    take_apart();
    for (const PatchStep &step : patch_.steps_) {
        auto r = make(step);
        if (r && changed_immutable_) r = immutable_part(*changed_immutable_);
        if (!r) return in_operation(step.operation, "", std::move(r.error()));
    }
    return put_together();
}

void PatchApplication::take_apart() {
    places_.assign(type_.attrs.size(), 0);
    for (const PatchStep &step : patch_.steps_) {
        uint16_t &place = places_[step.attr->rank];
        if (place) continue;
        slots_.push_back({step.attr, ElementIndex(*step.attr), {}});
        place = uint16_t(slots_.size());
    }
    const Attr *last = nullptr;
    uint32_t element = 0;
    for (const Leaf &leaf : resource_.leaves) {
        const Attr *attr = type_.by_number(leaf.attr);
        if (!attr || !attr->stored() || !places_[attr->top().rank]) continue;
        Slot &slot = slot_of(attr->top());
        if (slot.attr != last || leaf.element != element) slot.elements.emplace_back();
        last = slot.attr;
        element = leaf.element;
        slot.elements.back().leaves.push_back(leaf);
    }
}

Outcome PatchApplication::put_together() {
    auto touched = [&](const Leaf &leaf) {
        const Attr *attr = type_.by_number(leaf.attr);
        return attr && attr->stored() && places_[attr->top().rank];
    };
    std::vector<Leaf> leaves;
    std::remove_copy_if(resource_.leaves.begin(), resource_.leaves.end(),
                        std::back_inserter(leaves), touched);
    for (const Slot &slot : slots_) {
        // Two elements may have become the same.
        ElementIndex index(*slot.attr);
        for (const Element &element : slot.elements) {
            const size_t first = leaves.size();
            leaves.insert(leaves.end(), element.leaves.begin(), element.leaves.end());
            index.number_last(leaves, first);
        }
        index.merge(type_, leaves);
    }
    if (auto r = check_bytes("the resource", bytes_of(leaves)); !r) return r;
    resource_.leaves = std::move(leaves);
    canonical_order(type_, resource_.leaves);
    return Done{};
}

Outcome PatchApplication::make(const PatchStep &step) {
    Slot &slot = slot_of(*step.attr);
    if (step.filter || (step.part && step.attr->def->multi_valued)) return selected(step, slot);
    if (step.attr->def->multi_valued) return list(step, slot);
    whole(step, slot);
    return Done{};
}

// A step on an attribute that is not multi-valued: simple, complex, or a part of a complex one.
void PatchApplication::whole(const PatchStep &step, Slot &slot) {
    if (step.op == PatchOp::remove && !step.part) return slot.elements.clear();
    slot.elements.resize(1);  // others were stored when the attribute was multi-valued
    Element &element = slot.elements[0];
    if (step.op == PatchOp::remove)
        remove_part(step, element);
    else
        change(step, element);
    if (element.leaves.empty()) slot.elements.clear();
}

// ---- A whole multi-valued attribute ----

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
        return remove_all(step, slot, all);
    }
    std::vector<Element> sent = elements(step.values);
    if (step.op == PatchOp::add) {
        if (auto r = add_to(slot, std::move(sent)); !r) return r;
    } else {
        slot.elements = std::move(sent);
    }
    return check_size(step, slot);
}

// Appends the elements that are new (RFC 7644 3.5.2.1). An element that exists already gets the
// parts that were sent for it.
Outcome PatchApplication::add_to(Slot &slot, std::vector<Element> sent) {
    work_.note(search_work(slot.elements.size(), sent.size()));
    work_.note(walk_work(slot.elements.size()));
    work_.note(change_work * sent.size());
    if (auto r = work_.check(); !r) return r;
    ElementIndex index(*slot.attr);
    const bool indexed = sent.size() > few_sought;
    for (size_t i = 0; indexed && i < slot.elements.size(); i++)
        index.add(slot.elements[i].key(index), uint32_t(i));
    std::optional<size_t> winner;  // the element sent as primary; at most one
    for (Element &element : sent) {
        const auto same =
            indexed ? index.find(element.key(index)) : find_same(index, slot.elements, element);
        const uint32_t place = same ? *same : uint32_t(slot.elements.size());
        if (is_primary(slot, element)) winner = place;
        if (same) {
            for (const Leaf &leaf : element.leaves) set(PatchOp::add, slot.elements[place], leaf);
        } else {
            if (indexed) index.add(element.key(index), place);
            slot.elements.push_back(std::move(element));
        }
    }
    if (winner) claim_primary(slot, *winner);
    return work_.check();
}

Outcome PatchApplication::check_size(const PatchStep &step, const Slot &slot) const {
    const std::string what = "\"" + step.attr->path + "\"";
    if (slot.elements.size() > max_elements)
        return Error{Refusal::too_many_elements,
                     what + " would have " + std::to_string(slot.elements.size()) + " elements; " +
                         std::to_string(max_elements) + " are allowed"};
    size_t bytes = 0;
    for (const Element &element : slot.elements) bytes += bytes_of(element.leaves);
    return check_bytes(what, bytes);
}

// Clears `primary` on all other elements (RFC 7644 3.5.2).
void PatchApplication::claim_primary(Slot &slot, size_t winner) {
    for (size_t i = 0; i < slot.elements.size(); i++)
        for (Leaf &leaf : slot.elements[i].leaves)
            if (i != winner && slot.identity.is_primary(leaf)) leaf.json = "false";
}

// ---- Elements that a filter selects, or a part of all elements ----

Outcome PatchApplication::select(const PatchStep &step, const Slot &slot, Targets &targets) {
    work_.note(slot.elements.size() * (step.filter ? step.filter->filter.terms() : 1));
    for (size_t i = 0; i < slot.elements.size() && step.filter && !work_.too_much(); i++)
        for (const Leaf &leaf : slot.elements[i].leaves)
            for (const Attr *attr : step.filter->compared)
                if (attr->number == leaf.attr) work_.note_text(*attr, leaf.json);
    if (auto r = work_.check(); !r) return r;
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
    if (step.op == PatchOp::remove) return remove_all(step, slot, targets);
    if (targets.empty()) return create(step, slot);
    work_.note(change_work * targets.size());
    if (auto r = work_.check(); !r) return r;
    for (size_t i : targets) change(step, slot.elements[i]);
    // At most one element may be primary, even if the filter selects more.
    if (sets_primary(slot, step.values)) claim_primary(slot, targets[0]);
    erase_empty(slot.elements);
    if (auto r = work_.check(); !r) return r;
    return check_size(step, slot);
}

bool PatchApplication::sets_primary(const Slot &slot, const LeafRange &range) const {
    for (size_t i = range.first; i < range.last; i++)
        if (slot.identity.is_primary(value(i))) return true;
    return false;
}

// No element matches: noTarget (RFC 7644 3.5.2.3). But Entra ID creates elements in this way, so,
// if the filter consists of eq terms, an element with their values is created (unless scim_profile
// is rfc). Without a filter, an element with the part is created.
Outcome PatchApplication::create(const PatchStep &step, Slot &slot) {
    const PatchFilter *filter = step.filter.get();
    const bool taken = !step.attr->def->multi_valued && !slot.elements.empty();
    if (filter && (patch_.strict_ || !filter->describes || taken))
        return Error{Refusal::patch_no_target,
                     "nothing matches the path " + quoted_path(type_, filter->path)};
    if (step.values.empty()) return Done{};
    if (filter) report_.rewrote("created-element");
    Element &element = slot.elements.emplace_back();
    if (filter) set_all(step.op, element, filter->element);
    set_all(step.op, element, step.values);
    if (is_primary(slot, element)) claim_primary(slot, slot.elements.size() - 1);
    return check_size(step, slot);
}

// ---- One element ----

void PatchApplication::change(const PatchStep &step, Element &element) {
    if (step.op == PatchOp::replace && step.filter && !step.part) {
        const std::vector<const Attr *> &pinned = step.filter->pinned;
        auto is_removed = [&](const Leaf &leaf) {
            const Attr *attr = type_.by_number(leaf.attr);
            return !is_immutable_part(*attr) && !std::count(pinned.begin(), pinned.end(), attr);
        };
        std::vector<Leaf> &leaves = element.leaves;
        leaves.erase(std::remove_if(leaves.begin(), leaves.end(), is_removed), leaves.end());
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
                      {value.attr, 0, value.json});
        return;
    }
    const std::string_view before = leaf->json;
    if (op == PatchOp::add && attr.parent && attr.def->multi_valued) {
        // The array is made for each element, and stays in memory.
        work_.note(1 + (leaf->json.size() + value.json.size()) / 2);
        if (work_.too_much()) return;
        std::vector<std::string_view> all = values_of(leaf->json);
        std::unordered_set<std::string_view> seen(all.begin(), all.end());
        for (std::string_view one : values_of(value.json))
            if (seen.insert(one).second) all.push_back(one);
        leaf->json = resource_.keep(array_of(all));
    } else {
        leaf->json = value.json;
    }
    if (is_immutable_part(attr) && leaf->json != before) changed_immutable_ = &attr;
}

// ---- Removing ----

Outcome PatchApplication::remove_all(const PatchStep &step, Slot &slot, const Targets &targets) {
    std::vector<Element> &all = slot.elements;
    if (step.part) {
        for (size_t i : targets) {
            remove_part(step, all[i]);
            if (auto r = work_.check(); !r) return r;
        }
    } else if (!step.listed) {
        for (size_t i : targets) all[i].leaves.clear();
    } else {
        ListedElements listed(type_, elements(step.values), work_);
        for (size_t i : targets) {
            if (listed.contains(all[i])) all[i].leaves.clear();
            if (auto r = work_.check(); !r) return r;
        }
    }
    erase_empty(all);
    return Done{};
}

void PatchApplication::remove_value(const Attr &part, Element &element) {
    if (is_immutable_part(part)) changed_immutable_ = &part;
    element.remove(part);
}

void PatchApplication::remove_part(const PatchStep &step, Element &element) {
    const Attr &part = *step.part;
    Leaf *leaf = element.find(part);
    if (!leaf) return;
    if (!step.listed) return remove_value(part, element);
    const std::string_view listed = value(step.values.first).json;
    work_.note_text(part, leaf->json);
    work_.note_text(part, listed);
    if (!part.def->multi_valued) {
        if (comparable(part, leaf->json) == comparable(part, listed)) remove_value(part, element);
        return;
    }
    work_.note(leaf->json.size() + listed.size());
    std::unordered_set<std::string> removed;
    for (std::string_view one : values_of(listed)) removed.insert(comparable(part, one));
    std::vector<std::string_view> left;
    for (std::string_view one : values_of(leaf->json))
        if (!removed.count(comparable(part, one))) left.push_back(one);
    if (left.empty()) return remove_value(part, element);
    if (is_immutable_part(part) && left.size() < values_of(leaf->json).size())
        changed_immutable_ = &part;
    leaf->json = resource_.keep(array_of(left));
    element.hash = 0;
}

Error Patch::without_required(const Attr *missing, Error error) const {
    auto removes_extension = [](const PatchStep &step) {
        return step.sent == PatchOp::remove && step.attr->extension >= 0;
    };
    if (!missing) {
        if (std::any_of(steps_.begin(), steps_.end(), removes_extension))
            error.refusal = Refusal::required_removed;
        return error;
    }
    const Attr *top = &missing->top();
    auto last = std::find_if(steps_.rbegin(), steps_.rend(),
                             [&](const PatchStep &step) { return step.attr == top; });
    if (last == steps_.rend()) return error;
    if (last->sent == PatchOp::remove) error.refusal = Refusal::required_removed;
    return in_operation(last->operation, "", std::move(error));
}

Error Patch::in_last_operation(const Attr &attr, Error error) const {
    auto last = std::find_if(steps_.rbegin(), steps_.rend(),
                             [&](const PatchStep &step) { return step.attr == &attr.top(); });
    return last == steps_.rend() ? error : in_operation(last->operation, "", std::move(error));
}

}  // namespace scim
