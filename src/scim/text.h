#pragma once
// How two strings are the same: one normaliser for uniqueness, filters and sorting, and what it
// produces is on disk.
//
// A key is what an index holds and what is compared octet by octet; a stored value is never
// changed (S-159). Because keys are on disk, a change of their making is a new on-disk format, and
// the Unicode version they were made with is written in the catalog.

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace scim {

enum class Matching : uint8_t {
    exact,     // caseExact: the octets as they are
    folded,    // NFC, full case folding, NFC again (S-158): STRASSE = Straße
    username,  // PRECIS UsernameCaseMapped, RFC 8265 3.3 (S-155, S-156)
};

// Appends the key of `utf8` to `out`. Total: every valid UTF-8 string has a key. A userName that
// the PRECIS profile refuses (blanks, symbols, mixed directions) is keyed as `folded` instead:
// deployments contain such names, and a directory that refuses them provisions nobody (S-156). The
// key of a userName that PRECIS accepts, and of one it refuses, cannot collide wrongly: both are
// functions of the value alone. REQUIRES: `utf8` is valid UTF-8 (parse_json saw to that). Invalid
// input is keyed by its octets.
void append_key(std::string &out, Matching matching, std::string_view utf8);
std::string key_of(Matching matching, std::string_view utf8);

// True if RFC 8265's UsernameCaseMapped profile accepts the string.
bool is_precis_username(std::string_view utf8);

bool is_utf8(std::string_view bytes);
bool is_ascii(std::string_view bytes);

// True if nothing in it must not be in a URL and could end a JSON string that the URL is written
// into as it is: blanks, control characters, quotes, backslashes, and what is not UTF-8.
bool is_url_text(std::string_view text);

// Two lower-case hexadecimal digits a byte.
void append_hex(std::string &out, const uint8_t *bytes, size_t size);

// "15.0.0": of the tables the keys are made with.
std::string_view unicode_version();

// ASCII only: attribute names, URNs and operators are ASCII (RFC 7643 2.1).
inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; }
std::string ascii_lower(std::string_view s);
bool ascii_iequals(std::string_view a, std::string_view b);

// True if all of the text is one number, in decimal, that `number` can hold.
template <class T>
bool read_number(std::string_view text, T &number) {
    const char *end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && stop == end;
}

}  // namespace scim
