#pragma once
// Comparison of strings. Uniqueness, filters and sorting use the same keys.
//
// A key is a normalised string. Keys are compared octet by octet and stored in indexes; the stored
// value itself is never normalised. Because keys are on disk, a change in how they are made is a
// new on-disk format, and the catalog records the Unicode version that they were made with.

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace scim {

enum class Matching : uint8_t {
    exact,     // caseExact true: the octets, unchanged
    folded,    // caseExact false: NFC, full case folding, NFC again; STRASSE = Straße
    username,  // userName: PRECIS UsernameCaseMapped (RFC 7644 5, RFC 8265 3.3)
};

// Appends the key of `utf8` to `out`. Every valid UTF-8 string has a key. A userName that the
// PRECIS profile refuses (blanks, symbols, mixed directions) gets its `folded` key, because
// deployments contain such names and they must be accepted. The key depends on the value alone. Two
// userNames with the same key are equal after width mapping and full case folding. REQUIRES: `utf8`
// is valid UTF-8, which parse_json() checks; the key of invalid input is its octets.
void append_key(std::string &out, Matching matching, std::string_view utf8);
std::string key_of(Matching matching, std::string_view utf8);

// True if RFC 8265's UsernameCaseMapped profile accepts the string.
bool is_precis_username(std::string_view utf8);

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

// The version of the tables that the keys are made with: "15.0.0".
std::string_view unicode_version();

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
