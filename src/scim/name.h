#pragma once
// The grammar of names (RFC 7643 2.1). Schema files, PATCH paths and whatever else reads a name use
// it, so that each name that can be declared can be used.

#include <string_view>

namespace scim {

// ALPHA *( ALPHA / DIGIT / "$" / "-" / "_" ): an attribute or a resource type.
bool is_attribute_name(std::string_view text);

// The same, and "$ref", which RFC 7643 has and its grammar does not (erratum 8924): a sub-attribute.
bool is_sub_attribute_name(std::string_view text);

// True if `text` consists of ASCII letters, digits and `others`.
bool consists_of(std::string_view text, std::string_view others);

}  // namespace scim
