#pragma once
// UTF-8, code points and the Unicode normal forms, in linear time.
//
// utf8proc provides the tables and the composition. Its reordering of combining marks is quadratic
// in the length of a run of marks (one megabyte of marks takes minutes), so strings are decomposed
// and reordered here.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace scim {

using CodePoints = std::vector<int32_t>;

// The number of leading bytes that are valid UTF-8 (RFC 3629: no surrogates, no overlong forms,
// nothing above U+10FFFF).
size_t utf8_prefix(std::string_view bytes);

// The number of characters: bytes that do not continue a character are counted.
size_t count_characters(std::string_view utf8);

// REQUIRES: valid UTF-8.
CodePoints decode_utf8(std::string_view utf8);

// True if the text is not empty and all its characters have the property White_Space.
// REQUIRES: valid UTF-8.
bool is_blank(std::string_view utf8);

// True if the text has a control character: U+0000 to U+001F, U+007F to U+009F.
// REQUIRES: valid UTF-8.
bool has_control(std::string_view utf8);

// True if the text has a character other than a plain space that cannot be seen: a control or format
// character, another space, a line or paragraph separator, a character that Unicode ignores by
// default, one of private use, or one that is not assigned. REQUIRES: valid UTF-8.
bool has_invisible(std::string_view utf8);

void append_utf8(std::string &out, int32_t code_point);
void append_utf8(std::string &out, const CodePoints &text);

CodePoints nfd(const CodePoints &text);
CodePoints nfc(const CodePoints &text);

// NFC, full case folding, NFC again.
CodePoints case_folded(const CodePoints &text);

}  // namespace scim
