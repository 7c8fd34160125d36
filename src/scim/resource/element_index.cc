#include "scim/resource/element_index.h"

#include <algorithm>
#include <tuple>

namespace scim {

ElementIndex::ElementIndex(const Attr &attr) {
    const Attr *type = TypeView::find_sub(attr, "type"), *value = TypeView::find_sub(attr, "value");
    if (type && value && type->stored() && value->stored()) {
        type_ = type;
        value_ = value;
    }
    const Attr *primary = attr.def->multi_valued ? TypeView::find_sub(attr, "primary") : nullptr;
    if (primary && primary->def->type == AttrType::boolean && !primary->def->multi_valued)
        primary_ = primary;
}

std::string ElementIndex::key(const Leaf *from, const Leaf *to) const {
    auto is = [](const Leaf &leaf, const Attr *part) { return part && leaf.attr == part->number; };
    const bool pair = std::any_of(from, to, [&](const Leaf &leaf) { return is(leaf, value_); });
    std::string all;
    for (; from != to; from++) {
        if (pair ? !is(*from, type_) && !is(*from, value_) : is(*from, primary_)) continue;
        all += std::to_string(from->attr);
        all += '=';
        all += from->json;  // needs no separator: it is one complete JSON value
    }
    return all;
}

std::optional<uint32_t> ElementIndex::find(const std::string &key) const {
    const auto found = numbers_.find(key);
    return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

uint32_t ElementIndex::number_last(std::vector<Leaf> &leaves, size_t first) {
    const Leaf *all = leaves.data();
    uint32_t number = size_;
    if (size_ == 0) {
        begin_ = first;  // the key of an element is not needed before there is a second one
    } else {
        if (size_ == 1 && numbers_.empty()) add(key(all + begin_, all + first), 0);
        number = add(key(all + first, all + leaves.size()), size_);
    }
    for (size_t i = first; i < leaves.size(); i++) leaves[i].element = number;
    if (number == size_)
        size_++;
    else
        repeated_ = true;
    return number;
}

void ElementIndex::merge(const TypeView &type, std::vector<Leaf> &leaves) const {
    if (!repeated_) return;
    auto place = [&](const Leaf &leaf) {
        return std::make_tuple(leaf.element, type.by_number(leaf.attr)->rank);
    };
    const auto begin = leaves.begin() + std::ptrdiff_t(begin_);
    std::stable_sort(begin, leaves.end(),
                     [&](const Leaf &a, const Leaf &b) { return place(a) < place(b); });
    auto last = begin;
    for (auto next = begin + 1; next != leaves.end(); ++next) {
        if (next->element != last->element || next->attr != last->attr)
            *++last = *next;
        else if (!is_primary(*last))
            last->json = next->json;
    }
    leaves.erase(last + 1, leaves.end());
}

}  // namespace scim
