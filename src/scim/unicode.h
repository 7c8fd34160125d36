#pragma once
// UTF-8, code points and the Unicode normal forms, in linear time.
//
// utf8proc holds the tables. Its own reordering of combining marks is quadratic in the length of a
// run of marks (a megabyte of them keeps it busy for minutes), so strings are decomposed and
// reordered here, and only composed there.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace scim {

using CodePoints = std::vector<int32_t>;

// How many leading bytes are valid UTF-8 (RFC 3629:
// no surrogates, no overlong forms, nothing above U+10FFFF).
size_t utf8_prefix(std::string_view bytes);

// REQUIRES: valid UTF-8.
CodePoints decode_utf8(std::string_view utf8);

// True if there are only characters with the property White_Space in the text, and at least one.
// REQUIRES: valid UTF-8.
bool is_blank(std::string_view utf8);

void append_utf8(std::string &out, int32_t code_point);
void append_utf8(std::string &out, const CodePoints &text);

CodePoints nfd(const CodePoints &text);
CodePoints nfc(const CodePoints &text);

// NFC, full case folding, NFC again (S-158).
CodePoints case_folded(const CodePoints &text);

}  // namespace scim
