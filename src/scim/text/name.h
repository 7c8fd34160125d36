#pragma once
// The grammar of attribute names (RFC 7643 2.1). Schema files, filters and PATCH paths all use it,
// so that each name that can be declared can also be used.

#include <string_view>

namespace scim {

// ALPHA *( ALPHA / DIGIT / "$" / "-" / "_" ): the name of an attribute or of a resource type.
bool is_attribute_name(std::string_view text);

// The name of a sub-attribute: the same, and "$ref", which RFC 7643 uses although its grammar does
// not allow it (RFC 7643 erratum 8924).
bool is_sub_attribute_name(std::string_view text);

// True if `text` consists of ASCII letters, digits and `others`.
bool consists_of(std::string_view text, std::string_view others);

// The end of the brackets that open at `open` in a path or a list of names. Strings between them
// may contain brackets.
struct Brackets {
    size_t close;    // of the closing bracket; the size of the text if there is none
    bool in_string;  // there is none because a string does not end
};
Brackets find_brackets(std::string_view text, size_t open);

}  // namespace scim
