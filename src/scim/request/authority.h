#pragma once
// The host and port of a URL.

#include <string_view>

namespace scim {

// True for a host name or address with an optional port (RFC 3986 3.2.2, 3.2.3), as in a URL and in
// the Host header (RFC 9110 7.2). A host has 1 to 255 letters, digits, "-", "." and "_", or is an
// address in brackets; the port is at most 65535. Percent-encoding, which RFC 3986 3.2.2 allows, is
// refused, because DNS names do not contain it.
bool is_authority(std::string_view text);

}  // namespace scim
