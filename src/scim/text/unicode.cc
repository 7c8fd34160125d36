#include "scim/text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>

namespace scim {
namespace {

constexpr uint64_t high_bits = 0x8080808080808080;

// The length of the well-formed sequence that begins with the non-ASCII byte at `p`, 0 if there is
// none. RFC 3629 4: the range of the second byte depends on the first; the others are 80..BF.
size_t sequence_length(const uint8_t *p, size_t left) {
    uint8_t low = 0x80, high = 0xbf;
    size_t length;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        length = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        length = 3;
        if (p[0] == 0xe0) low = 0xa0;   // overlong below
        if (p[0] == 0xed) high = 0x9f;  // surrogates above
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        length = 4;
        if (p[0] == 0xf0) low = 0x90;
        if (p[0] == 0xf4) high = 0x8f;
    } else {
        return 0;
    }
    if (left < length || p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return length;
}

int combining_class(int32_t code_point) {
    // There is no mark below U+0300: most texts do not need the table.
    return code_point < 0x300 ? 0 : utf8proc_get_property(code_point)->combining_class;
}

// The canonical ordering algorithm (Unicode 3.11, D109): each run of marks is sorted by combining
// class; marks of one class keep their order.
void reorder_marks(CodePoints &text) {
    struct Mark {
        int combining_class;
        int32_t code_point;
    };
    std::vector<Mark> run;
    for (size_t i = 0; i < text.size(); i++) {
        if (combining_class(text[i]) == 0) continue;
        run.clear();
        size_t begin = i;
        for (; i < text.size(); i++) {
            int c = combining_class(text[i]);
            if (c == 0) break;
            run.push_back({c, text[i]});
        }
        std::stable_sort(run.begin(), run.end(), [](const Mark &a, const Mark &b) {
            return a.combining_class < b.combining_class;
        });
        for (const Mark &mark : run) text[begin++] = mark.code_point;
    }
}

// Decomposes and brings marks into canonical order; folds case if `options` has UTF8PROC_CASEFOLD.
CodePoints decompose(const CodePoints &text, int options) {
    CodePoints out;
    out.reserve(text.size() + text.size() / 4 + 4);
    for (int32_t c : text) {
        if (c < 0x80) {  // decomposes to itself, folds to lower case
            bool upper = c >= 'A' && c <= 'Z' && (options & UTF8PROC_CASEFOLD);
            out.push_back(upper ? c + ('a' - 'A') : c);
            continue;
        }
        // The case folding of one code point has at most 3 code points, its canonical decomposition
        // at most 4.
        int32_t parts[16];
        int boundary_class = 0;
        auto n = utf8proc_decompose_char(c, parts, 16, utf8proc_option_t(options), &boundary_class);
        if (n < 1 || n > 16) {
            out.push_back(c);
        } else {
            out.insert(out.end(), parts, parts + n);
        }
    }
    reorder_marks(out);
    return out;
}

// U+11A7 is the vowel before the first trailing consonant. utf8proc 2.8 treats it as a trailing
// consonant and drops it, which would make two different strings equal. U+11A7 composes with no
// other code point, so the texts between such vowels are composed separately.
void compose(CodePoints &text) {
    constexpr int32_t dropped_vowel = 0x11a7;
    // STABLE makes utf8proc apply the composition exclusions.
    constexpr auto options = utf8proc_option_t(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    auto begin = text.begin(), out = begin;
    for (;;) {
        auto end = std::find(begin, text.end(), dropped_vowel);
        auto n =
            utf8proc_normalize_utf32(text.data() + (begin - text.begin()), end - begin, options);
        out = std::copy(begin, n < 0 ? end : begin + n, out);
        if (end == text.end()) break;
        *out++ = dropped_vowel;
        begin = end + 1;
    }
    text.erase(out, text.end());
}

}  // namespace

size_t utf8_prefix(std::string_view bytes) {
    auto p = reinterpret_cast<const uint8_t *>(bytes.data());
    size_t i = 0, size = bytes.size();
    while (i < size) {
        uint64_t word;
        if (size - i >= sizeof word) {
            std::memcpy(&word, p + i, sizeof word);
            if (!(word & high_bits)) {
                i += sizeof word;
                continue;
            }
        }
        if (p[i] < 0x80) {
            i++;
            continue;
        }
        size_t length = sequence_length(p + i, size - i);
        if (length == 0) break;
        i += length;
    }
    return i;
}

namespace {

// Unicode's property White_Space.
bool is_white_space(int32_t c) {
    switch (c) {
        case 0x20:
        case 0x85:
        case 0xa0:
        case 0x1680:
        case 0x2028:
        case 0x2029:
        case 0x202f:
        case 0x205f:
        case 0x3000: return true;
        default: return (c >= 0x09 && c <= 0x0d) || (c >= 0x2000 && c <= 0x200a);
    }
}

bool is_invisible(int32_t c) {
    if (c < 0x7f) return c < 0x20;
    const utf8proc_property_t *property = utf8proc_get_property(c);
    switch (property->category) {
        case UTF8PROC_CATEGORY_CN:
        case UTF8PROC_CATEGORY_CC:
        case UTF8PROC_CATEGORY_CF:
        case UTF8PROC_CATEGORY_CS:
        case UTF8PROC_CATEGORY_CO:
        case UTF8PROC_CATEGORY_ZS:
        case UTF8PROC_CATEGORY_ZL:
        case UTF8PROC_CATEGORY_ZP: return true;
        default: return property->ignorable;
    }
}

}  // namespace

bool is_blank(std::string_view utf8) {
    if (utf8.empty()) return false;
    // Decoded one character at a time: usually the first one is no white space.
    while (!utf8.empty()) {
        utf8proc_int32_t c;
        const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t *>(utf8.data()),
                                           utf8proc_ssize_t(utf8.size()), &c);
        if (size <= 0 || !is_white_space(c)) return false;
        utf8.remove_prefix(size_t(size));
    }
    return true;
}

size_t count_characters(std::string_view utf8) {
    return size_t(
        std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

bool has_control(std::string_view utf8) {
    for (size_t i = 0; i < utf8.size(); i++) {
        const auto c = uint8_t(utf8[i]);
        if (c < 0x20 || c == 0x7f) return true;
        // U+0080 to U+009F are C2 80 to C2 9F.
        if (c == 0xc2 && i + 1 < utf8.size() && uint8_t(utf8[i + 1]) < 0xa0) return true;
    }
    return false;
}

bool has_invisible(std::string_view utf8) {
    const bool is_visible =
        std::all_of(utf8.begin(), utf8.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    if (is_visible) return false;  // the usual case
    const CodePoints text = decode_utf8(utf8);
    return std::any_of(text.begin(), text.end(), is_invisible);
}

CodePoints decode_utf8(std::string_view utf8) {
    CodePoints out;
    out.reserve(utf8.size());
    auto p = reinterpret_cast<const uint8_t *>(utf8.data());
    for (size_t i = 0; i < utf8.size();) {
        int32_t c = p[i];
        size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (length > 1) c &= 0x7f >> length;
        for (size_t k = 1; k < length; k++) c = c << 6 | (p[i + k] & 0x3f);
        out.push_back(c);
        i += length;
    }
    return out;
}

void append_utf8(std::string &out, int32_t c) {
    if (c < 0x80) {
        out += char(c);
        return;
    }
    if (c < 0x800) {
        out += char(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            out += char(0xe0 | c >> 12);
        } else {
            out += char(0xf0 | c >> 18);
            out += char(0x80 | (c >> 12 & 0x3f));
        }
        out += char(0x80 | (c >> 6 & 0x3f));
    }
    out += char(0x80 | (c & 0x3f));
}

void append_utf8(std::string &out, const CodePoints &text) {
    for (int32_t c : text) append_utf8(out, c);
}

CodePoints nfd(const CodePoints &text) { return decompose(text, UTF8PROC_DECOMPOSE); }

CodePoints nfc(const CodePoints &text) {
    // Below U+0300 there are no marks, and all letters are composed.
    auto is_nfc = [](int32_t c) { return c < 0x300; };
    if (std::all_of(text.begin(), text.end(), is_nfc)) return text;
    CodePoints out = decompose(text, UTF8PROC_DECOMPOSE);
    compose(out);
    return out;
}

CodePoints case_folded(const CodePoints &text) {
    CodePoints out = decompose(nfc(text), UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD);
    compose(out);
    return out;
}

}  // namespace scim
