#include "scim/resource/same_element.h"

#include <algorithm>
#include <tuple>

namespace scim {

ElementIdentity::ElementIdentity(const Attr &attr) {
    const Attr *type = TypeView::find_sub(attr, "type"), *value = TypeView::find_sub(attr, "value");
    if (type && value && type->stored() && value->stored()) {
        type_ = type;
        value_ = value;
    }
    const Attr *primary = attr.def->multi_valued ? TypeView::find_sub(attr, "primary") : nullptr;
    if (primary && primary->def->type == AttrType::boolean && !primary->def->multi_valued)
        primary_ = primary;
}

std::string ElementIdentity::text(const Leaf *from, const Leaf *to) const {
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

ElementUnion::ElementUnion(const TypeView &type, const Attr &attr, std::vector<Leaf> &leaves,
                           size_t elements)
    : type_(type), identity_(attr), leaves_(leaves), begin_(leaves.size()), alone_(elements < 2) {}

uint32_t ElementUnion::add(size_t first) {
    uint32_t number = size_;
    if (!alone_) {
        const Leaf *leaves = leaves_.data();
        std::string text = identity_.text(leaves + first, leaves + leaves_.size());
        number = numbers_.emplace(std::move(text), size_).first->second;
    }
    for (size_t i = first; i < leaves_.size(); i++) leaves_[i].element = number;
    if (number == size_)
        size_++;
    else
        repeated_ = true;
    return number;
}

void ElementUnion::finish() {
    if (!repeated_) return;
    auto place = [&](const Leaf &leaf) {
        return std::make_tuple(leaf.element, type_.by_number(leaf.attr)->rank);
    };
    const auto begin = leaves_.begin() + std::ptrdiff_t(begin_);
    std::stable_sort(begin, leaves_.end(),
                     [&](const Leaf &a, const Leaf &b) { return place(a) < place(b); });
    auto last = begin;
    for (auto next = begin + 1; next != leaves_.end(); ++next) {
        if (next->element != last->element || next->attr != last->attr)
            *++last = *next;
        else if (!identity_.is_primary(*last))
            last->json = next->json;
    }
    leaves_.erase(last + 1, leaves_.end());
}

}  // namespace scim
