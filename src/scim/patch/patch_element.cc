#include "scim/patch/patch_element.h"

#include <algorithm>
#include <functional>

#include "scim/text/datetime.h"
#include "scim/text/json.h"
#include "scim/text/text.h"

namespace scim {

// Elements

size_t Element::key(const ElementIdentity &identity) const {
    if (hash) return hash;
    const std::string text = identity.text(leaves.data(), leaves.data() + leaves.size());
    return hash = std::hash<std::string>()(text) | 1;
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

void PatchWork::note_text(const Attr &attr, std::string_view json) {
    note(key_work(attr.matching, json));
}

Outcome PatchWork::check() const {
    if (!too_much()) return Done{};
    return Error{413, ScimType::none,
                 "the PATCH takes too much work to compare values; send its operations in several "
                 "requests",
                 0};
}

// Present

namespace {

// More calls of find() than this are worth an index.
constexpr size_t few_questions = 16;

}  // namespace

Present::Present(const ElementIdentity &identity, const std::vector<Element> &all, size_t questions)
    : identity_(identity), all_(all), indexed_(questions > few_questions) {
    for (size_t i = 0; indexed_ && i < all_.size(); i++) note(i);
}

size_t Present::cost(size_t elements, size_t questions) {
    // Measured: 90 ns for each element in the index, 1.5 ns to compare one whose key is known.
    if (questions > few_questions) return 4 * (elements + questions);
    return elements * questions / 16;
}

void Present::note(size_t i) {
    if (indexed_) places_.emplace(all_[i].key(identity_), i);
}

bool Present::is_same(size_t i, const Element &element) const {
    auto text = [&](const Element &one) {
        return identity_.text(one.leaves.data(), one.leaves.data() + one.leaves.size());
    };
    return all_[i].key(identity_) == element.key(identity_) && text(all_[i]) == text(element);
}

std::optional<size_t> Present::find(const Element &element) const {
    if (!indexed_) {
        for (size_t i = 0; i < all_.size(); i++)
            if (is_same(i, element)) return i;
        return std::nullopt;
    }
    std::optional<size_t> first;
    auto [from, to] = places_.equal_range(element.key(identity_));
    for (; from != to; ++from)
        if ((!first || from->second < *first) && is_same(from->second, element))
            first = from->second;
    return first;
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

// Listed

Listed::Listed(const TypeView &type, const std::vector<Element> &elements, PatchWork &work)
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

void Listed::append_number(std::string &key, uint32_t number) {
    key.append(reinterpret_cast<const char *>(&number), sizeof number);
}

uint32_t Listed::number_of(const Leaf &leaf, bool is_new) {
    auto texts = texts_.find(leaf.attr);
    if (texts == texts_.end()) {
        if (!is_new) return 0;
        texts = texts_.emplace(leaf.attr, Texts()).first;
    }
    const Attr &attr = *type_.by_number(leaf.attr);
    work_.note_text(attr, leaf.json);
    work_.note(3);  // the look-up in `texts`
    std::string text = comparable(attr, leaf.json);
    if (is_new)
        return texts->second.emplace(std::move(text), uint32_t(texts->second.size() + 1))
            .first->second;
    auto found = texts->second.find(text);
    return found == texts->second.end() ? 0 : found->second;
}

bool Listed::contains(const Element &element) {
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
