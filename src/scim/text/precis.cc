#include "scim/text/precis.h"

#include <utf8proc.h>

#include <algorithm>

#include "scim/text/text.h"

namespace scim {
namespace {

// ---- Code points: the derived property of RFC 8264 8, as the IdentifierClass uses it ----

enum class Property : uint8_t { valid, context, disallowed };

struct Range {
    int32_t first, last;
};

template <size_t n>
bool in(const Range (&ranges)[n], int32_t c) {
    return std::any_of(ranges, ranges + n, [c](Range r) { return c >= r.first && c <= r.last; });
}

// RFC 8264 9.6, in its three parts.
constexpr Range exceptions_valid[] = {
    {0x00df, 0x00df}, {0x03c2, 0x03c2}, {0x06fd, 0x06fe}, {0x0f0b, 0x0f0b}, {0x3007, 0x3007}};
constexpr Range exceptions_context[] = {{0x00b7, 0x00b7}, {0x0375, 0x0375}, {0x05f3, 0x05f4},
                                        {0x0660, 0x0669}, {0x06f0, 0x06f9}, {0x30fb, 0x30fb}};
constexpr Range exceptions_disallowed[] = {
    {0x0640, 0x0640}, {0x07fa, 0x07fa}, {0x302e, 0x302f}, {0x3031, 0x3035}, {0x303b, 0x303b}};

constexpr int32_t zero_width_non_joiner = 0x200c, zero_width_joiner = 0x200d;

// RFC 8264 9.17: toNFKC(c) differs from c. Also true for a code point that is not in NFC, such as
// U+212B.
bool has_compat(int32_t c, const utf8proc_property_t &p) {
    if (p.decomp_seqindex == UINT16_MAX) return false;
    if (p.decomp_type != 0) return true;  // composition never produces such a code point
    if (c < 0x0300) return false;         // Latin letters with marks: all are in NFC
    int32_t parts[32];
    int boundary_class = 0;
    auto options = utf8proc_option_t(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
    auto n = utf8proc_decompose_char(c, parts, 32, options, &boundary_class);
    if (n < 1 || n > 32) return true;
    options = utf8proc_option_t(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    n = utf8proc_normalize_utf32(parts, n, options);
    return n != 1 || parts[0] != c;
}

bool is_old_hangul_jamo(const utf8proc_property_t &p) {
    return p.boundclass == UTF8PROC_BOUNDCLASS_L || p.boundclass == UTF8PROC_BOUNDCLASS_V ||
           p.boundclass == UTF8PROC_BOUNDCLASS_T;
}

bool is_letter_or_digit(int category) {
    switch (category) {
        case UTF8PROC_CATEGORY_LL:
        case UTF8PROC_CATEGORY_LU:
        case UTF8PROC_CATEGORY_LO:
        case UTF8PROC_CATEGORY_ND:
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_MN:
        case UTF8PROC_CATEGORY_MC: return true;
        default: return false;
    }
}

// The steps and their order are those of RFC 8264 8. The BackwardCompatible table is empty.
// Unassigned, Controls, Spaces, Symbols and Punctuation are all `disallowed`, because they are not
// in LetterDigits.
Property property_of(int32_t c) {
    if (c < 0x80) return c >= 0x21 && c <= 0x7e ? Property::valid : Property::disallowed;
    if (in(exceptions_valid, c)) return Property::valid;
    if (in(exceptions_context, c)) return Property::context;
    if (in(exceptions_disallowed, c)) return Property::disallowed;
    if (c == zero_width_non_joiner || c == zero_width_joiner) return Property::context;
    const utf8proc_property_t &p = *utf8proc_get_property(c);
    if (!is_letter_or_digit(p.category)) return Property::disallowed;
    if (is_old_hangul_jamo(p) || p.ignorable || has_compat(c, p)) return Property::disallowed;
    return Property::valid;
}

// ---- Contextual rules (RFC 5892 appendix A) ----

// The scripts (Unicode 15.0) of the code points that the IdentifierClass permits. A range may
// include code points of other scripts that the class refuses: a string with one of them is refused
// anyway.
constexpr Range greek[] = {{0x0370, 0x03e1}, {0x03f3, 0x03ff}, {0x1d26, 0x1d2a},
                           {0x1f00, 0x1ffa}, {0xab65, 0xab65}, {0x1d242, 0x1d244}};
constexpr Range hebrew[] = {{0x0591, 0x05f4}, {0xfb1e, 0xfb1e}};
constexpr Range hiragana_katakana_han[] = {
    {0x3005, 0x3005},   {0x3007, 0x3007},   {0x3041, 0x3096},  {0x309d, 0x30fa},
    {0x30fd, 0x30fe},   {0x31f0, 0x9fff},   {0xfa0e, 0xfa29},  {0x16fe3, 0x16fe3},
    {0x16ff0, 0x16ff1}, {0x1aff0, 0x1b167}, {0x20000, 0x3ffff}};

bool is_arabic_indic_digit(int32_t c) { return c >= 0x0660 && c <= 0x0669; }
bool is_extended_arabic_indic_digit(int32_t c) { return c >= 0x06f0 && c <= 0x06f9; }

// Properties of the whole string that three of the rules need. They are found once, so that the
// check is linear.
struct Whole {
    bool kana_or_han = false, arabic_indic = false, extended_arabic_indic = false;
};

Whole look_over(const CodePoints &text) {
    Whole w;
    for (int32_t c : text) {
        w.arabic_indic |= is_arabic_indic_digit(c);
        w.extended_arabic_indic |= is_extended_arabic_indic_digit(c);
        w.kana_or_han |= c >= 0x3000 && in(hiragana_katakana_han, c);
    }
    return w;
}

bool context_permits(const CodePoints &text, size_t i, const Whole &whole) {
    // 0 means that there is no neighbour: U+0000 is in no script and is not a mark.
    int32_t before = i > 0 ? text[i - 1] : 0, after = i + 1 < text.size() ? text[i + 1] : 0;
    constexpr int virama = 9;
    switch (text[i]) {
        case zero_width_non_joiner:
        case zero_width_joiner: return utf8proc_get_property(before)->combining_class == virama;
        case 0x00b7: return before == 'l' && after == 'l';
        case 0x0375: return in(greek, after);
        case 0x05f3:
        case 0x05f4: return in(hebrew, before);
        case 0x30fb: return whole.kana_or_han;
        default: return !(whole.arabic_indic && whole.extended_arabic_indic);
    }
}

bool is_identifier(const CodePoints &text) {
    Whole whole = look_over(text);
    for (size_t i = 0; i < text.size(); i++) {
        Property property = property_of(text[i]);
        if (property == Property::disallowed) return false;
        if (property == Property::context && !context_permits(text, i, whole)) return false;
    }
    return true;
}

// ---- Mappings ----

// RFC 8265 3.3.1: fullwidth and halfwidth forms are replaced by their decompositions.
CodePoints width_mapped(const CodePoints &text) {
    CodePoints out;
    out.reserve(text.size());
    for (int32_t c : text) {
        int type = c < 0x3000 ? 0 : utf8proc_get_property(c)->decomp_type;
        int32_t parts[32];
        utf8proc_ssize_t n = 0;
        if (type == UTF8PROC_DECOMP_TYPE_WIDE || type == UTF8PROC_DECOMP_TYPE_NARROW) {
            // utf8proc decomposes fully where the RFC takes one step. The results differ only for
            // halfwidth Hangul and U+FFE3, which the IdentifierClass refuses in both forms.
            int boundary_class = 0;
            auto options = utf8proc_option_t(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
            n = utf8proc_decompose_char(c, parts, 32, options, &boundary_class);
        }
        if (n < 1 || n > 32) {
            out.push_back(c);
        } else {
            out.insert(out.end(), parts, parts + n);
        }
    }
    return out;
}

// Unicode's Case_Ignorable, without code points that cannot be next to a sigma here: U+00B7 is
// permitted only between two l, and Hebrew punctuation only in strings that begin with Hebrew.
bool is_case_ignorable(int32_t c) {
    if (c < 0x80) return c == '\'' || c == '.' || c == ':' || c == '^' || c == '`';
    if (c == 0x0375) return true;
    int category = utf8proc_category(c);
    return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_LM ||
           category == UTF8PROC_CATEGORY_CF;
}

bool is_cased(int32_t c) {
    int category = utf8proc_category(c);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL;
}

// Unicode table 3-17, Final_Sigma: after a cased letter and not before one. A run of ignorable
// characters is read at most twice, for the sigma on its left and the one on its right, so that
// lower_case() is linear.
bool is_final_sigma(const CodePoints &text, size_t i) {
    size_t left = i, right = i + 1;
    while (left > 0 && is_case_ignorable(text[left - 1])) left--;
    if (left == 0 || !is_cased(text[left - 1])) return false;
    while (right < text.size() && is_case_ignorable(text[right])) right++;
    return right == text.size() || !is_cased(text[right]);
}

// Unicode toLowercase() (3.13, R2) without a locale. utf8proc_tolower() maps one code point to one;
// the full mapping differs from it for U+0130 and U+03A3.
CodePoints lower_case(const CodePoints &text) {
    constexpr int32_t dotted_capital_i = 0x0130, dot_above = 0x0307;
    constexpr int32_t capital_sigma = 0x03a3, sigma = 0x03c3, final_sigma = 0x03c2;
    CodePoints out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == dotted_capital_i) {
            out.push_back('i');
            out.push_back(dot_above);
        } else if (text[i] == capital_sigma) {
            out.push_back(is_final_sigma(text, i) ? final_sigma : sigma);
        } else if (text[i] < 0x80) {
            out.push_back(ascii_lower(char(text[i])));
        } else {
            out.push_back(utf8proc_tolower(text[i]));
        }
    }
    return out;
}

// ---- The bidi rule (RFC 5893 2) ----

// One bit for each bidi class.
uint32_t bidi_bit(int32_t c) { return uint32_t(1) << utf8proc_get_property(c)->bidi_class; }

template <class... Classes>
constexpr uint32_t bidi_set(Classes... classes) {
    return ((uint32_t(1) << classes) | ...);
}

// The rule applies to strings with right-to-left characters; all others pass (RFC 8265 3.3.1). Such
// a string must begin with R or AL: after a first L, condition 5 forbids R, AL and AN.
bool obeys_bidi_rule(const CodePoints &text) {
    auto is_before_hebrew = [](int32_t c) { return c < 0x0590; };
    if (std::all_of(text.begin(), text.end(), is_before_hebrew)) return true;
    constexpr uint32_t rtl = bidi_set(UTF8PROC_BIDI_CLASS_R, UTF8PROC_BIDI_CLASS_AL);
    constexpr uint32_t en = bidi_set(UTF8PROC_BIDI_CLASS_EN), an = bidi_set(UTF8PROC_BIDI_CLASS_AN);
    constexpr uint32_t nsm = bidi_set(UTF8PROC_BIDI_CLASS_NSM);
    constexpr uint32_t permitted =
        rtl | en | an | nsm |
        bidi_set(UTF8PROC_BIDI_CLASS_ES, UTF8PROC_BIDI_CLASS_CS, UTF8PROC_BIDI_CLASS_ET,
                 UTF8PROC_BIDI_CLASS_ON, UTF8PROC_BIDI_CLASS_BN);
    uint32_t all = 0, last = 0;
    for (int32_t c : text) {
        uint32_t bit = bidi_bit(c);
        all |= bit;
        if (bit != nsm) last = bit;
    }
    if (!(all & (rtl | an))) return true;
    return (bidi_bit(text[0]) & rtl)        // condition 1
           && !(all & ~permitted)           // condition 2
           && (last & (rtl | en | an))      // condition 3
           && !((all & en) && (all & an));  // condition 4
}

// RFC 8265 3.3.2 and 3.3.3, applied once.
std::optional<CodePoints> enforce(const CodePoints &text) {
    CodePoints mapped = width_mapped(text);
    if (mapped.empty() || !is_identifier(mapped)) return std::nullopt;
    mapped = nfc(lower_case(mapped));
    if (!obeys_bidi_rule(mapped)) return std::nullopt;
    return mapped;
}

}  // namespace

// RFC 8264 7: the rules are applied until the string is stable, at most three more times.
std::optional<CodePoints> username_case_mapped(const CodePoints &text) {
    CodePoints current = text;
    for (int round = 0; round < 4; round++) {
        std::optional<CodePoints> next = enforce(current);
        if (!next || *next == current) return next;
        current = std::move(*next);
    }
    return std::nullopt;
}

}  // namespace scim
