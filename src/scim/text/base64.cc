#include "scim/text/base64.h"

#include <algorithm>
#include <cstdint>

namespace scim {

namespace {

constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

void append_base64url(std::string &out, std::string_view bytes) {
    for (size_t i = 0; i < bytes.size(); i += 3) {
        const size_t n = std::min<size_t>(3, bytes.size() - i);
        uint32_t group = 0;
        for (size_t k = 0; k < 3; k++) group = group << 8 | (k < n ? uint8_t(bytes[i + k]) : 0);
        for (size_t k = 0; k <= n; k++) out += digits[group >> (18 - 6 * k) & 63];
    }
}

std::optional<std::string> parse_base64url(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size() * 3 / 4);
    uint32_t bits = 0;
    int count = 0;
    for (char c : text) {
        const size_t digit = digits.find(c);
        if (digit == digits.npos) return std::nullopt;
        bits = bits << 6 | uint32_t(digit);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes += char(bits >> count & 0xff);
    }
    // The last digit may complete a byte, and its other bits are zero.
    const bool is_complete = count < 6 && (bits & ((1U << count) - 1)) == 0;
    if (!is_complete) return std::nullopt;
    return bytes;
}

}  // namespace scim
