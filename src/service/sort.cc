#include "service/sort.h"

#include <algorithm>

#include "scim/text/json.h"
#include "service/render.h"
#include "store/bytes.h"

namespace scim::service {

namespace {

constexpr size_t key_max = store::index_digest_prefix;

// Finds an attribute by its path. Unless strict, the URN of an extension may be missing.
Result<const Attr *> find_attribute(const TypeView &type, std::string_view path, Dialect &dialect) {
    if (const Attr *attr = type.find(path)) return attr;
    auto [found, several] = type.find_unprefixed(path);
    const std::string name = quoted(path);
    if (several)
        return Error{Refusal::sort_attribute,
                     "\"sortBy\" is " + name + ", which several extensions have; expected " +
                         "one with its URN such as \"" + found->path + "\""};
    if (!found) return found;
    std::string refusal = "\"sortBy\" is " + name +
                          ", which lacks the URN of an extension: send \"" + found->path + "\"";
    RETURN_IF_ERROR(dialect.deviation("unprefixed-extension", refusal, Refusal::path_deviation));
    return found;
}

Error unsortable(const std::string &path, std::string_view why) {
    return Error{Refusal::sort_attribute, "\"sortBy\" is \"" + path + "\", " + std::string(why)};
}

void append_ordered(std::string &out, int64_t value) {
    store::append_be(out, uint64_t(value) ^ uint64_t(1) << 63, 8);
}

// The first value of a multi-valued sub-attribute (RFC 7643 errata 5607), whose leaf is an array of
// strings or numbers.
std::string_view first_value(std::string_view json) {
    if (json.empty() || json[0] != '[') return json;
    bool quoted = false;
    for (size_t i = 1; i < json.size(); i++) {
        if (json[i] == '"') quoted = !quoted;
        if (quoted && json[i] == '\\') i++;
        if (!quoted && (json[i] == ',' || json[i] == ']')) return json.substr(1, i - 1);
    }
    return {};
}

}  // namespace

Result<const Attr *> sort_attribute(const TypeView &type, std::string_view path, Dialect &dialect) {
    auto found = find_attribute(type, path, dialect);
    if (!found || *found == nullptr) return found;
    const Attr *attr = *found;
    const std::string &name = attr->path;
    if (attr->def->type == AttrType::complex) {
        const Attr *value = TypeView::find_sub(*attr, "value");
        if (value == nullptr)
            return unsortable(name, "which is complex; expected one of its sub-attributes");
        attr = value;
    }
    if (attr->hidden()) return unsortable(name, "which is never returned");
    return attr;
}

Result<bool> is_descending(std::string_view sort_order) {
    if (ascii_iequals(sort_order, "descending")) return true;
    if (sort_order.empty() || ascii_iequals(sort_order, "ascending")) return false;
    return Error{Refusal::sort_order, "\"sortOrder\" is " + quoted(sort_order) +
                                          ", expected \"ascending\" or \"descending\""};
}

SortKeys::SortKeys(const TypeView &type, const Attr *attr) : type_(type), attr_(attr) {
    if (attr_ != nullptr && attr_->parent != nullptr && attr_->parent->def->multi_valued)
        primary_ = TypeView::find_sub(*attr_->parent, "primary");
}

void SortKeys::note_attributes(AttrSet &numbers) const {
    if (attr_ != nullptr && !attr_->computed) numbers.add(attr_->number);
    if (primary_ != nullptr) numbers.add(primary_->number);
}

bool SortKeys::append_key(const FilterSubject &subject, std::string &out) {
    const size_t start = out.size();
    const bool has_key = append_whole_key(subject, out);
    if (out.size() > start + key_max) out.resize(start + key_max);
    return has_key;
}

bool SortKeys::append_whole_key(const FilterSubject &subject, std::string &out) {
    if (attr_ == nullptr) return false;
    if (needs_rows()) {
        bool found = false;
        auto take_first = [&](const Leaf *begin, const Leaf *end) {
            found = begin != end && append_value(begin->json, out);
            return true;
        };
        subject.computed->some_element(*attr_->parent, part_bit(*attr_), nullptr, take_first);
        return found;
    }
    if (attr_->computed) return append_computed(subject, out);
    // RFC 7644 3.4.2.3: the primary element, else the first.
    const std::vector<Leaf> &leaves = *subject.leaves;
    const Leaf *first = nullptr;
    for (const Leaf &leaf : leaves) {
        if (leaf.attr != attr_->number) continue;
        if (first == nullptr) first = &leaf;
        bool is_primary = primary_ != nullptr &&
                          std::any_of(leaves.begin(), leaves.end(), [&](const Leaf &other) {
                              return other.attr == primary_->number &&
                                     other.element == leaf.element && other.json == "true";
                          });
        if (is_primary) return append_value(leaf.json, out);
    }
    return first != nullptr && append_value(first->json, out);
}

bool SortKeys::append_computed(const FilterSubject &subject, std::string &out) {
    const std::string &name = attr_->def->name;
    if (attr_ == type_.id) {
        out.append(reinterpret_cast<const char *>(subject.id.data()), subject.id.size());
        return true;
    }
    if (attr_ == type_.schemas) {
        out += type_.type.schema;
        return true;
    }
    if (attr_->parent != type_.meta) return false;
    if (name == "created" || name == "lastModified") {
        append_ordered(out, name == "created" ? subject.created : subject.modified);
    } else if (name == "resourceType") {
        out += type_.type.name;
    } else if (name == "version") {
        out += etag_of(subject.version);
    } else if (name == "location") {
        // Without the base URL: all resources have the same, but the next page may have another.
        out += type_.type.endpoint + '/';
        out.append(reinterpret_cast<const char *>(subject.id.data()), subject.id.size());
    }
    return true;
}

bool SortKeys::append_value(std::string_view json, std::string &out) {
    json = first_value(json);
    if (has_case(attr_->def->type)) {
        text_.clear();
        if (!read_string(json, text_)) return false;
        scim::append_key(out, attr_->matching, text_);
        return true;
    }
    auto value = store::index_value(*attr_, json);
    if (!value) return false;
    out += *value;
    return true;
}

bool Sorter::precedes(const Order &a, const Order &b) const {
    if (a.has_value != b.has_value) return a.has_value != descending_;
    int order = a.key.compare(b.key);
    if (order != 0) return (order < 0) != descending_;
    return std::pair(a.hit.type, a.hit.id) < std::pair(b.hit.type, b.hit.id);
}

void Sorter::add(const Hit &hit, const std::string *key) {
    constexpr uint64_t slack = 4096;
    const std::string_view text = key != nullptr ? std::string_view(*key) : std::string_view();
    if (after_ != nullptr &&
        !precedes({after_->has_value, after_->key, after_->hit}, Order{key != nullptr, text, hit}))
        return;
    if (entries_.size() / 2 > wanted_ + slack) shrink();
    entries_.push_back({keys_.size(), uint32_t(text.size()), key != nullptr, hit});
    keys_ += text;
}

// Removes the entries that cannot be among the first `wanted_`.
void Sorter::shrink() {
    auto middle = entries_.begin() + std::ptrdiff_t(wanted_);
    std::nth_element(entries_.begin(), middle, entries_.end(),
                     [&](const Entry &a, const Entry &b) { return precedes(a, b); });
    entries_.erase(middle, entries_.end());
    std::string kept;
    for (Entry &entry : entries_) {
        uint64_t at = kept.size();
        kept.append(keys_, entry.at, entry.size);
        entry.at = at;
    }
    keys_ = std::move(kept);
}

std::vector<Hit> Sorter::take(uint64_t start, uint64_t count) {
    std::vector<Hit> hits;
    if (start >= entries_.size()) return hits;
    uint64_t end = start + std::min<uint64_t>(count, entries_.size() - start);
    std::partial_sort(entries_.begin(), entries_.begin() + std::ptrdiff_t(end), entries_.end(),
                      [&](const Entry &a, const Entry &b) { return precedes(a, b); });
    for (uint64_t i = start; i < end; i++) hits.push_back(entries_[i].hit);
    return hits;
}

Place Sorter::place(uint64_t index) const {
    const Order order = order_of(entries_[index]);
    return {order.has_value, std::string(order.key), order.hit};
}

}  // namespace scim::service
