#pragma once
// Comparison of strings. Uniqueness, filters and sorting use the same keys.
//
// A key is a normalised string. Keys are compared octet by octet and stored in indexes; the stored
// value itself is never normalised. Because keys are on disk, a change in how they are made is a
// new on-disk format, and the catalog records the Unicode version that they were made with.

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

// The version of the tables that the keys are made with: "15.0.0".
std::string_view unicode_version();

}  // namespace scim
