#include "scim/patch/patch_element.h"

#include <algorithm>
#include <functional>

#include "scim/text/datetime.h"
#include "scim/text/json.h"
#include "scim/text/matching_key.h"

namespace scim {

// Elements

size_t Element::key_hash(const ElementIndex &index) const {
    if (!hash) hash = std::hash<std::string>()(key(index)) | 1;
    return hash;
}

const Leaf *Element::find(AttrNumber attr) const {
    for (const Leaf &leaf : leaves)
        if (leaf.attr == attr) return &leaf;
    return nullptr;
}

void Element::remove(const Attr &attr) {
    if (Leaf *leaf = find(attr)) leaves.erase(leaves.begin() + (leaf - leaves.data()));
    hash = 0;
}

// Work

Outcome PatchWork::check() const {
    if (!too_much()) return Done{};
    return Error{Refusal::patch_too_costly,
                 "the PATCH takes too much work to compare values; send its operations in several "
                 "requests"};
}

// Identity

std::optional<uint32_t> find_same(const ElementIndex &index, const std::vector<Element> &elements,
                                  const Element &element) {
    const size_t hash = element.key_hash(index);
    const auto same = std::find_if(elements.begin(), elements.end(), [&](const Element &one) {
        return one.key_hash(index) == hash && one.key(index) == element.key(index);
    });
    if (same == elements.end()) return std::nullopt;
    return uint32_t(same - elements.begin());
}

// Texts

std::vector<std::string_view> values_of(std::string_view json) {
    std::vector<std::string_view> out;
    some_value_of(json, [&](std::string_view value) {
        out.push_back(value);
        return false;
    });
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

std::string comparable(const Attr &attr, std::string_view json) {
    std::string text;
    if (!read_string(json, text)) return std::string(json);
    if (attr.def->type == AttrType::date_time)
        if (auto time = parse_datetime(text)) return std::to_string(*time);
    return key_of(attr.matching, text);
}

// Elements that a remove lists

ListedElements::ListedElements(const TypeView &type, const std::vector<Element> &elements,
                               PatchWork &work)
    : type_(type), work_(work) {
    for (const Element &element : elements) {
        std::vector<AttrNumber> parts;
        std::string key;
        for (const Leaf &leaf : element.leaves) {
            if (work.too_much()) return;  // the caller reports it
            parts.push_back(leaf.attr);
            append_number(key, number_of(leaf, true));
        }
        by_parts_[std::move(parts)].insert(std::move(key));
    }
}

void ListedElements::append_number(std::string &key, uint32_t number) {
    key.append(reinterpret_cast<const char *>(&number), sizeof number);
}

uint32_t ListedElements::number_of(const Leaf &leaf, bool is_new) {
    auto texts = texts_.find(leaf.attr);
    if (texts == texts_.end()) {
        if (!is_new) return 0;
        texts = texts_.emplace(leaf.attr, Texts()).first;
    }
    const Attr &attr = *type_.by_number(leaf.attr);
    work_.note_text(attr, leaf.json);
    work_.note(value_lookup_work);
    std::string text = comparable(attr, leaf.json);
    if (is_new)
        return texts->second.emplace(std::move(text), uint32_t(texts->second.size() + 1))
            .first->second;
    auto found = texts->second.find(text);
    return found == texts->second.end() ? 0 : found->second;
}

bool ListedElements::contains(const Element &element) {
    numbers_.clear();
    for (const Leaf &leaf : element.leaves)
        if (uint32_t number = number_of(leaf, false)) numbers_.emplace_back(leaf.attr, number);
    if (numbers_.empty()) return false;
    std::string key;
    for (const auto &[parts, keys] : by_parts_) {
        work_.note(parts.size());
        key.clear();
        // `parts` and `numbers_` are both in canonical order.
        auto next = numbers_.begin();
        for (AttrNumber part : parts) {
            next = std::find_if(next, numbers_.end(),
                                [&](const auto &one) { return one.first == part; });
            if (next == numbers_.end()) break;
            append_number(key, next->second);
        }
        if (next != numbers_.end() && keys.count(key)) return true;
    }
    return false;
}

}  // namespace scim
