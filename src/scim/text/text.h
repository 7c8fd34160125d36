#pragma once
// Tests and conversions of texts: UTF-8, ASCII, hexadecimal and decimal numbers.

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace scim {

bool is_utf8(std::string_view bytes);
bool is_ascii(std::string_view bytes);

// True if `text` can be written into a URL, and the URL into a JSON string, without escaping: it is
// UTF-8 without blanks, control characters, double quotes and backslashes.
bool is_url_text(std::string_view text);

// Hexadecimal digits are written in lower case.
constexpr char hex_digits[] = "0123456789abcdef";
// The value of a hexadecimal digit in lower case, -1 for any other character.
constexpr int hex_value(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
// Appends two hexadecimal digits for each byte.
void append_hex(std::string &out, const uint8_t *bytes, size_t size);

// For ASCII only: attribute names, URNs and operators are ASCII (RFC 7643 2.1).
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; }
std::string ascii_lower(std::string_view s);
bool ascii_iequals(std::string_view a, std::string_view b);

// True, with `number` set, if the whole `text` is one decimal number that fits T.
template <class T>
bool read_number(std::string_view text, T &number) {
    const char *end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && stop == end;
}

}  // namespace scim
