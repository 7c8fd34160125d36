#pragma once
// Bearer tokens as they are shown once and typed into an identity provider.
//
//     token    := "scim_" secret checksum
//     secret   := 43 base-62 digits: a 256 bit random number, most significant digit first
//     checksum := 6 base-62 digits: CRC-32 of "scim_" and the secret
//
// The prefix lets secret scanners find a leaked token; the checksum tells a token that was cut or
// mistyped from one that was never issued, without a look-up. A token made elsewhere (`--sha256`)
// may have any other form.

#include <array>
#include <string>
#include <string_view>

#include "store/tenants.h"

namespace scim::service {

std::string format_token(const std::array<uint8_t, 32> &random);

enum class TokenForm : uint8_t {
    foreign,    // not one of ours by its looks
    damaged,    // our prefix, but the length or the checksum is wrong
    plausible,  // as format_token() made it
};
TokenForm token_form(std::string_view token);

store::Digest digest_of(std::string_view token);

// 64 hexadecimal digits, in any case.
std::optional<store::Digest> parse_digest(std::string_view hex);

// getrandom(2); never returns unless it has filled all bytes.
void fill_random(uint8_t *bytes, size_t size);

}  // namespace scim::service
