// After the prefix of the index, the key of a row is value 0x00 id. Strings contain no 0x00 and
// other values have a fixed width. So the rows of a value v are in [v 0x00, v 0x01), and those of
// greater values come after that range.

#include "service/query_range.h"

#include "store/keys.h"

namespace scim::service {

namespace {

constexpr char first = '\x00', behind = '\x01';

std::string successor(std::string prefix) {
    while (!prefix.empty() && uint8_t(prefix.back()) == 0xff) prefix.pop_back();
    if (!prefix.empty()) prefix.back() = char(uint8_t(prefix.back()) + 1);
    return prefix;
}

// The rows of the values v for which `v op value` holds.
std::optional<IndexRange> order_range(FilterOp op, const std::string &value) {
    switch (op) {
        case FilterOp::eq: return IndexRange{value + first, value + behind, true, true};
        case FilterOp::gt: return IndexRange{value + behind, "", true, false};
        case FilterOp::ge: return IndexRange{value + first, "", true, false};
        case FilterOp::lt: return IndexRange{"", value + first, true, false};
        case FilterOp::le: return IndexRange{"", value + behind, true, false};
        default: return std::nullopt;
    }
}

// The row of a long string contains its prefix and a digest.
std::optional<IndexRange> string_range(const FilterNode &term) {
    const std::string &key = term.value.key;
    if (term.op == FilterOp::eq) {
        auto value = store::index_value(*term.attr, term.value.json);
        if (!value) return std::nullopt;
        auto range = order_range(term.op, *value);
        range->exact = !store::is_digest(*value);
        return range;
    }
    const bool is_long = key.size() >= store::index_digest_prefix;
    std::string start = key.substr(0, store::index_digest_prefix);
    switch (term.op) {
        case FilterOp::sw: return IndexRange{start, successor(start), !is_long, false};
        case FilterOp::gt:
        case FilterOp::ge:
            return is_long ? IndexRange{start, "", false, false} : order_range(term.op, key);
        case FilterOp::lt:
        case FilterOp::le:
            return is_long ? IndexRange{"", successor(start), false, false}
                           : order_range(term.op, key);
        default: return std::nullopt;
    }
}

// Rows of decimals contain doubles: different decimals may have the same double.
FilterOp widened(FilterOp op) {
    return op == FilterOp::gt ? FilterOp::ge : op == FilterOp::lt ? FilterOp::le : op;
}

}  // namespace

std::optional<IndexRange> index_range(const FilterNode &term) {
    if (term.value.kind == FilterValue::Kind::null) return std::nullopt;
    if (term.op == FilterOp::pr) return IndexRange{"", "", false, false};
    switch (AttrType type = term.attr->def->type) {
        case AttrType::boolean:
        case AttrType::integer:
        case AttrType::decimal:
        case AttrType::date_time: {
            if (type == AttrType::integer && term.value.kind != FilterValue::Kind::integer)
                return std::nullopt;
            auto value = store::index_value(*term.attr, term.value.json);
            if (!value) return std::nullopt;
            bool is_rounded = type == AttrType::decimal;
            auto range = order_range(is_rounded ? widened(term.op) : term.op, *value);
            if (range && is_rounded) range->exact = false;
            return range;
        }
        default: return string_range(term);
    }
}

std::vector<store::Trigram> term_trigrams(const FilterNode &term) {
    const AttrType type = term.attr->def->type;
    const bool is_text = (type == AttrType::string || type == AttrType::reference) &&
                         term.value.kind == FilterValue::Kind::key;
    if (!is_text) return {};
    std::string text;
    switch (term.op) {
        case FilterOp::co: text = term.value.key; break;
        case FilterOp::sw: text = store::trigram_mark + term.value.key; break;
        case FilterOp::ew: text = term.value.key + store::trigram_mark; break;
        case FilterOp::eq: text = store::trigram_mark + term.value.key + store::trigram_mark; break;
        default: return {};
    }
    return store::trigrams_of(text, term_trigrams_most);
}

}  // namespace scim::service
