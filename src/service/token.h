#pragma once
// The text form of bearer tokens, which is shown once and entered into an identity provider.
//
//     token    := "scim_" secret checksum
//     secret   := 43 base-62 digits: a 256 bit random number, most significant digit first
//     checksum := 6 base-62 digits: CRC-32 of "scim_" and the secret
//
// The prefix lets secret scanners find a leaked token. The checksum distinguishes a truncated or
// mistyped token from one that was never issued, without a lookup. A token that was created
// elsewhere (`scimctl token create --sha256`) may have any other form.

#include <array>
#include <string>
#include <string_view>

#include "store/tenants.h"

namespace scim::service {

std::string format_token(const std::array<uint8_t, 32> &random);

enum class TokenForm : uint8_t {
    foreign,    // it does not have the prefix
    damaged,    // it has the prefix, but the length or the checksum is wrong
    plausible,  // it has the form of format_token()
};
TokenForm token_form(std::string_view token);

// SHA-256 of the token.
store::Digest digest_of(std::string_view token);

// Parses 64 hexadecimal digits, in upper or lower case.
std::optional<store::Digest> parse_digest(std::string_view hex);

// Fills all bytes by getrandom(2). Throws std::system_error if that fails.
void fill_random(uint8_t *bytes, size_t size);
// Eight such bytes.
uint64_t random_number();

}  // namespace scim::service
