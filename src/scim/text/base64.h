#pragma once
// base64url (RFC 4648 5) without padding: its characters need no escaping in a URL.

#include <optional>
#include <string>
#include <string_view>

namespace scim {

void append_base64url(std::string &out, std::string_view bytes);

// The bytes whose base64url is `text`; nothing if there are none. Each text has at most one value,
// and each value one text.
std::optional<std::string> parse_base64url(std::string_view text);

}  // namespace scim
