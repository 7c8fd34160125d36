#pragma once
// Finds the end of the plain part of a JSON string, eight bytes at a time.

#include <cstdint>
#include <cstring>
#include <string_view>

namespace scim {

// The number of bytes before the first one that a JSON string escapes: a double quote, a backslash
// or a control character; all bytes if there is none.
inline size_t plain_prefix(std::string_view text) {
    constexpr uint64_t ones = 0x0101010101010101, tops = 0x80 * ones;
    // The lowest bit that is set belongs to the first byte of the word that is less than `n`; bits
    // above it may belong to other bytes. 0 if there is no such byte.
    auto less = [](uint64_t word, uint64_t n) { return (word - ones * n) & ~word & tops; };
    size_t at = 0;
    for (uint64_t word; text.size() - at >= sizeof word; at += sizeof word) {
        std::memcpy(&word, text.data() + at, sizeof word);
        if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) word = __builtin_bswap64(word);
        const uint64_t found =
            less(word, ' ') | less(word ^ ones * '"', 1) | less(word ^ ones * '\\', 1);
        if (found != 0) return at + size_t(__builtin_ctzll(found)) / 8;
    }
    auto is_plain = [](char c) { return uint8_t(c) >= ' ' && c != '"' && c != '\\'; };
    while (at < text.size() && is_plain(text[at])) at++;
    return at;
}

}  // namespace scim
