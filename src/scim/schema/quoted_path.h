#pragma once
// Quotes a client's path without the value of an attribute that is never returned.

#include <string>
#include <string_view>

#include "scim/schema/catalog.h"

namespace scim {

// quoted() for the path of an attribute, with or without brackets. If the path contains the name of
// an attribute that is never returned, such as password, it is cut behind that name: the rest may
// contain its value.
std::string quoted_path(const TypeView &type, std::string_view path);

}  // namespace scim
