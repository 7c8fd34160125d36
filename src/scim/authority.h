#pragma once
// The host and port of a URL.

#include <string_view>

namespace scim {

// True for a host name or address with an optional port, as a URL has them and as the Host header must
// (RFC 9110 7.2): letters, digits, "-", "." and "_", at most 255 of them, or an address in brackets;
// a port up to 65535. Percent-encoding, which RFC 3986 3.2.2 allows, is not in DNS names.
bool is_authority(std::string_view text);

}  // namespace scim
