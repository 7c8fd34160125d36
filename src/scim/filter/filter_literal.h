#pragma once
// Converts a literal of a filter to the value with which leaves are compared. Used only by the
// parser (filter_parser.cc).

#include <optional>
#include <string>
#include <string_view>

#include "scim/filter/filter.h"

namespace scim {

struct FilterLiteral {
    enum class Kind : uint8_t { string, number, boolean, null, word } kind = Kind::word;
    std::string text;  // of a string, after unescaping; of the others, as written
};

// True if `op`, other than pr, can be applied to values of this type (RFC 7644 table 3).
// REQUIRES: a simple type.
bool applies(FilterOp op, AttrType type);

// The literals for this type, as part of a sentence: "a string in double quotes".
std::string_view expected_literal(AttrType type);

// nullopt if the literal does not fit the type of the attribute. Deviations: string-boolean,
// string-number, bare-word. REQUIRES: a simple attribute, a literal that is not null.
std::optional<FilterValue> to_value(const Attr &attr, const FilterLiteral &literal,
                                    Dialect &dialect);

}  // namespace scim
