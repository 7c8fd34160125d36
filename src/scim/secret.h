#pragma once
// What a text that is shown or logged must not contain: bearer tokens of this server and values of
// attributes that are never returned.

#include <string>
#include <string_view>

#include "scim/catalog.h"

namespace scim {

// Every token that scimctl makes begins with this (service/token.h).
constexpr std::string_view token_prefix = "scim_";

// The text, in which each token of this server, whole or a part of at least 16 digits, is cut to its
// prefix: "scim_…".
std::string without_tokens(std::string_view text);

// quoted() for a path of an attribute, with brackets or without. A path that names an attribute that is
// never returned, such as password, is shown up to that name: the rest may be its value.
std::string quoted_path(const TypeView &type, std::string_view path);

}  // namespace scim
