// How a key is made
//
//     exact     the octets
//     folded    NFC, full case folding, NFC
//     username  UsernameCaseMapped of the value's NFC with title-case letters decomposed;
//               if the profile refuses that, UsernameCaseMapped of the folded form;
//               if it refuses both, the folded form
//
// The profile checks code points before it normalises. It refuses U+212B ANGSTROM SIGN and
// decomposed Hangul although it accepts their NFC, and the title-case letter U+1F8D although it
// accepts its NFD. Canonically equivalent names must have the same key, so the profile is applied
// to the form that it accepts most often. The profile is then applied to the folded form, so that
// the key of a key is the key itself: the profile may accept, and change, the folded form of a name
// that it refuses.
//
// Both kinds of username keys are in one key space. Names that differ do not get the same key:
// enforcing and then folding a string gives the same result as width mapping and folding it, so two
// userNames with the same key are equal after width mapping and full case folding. The only effect
// is a less strict comparison for a refused name: `ſtrasse` (refused: a compatibility character)
// equals `strasse`.
//
// The key of invalid UTF-8 is its octets. All other keys are valid UTF-8, so they do not collide
// with it. A key contains U+0000 only if the value does.

#include "scim/text/matching_key.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>

#include "scim/text/precis.h"
#include "scim/text/text.h"
#include "scim/text/unicode.h"

namespace scim {
namespace {

// Lower-cases eight ASCII bytes at once. Each byte is below 0x80, so the sums stay inside their
// byte and its high bit says whether the letter is at least 'A', or above 'Z'.
uint64_t lower_eight(uint64_t word) {
    constexpr uint64_t each = 0x0101010101010101;
    uint64_t at_least_a = word + each * (0x80 - 'A');
    uint64_t above_z = word + each * (0x7f - 'Z');
    uint64_t upper = at_least_a & ~above_z & (each * 0x80);
    return word | upper >> 2;  // 0x80 >> 2 is 0x20, the bit between 'A' and 'a'
}

// Fast path: nearly every userName and e-mail address is ASCII. Then the key is the lower-case
// text, for `folded` and for `username`, whether or not the PRECIS profile accepts the name. False,
// with `out` unchanged, if there is any other character.
bool append_ascii_key(std::string &out, std::string_view text) {
    size_t start = out.size(), i = 0;
    out.resize(start + text.size());
    char *to = &out[start];
    uint64_t seen = 0;
    for (uint64_t word; text.size() - i >= sizeof word; i += sizeof word) {
        std::memcpy(&word, text.data() + i, sizeof word);
        seen |= word;
        word = lower_eight(word);
        std::memcpy(to + i, &word, sizeof word);
    }
    for (; i < text.size(); i++) {
        seen |= uint8_t(text[i]);
        to[i] = ascii_lower(text[i]);
    }
    if (!(seen & 0x8080808080808080)) return true;
    out.resize(start);
    return false;
}

// No mapping changes blanks and control characters, and the profile refuses them.
bool is_always_refused(const CodePoints &text) {
    return std::any_of(text.begin(), text.end(), [](int32_t c) { return c <= 0x20 || c == 0x7f; });
}

CodePoints composed_without_title_case(const CodePoints &text) {
    // Title-case letters below U+1F88 have no canonical decomposition.
    auto is_title_case = [](int32_t c) {
        return c >= 0x1f88 && utf8proc_category(c) == UTF8PROC_CATEGORY_LT;
    };
    CodePoints composed = nfc(text);
    if (std::none_of(composed.begin(), composed.end(), is_title_case)) return composed;
    CodePoints out;
    for (int32_t c : composed) {
        if (is_title_case(c)) {
            CodePoints parts = nfd({c});
            out.insert(out.end(), parts.begin(), parts.end());
        } else {
            out.push_back(c);
        }
    }
    return out;
}

CodePoints username_key(const CodePoints &text) {
    if (!is_always_refused(text))
        if (auto key = username_case_mapped(composed_without_title_case(text))) return *key;
    CodePoints folded = case_folded(text);
    if (folded != text && !is_always_refused(folded))
        if (auto key = username_case_mapped(folded)) return *key;
    return folded;
}

}  // namespace

void append_key(std::string &out, Matching matching, std::string_view utf8) {
    if (matching != Matching::exact && append_ascii_key(out, utf8)) return;
    if (matching == Matching::exact || !is_utf8(utf8)) {
        out += utf8;
        return;
    }
    CodePoints text = decode_utf8(utf8);
    append_utf8(out, matching == Matching::folded ? case_folded(text) : username_key(text));
}

std::string key_of(Matching matching, std::string_view utf8) {
    std::string out;
    append_key(out, matching, utf8);
    return out;
}

bool is_precis_username(std::string_view utf8) {
    return is_utf8(utf8) && username_case_mapped(decode_utf8(utf8)).has_value();
}

std::string_view unicode_version() { return utf8proc_unicode_version(); }

}  // namespace scim
