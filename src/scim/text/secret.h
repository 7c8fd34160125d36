#pragma once
// Removes bearer tokens of this server from texts that are sent or logged.

#include <string>
#include <string_view>

namespace scim {

// The first characters of every token that scimctl makes (service/token.h).
constexpr std::string_view token_prefix = "scim_";

// `text` with each token of this server replaced by "scim_…". A token is recognised by the prefix
// and at least 16 letters or digits after it, so that part of a token is replaced as well.
std::string without_tokens(std::string_view text);

}  // namespace scim
