#pragma once
// From a filter's literal to the value that an attribute's leaves are compared with. Part of the
// parser (filter_parser.cc); of no use elsewhere.

#include <optional>
#include <string>
#include <string_view>

#include "scim/filter.h"

namespace scim {

struct FilterLiteral {
    enum class Kind : uint8_t { string, number, boolean, null, word } kind = Kind::word;
    std::string text;  // of a string after its escapes, of the others as it was written
};

// S-78: whether an operator other than pr has a meaning for values of this type.
// REQUIRES: a simple type.
bool applies(FilterOp op, Type type);

// What values of this type are compared with, as part of a sentence: "a string in double quotes".
std::string_view expected_literal(Type type);

// Nothing if the literal does not fit the attribute's type (S-82). Reports "string-boolean",
// "string-number" and "bare-word". REQUIRES: a simple attribute, a literal that is not null.
std::optional<FilterValue> to_value(const Attr &attr, const FilterLiteral &literal,
                                    Dialect &dialect);

}  // namespace scim
