// Tests that strings that match have the same key, that others have different keys, and that the
// key of every string is made in linear time.
#include "scim/text/text.h"
#include "scim/text/matching_key.h"

#include <utf8proc.h>

#include <ctime>
#include <random>
#include <vector>

#include "scim/text/plain_prefix.h"
#include "scim/text/precis.h"
#include "scim/text/unicode.h"
#include "tap.h"

using namespace scim;

static std::string folded(std::string_view s) { return key_of(Matching::folded, s); }
static std::string username(std::string_view s) { return key_of(Matching::username, s); }

static void ascii() {
    is(key_of(Matching::exact, "Bjensen"), "Bjensen", "the exact key of a string is its octets");
    is(folded("Barbara Jensen"), "barbara jensen", "the folded key of ASCII is in lower case");
    is(username("BJensen@Example.COM"), "bjensen@example.com",
       "the username key of an e-mail address is in lower case");
    is(username(""), "", "the key of an empty string is empty");
    std::string all, lower;
    for (int c = 0; c < 128; c++) {
        all += char(c);
        lower += char(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    bool good = true;  // every place in a word of eight, every length
    for (size_t from = 0; from < 128; from++)
        for (size_t size = 0; from + size <= 128; size++)
            good &= username(all.substr(from, size)) == lower.substr(from, size);
    ok(good, "the username key of ASCII changes only A to Z, at any place");
    std::string out = "before ";
    append_key(out, Matching::username, "ABCDEFGHIJ");
    append_key(out, Matching::folded, "\u00c4ABCDEFGHIJ");
    append_key(out, Matching::exact, "Z");
    is(out, "before abcdefghij\u00e4abcdefghijZ", "append_key() appends to the text");
    is(ascii_lower(std::string_view("X-\u00c4")), "x-\u00c4",
       "ascii_lower() changes ASCII letters only");
    ok(ascii_iequals("userName", "USERNAME") && !ascii_iequals("userName", "userNam") &&
           !ascii_iequals("@", "`") && !ascii_iequals("[", "{"),
       "ascii_iequals() ignores the case of ASCII letters only");
}

// Compares with a loop over bytes: every byte, at every place of texts of up to three words.
static void plain() {
    bool good = true;
    for (int c = 0; c < 256; c++) {
        const bool is_special = c < 0x20 || c == '"' || c == '\\';
        for (size_t size = 1; size <= 24; size++)
            for (size_t at = 0; at < size; at++) {
                std::string text(size, at % 2 ? '\xff' : '!');  // next to the special bytes
                text[at] = char(c);
                good &= plain_prefix(text) == (is_special ? at : size);
            }
    }
    for (const char first : {'"', '\\', '\x1f'})
        for (int next = 0; next < 256; next++)
            good &= plain_prefix(std::string("abc") + first + std::string(9, char(next))) == 3;
    ok(good, "plain_prefix() ends before double quotes, backslashes and control characters only");
    is(plain_prefix(""), size_t(0), "plain_prefix() of an empty text is 0");
}

// Tests both keys of a name that PRECIS accepts.
static void name(std::string_view language, std::string_view text, std::string_view username_key,
                 std::string_view folded_key) {
    std::string title = std::string(language) + ' ' + std::string(text);
    ok(is_precis_username(text), title + " is a PRECIS username");
    is(username(text), username_key, title + " has the expected username key");
    is(folded(text), folded_key, title + " has the expected folded key");
}

static void languages() {
    name("German", "Jörg.MÜLLER", "jörg.müller", "jörg.müller");
    name("German", "Straße", "straße", "strasse");
    name("German", "STRASSE", "strasse", "strasse");
    name("German", "STRAẞE", "straße", "strasse");
    name("Turkish", "İSMAİL", "i\u0307smai\u0307l", "i\u0307smai\u0307l");
    name("Turkish", "ISMAIL", "ismail", "ismail");
    name("Turkish", "ısmaıl", "ısmaıl", "ısmaıl");
    name("Turkish", "ŞÜKRÜ.ÇAĞ", "şükrü.çağ", "şükrü.çağ");
    name("Greek", "ΟΔΥΣΣΕΥΣ", "οδυσσευς", "οδυσσευσ");
    name("Greek", "Οδυσσεύς", "οδυσσεύς", "οδυσσεύσ");
    name("Greek", "ΣΑΣ.ΣΑΣ", "σασ.σας", "σασ.σασ");
    name("Greek", "ΑΣ'", "ας'", "ασ'");
    name("Greek", "Σ", "σ", "σ");
    name("Greek", "ΑΣ\u0375Α", "ασ\u0375α", "ασ\u0375α");
    name("Russian", "ИВАНОВ.Фёдор", "иванов.фёдор", "иванов.фёдор");
    name("Arabic", "محمد", "محمد", "محمد");
    name("Arabic", "محمد٢٠", "محمد٢٠", "محمد٢٠");
    name("Hebrew", "משה", "משה", "משה");
    name("Hebrew", "משה123", "משה123", "משה123");
    name("Hindi", "राजेश", "राजेश", "राजेश");
    name("Japanese", "山田.タロウ", "山田.タロウ", "山田.タロウ");
    name("Japanese", "ア・イ", "ア・イ", "ア・イ");
    name("Vietnamese", "NGUYỄN", "nguyễn", "nguyễn");
    name("Korean", "김철수", "김철수", "김철수");
    name("Armenian", "ԱՐԱՄ", "արամ", "արամ");
    name("Cherokee", "ᏣᎳᎩ", "ꮳꮃꭹ", "ᏣᎳᎩ");
    name("Catalan", "paral·lel", "paral·lel", "paral·lel");
}

static void differences() {
    ok(username("Straße") != username("STRASSE"),
       "[S-156] the username keys of Straße and STRASSE are different");
    is(folded("Straße"), folded("STRASSE"),
       "[S-158] the folded keys of Straße and STRASSE are the same");
    ok(username("ısmaıl") != username("ismail"), "dotless i and i have different username keys");
    ok(username("İSMAİL") != username("ISMAIL"),
       "capital dotted I and I have different username keys");
    is(username("ΟΔΥΣΣΕΥΣ"), username("οδυσσευς"), "a final sigma has the username key of Σ");
    ok(folded("resume") != folded("résumé"),
       "letters with and without accents have different folded keys");
    ok(username("\u0430dmin") != username("admin"),
       "Cyrillic a and Latin a have different username keys");
    ok(key_of(Matching::exact, "Ä") != key_of(Matching::exact, "ä"), "exact keys differ by case");
    ok(key_of(Matching::exact, "A\u030a") != key_of(Matching::exact, "\u00c5"),
       "exact keys of composed and decomposed letters are different");
}

static void combining_marks() {
    is(username("nguye\u0302\u0303n"), "nguy\u1ec5n",
       "the username key of decomposed Vietnamese is composed");
    is(folded("NGUYE\u0302\u0303N"), "nguy\u1ec5n",
       "the folded key of decomposed Vietnamese is composed");
    is(username("a\u0323\u0302"), username("a\u0302\u0323"),
       "combining marks in any order have the same username key");
    is(username("A\u030angstro\u0308m"), "\u00e5ngstr\u00f6m", "the username key of NFD is in NFC");
    is(username("I\u0307"), username("\u0130"),
       "I with a combining dot has the username key of dotted I");
    ok(!is_precis_username("\u212b"), "PRECIS refuses the ANGSTROM SIGN");
    is(username("\u212b\u00df"), username("A\u030a\u00df"),
       "the ANGSTROM SIGN has the username key of the letter A with ring");
    is(username("\u1100\u1161\u11a8\u00df"), "각ß",
       "the username key of decomposed Hangul is the syllable");
    ok(!is_precis_username("\u1f8d\u03b4\u03b7\u03c2"), "PRECIS refuses a title-case letter");
    is(username("\u1f8d\u03b4\u03b7\u03c2"), "\u1f85\u03b4\u03b7\u03c2",
       "the username key of a title-case letter is its small letter");
    is(username("\u0958"), "\u0915\u093c", "the username key of Hindi qa is ka and nukta");
    is(folded("\u0345\u0301x"), folded("\u0301\u0345x"),
       "[S-158] strings are normalized to NFC before folding");
    ok(folded("\uac00\u11a7") != folded("\uac00"),
       "U+11A7 after a Hangul syllable is kept in the folded key");
    is(folded("\u11a7e\u0301\u11a7E\u0301"), "\u11a7\u00e9\u11a7\u00e9",
       "letters around U+11A7 are composed");
    is(folded("\U0001d15e"), "\U0001d157\U0001d165",
       "composition exclusions stay decomposed in the folded key");
}

static void widths() {
    is(username("ＡＢＣ"), "abc", "[S-155 S-156] the username key of fullwidth letters is ASCII");
    is(username("ｙａｍａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ"), "yamada@example.com",
       "the username key of a fullwidth address is ASCII");
    is(username("ﾔﾏﾀﾞ"), "ヤマダ", "the username key of halfwidth kana is kana with their voicing");
    is(username("ア･イ"), "ア・イ", "the username key of a halfwidth middle dot is a middle dot");
    ok(is_precis_username("ＡＢＣ"), "PRECIS accepts fullwidth letters");
    is(folded("ＡＢＣ"), "ａｂｃ", "the folded key of fullwidth letters is fullwidth");
    ok(!is_precis_username("ﾡ"), "PRECIS refuses halfwidth Hangul");
}

static void directions() {
    is(username("1משה"), "1משה", "a name that PRECIS refuses has a username key");
    ok(!is_precis_username("1משה"),
       "bidi: a right-to-left name that begins with a digit is refused");
    ok(!is_precis_username("abcמשה"),
       "bidi: a right-to-left name that begins with a Latin letter is refused");
    ok(!is_precis_username("משהabc"),
       "bidi: a right-to-left name with Latin letters at its end is refused");
    ok(!is_precis_username("משה@example.com"),
       "bidi: a right-to-left name in an address is refused");
    ok(!is_precis_username("משה-"),
       "bidi: a right-to-left name that ends with a hyphen is refused");
    ok(is_precis_username("מש-ה"), "bidi: a right-to-left name with a hyphen inside is accepted");
    ok(is_precis_username("משה\u05b8"),
       "bidi: a right-to-left name that ends with a mark is accepted");
    ok(!is_precis_username("\u05b8משה"),
       "bidi: a right-to-left name that begins with a mark is refused");
    ok(!is_precis_username("משה\u0661\u0031"),
       "bidi: a name with European and Arabic digits is refused");
    ok(!is_precis_username("\u0661\u0662"), "bidi: a name of Arabic digits only is refused");
    ok(is_precis_username("12"), "bidi: a name of European digits only is accepted");
}

static void refused(std::string_view text, std::string_view key, std::string_view why) {
    ok(!is_precis_username(text), "a username with " + std::string(why) + " is refused");
    is(username(text), key, "a username with " + std::string(why) + " has its folded key");
}

static void fall_back() {
    refused("Jörg Müller", "jörg müller", "a blank");
    refused("Straße 1", "strasse 1", "a blank beside ß");
    refused("a\tb", "a\tb", "a control");
    refused("a\u0085ß", "a\u0085ss", "a C1 control");
    refused("a\u00a0b", "a\u00a0b", "a no-break space");
    refused("a\u3000b", "a\u3000b", "an ideographic space");
    refused("Ä\u20ac", "ä\u20ac", "a symbol");
    refused("Ä\u2026", "ä\u2026", "punctuation");
    refused("Ä\u200b", "ä\u200b", "an invisible character");
    refused("Ä\ufe0f", "ä\ufe0f", "a variation selector");
    refused("Ä\u0378", "ä\u0378", "an unassigned code point");
    refused("Ä\ufdd0", "ä\ufdd0", "a noncharacter");
    refused("Ä\ue000", "ä\ue000", "a private character");
    refused("Ä\u2163", "ä\u2173", "a roman numeral");
    refused("\ufb01n", "fin", "a ligature");
    refused("\u0640\u0628", "\u0640\u0628", "a tatweel");
    refused("\u3031ん", "\u3031ん", "a kana repeat mark");
    refused("\u1160", "\u1160", "an old Hangul jamo");
    ok(!is_precis_username(""), "an empty name is refused");
    is(username("\u017fA"), "sa",
       "a refused name whose folded form PRECIS accepts has the username key of that form");
    is(username("\u017f\uff21"), "sa",
       "the folded form of a refused name is mapped to its usual width");
}

static void context_rules() {
    ok(is_precis_username("\u0915\u094d\u200d\u0937"), "ZWJ after a virama is accepted");
    ok(is_precis_username("\u0915\u094d\u200c\u0937"), "ZWNJ after a virama is accepted");
    ok(!is_precis_username("\u0915\u200d\u0937"), "ZWJ after a letter is refused");
    ok(!is_precis_username("\u200c\u0937"), "ZWNJ at the beginning is refused");
    ok(!is_precis_username("a\u00b7l") && !is_precis_username("l\u00b7a") &&
           !is_precis_username("l\u00b7"),
       "a middle dot that is not between two l is refused");
    ok(is_precis_username("\u0375\u03b1") && !is_precis_username("\u0375a") &&
           !is_precis_username("\u03b1\u0375"),
       "a keraia is accepted only before Greek");
    ok(is_precis_username("\u05d2\u05f3") && is_precis_username("\u05e6\u05f4\u05d4"),
       "geresh and gershayim after Hebrew are accepted");
    ok(!is_precis_username("\u05f3\u05d2") && !is_precis_username("a\u05f4"),
       "geresh and gershayim elsewhere are refused");
    ok(is_precis_username("a\u30fb\u5f20") && !is_precis_username("a\u30fb"),
       "a katakana middle dot is accepted only in a name with kana or Han");
    ok(is_precis_username("\u0628\u0661") && is_precis_username("\u0628\u06f1") &&
           !is_precis_username("\u0628\u0661\u06f1"),
       "Arabic-Indic and extended Arabic-Indic digits are accepted, but not together");
}

static void invalid_bytes() {
    const char *bad[] = {"\xff",
                         "\xc3",
                         "\xc3(",
                         "\xc0\xaf",
                         "\xc1\xbf",
                         "\xe0\x80\xaf",
                         "\xe0\x9f\xbf",
                         "\xed\xa0\x80",
                         "\xed\xbf\xbf",
                         "\xf0\x8f\xbf\xbf",
                         "\xf4\x90\x80\x80",
                         "\xf5\x80\x80\x80",
                         "\xe2\x82",
                         "\xf0\x9f\x98",
                         "\x80",
                         "A\xc3\x84\xbf"};
    for (std::string_view text : bad) {
        std::string shown = "invalid ";
        for (char c : text)
            shown += "0123456789abcdef"[c >> 4 & 15], shown += "0123456789abcdef"[c & 15];
        ok(!is_utf8(text) && !is_precis_username(text) && username(text) == text &&
               folded(text) == text,
           shown + " has its octets as key");
    }
    ok(is_utf8("\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"),
       "the first and last characters of each UTF-8 length are valid");
    ok(is_url_text("https://a.b/k\u00e4se$x") && is_url_text(""),
       "is_url_text() accepts non-ASCII letters and an empty text");
    for (std::string_view text : {"a b", "\"", "\\", "\n", "\x7f", "\xff"})
        ok(!is_url_text(text),
           "is_url_text() refuses the byte " + std::to_string(uint8_t(text[text.size() / 2])));
    ok(is_utf8("") && is_utf8(std::string(9, '\0')), "an empty text and U+0000 are valid UTF-8");
    bool good = true;
    for (size_t at = 0; at < 40; at++) {
        std::string text(40, 'A');
        text[at] = '\x80';
        good &= !is_utf8(text) && username(text) == text;
    }
    ok(good, "an invalid byte at any place of 40 makes a string its own key");
}

// ---- Properties ----

constexpr uint64_t seed = 20261121;

class Names {
  public:
    Names() : random_(seed) { diag("seed " + std::to_string(seed)); }

    CodePoints next() {
        constexpr int32_t pools[][2] = {
            {0x20, 0x7e},     {0x61, 0x7a},       {0xc0, 0x24f},    {0x300, 0x36f},
            {0x370, 0x3ff},   {0x590, 0x5f4},     {0x600, 0x6ff},   {0x900, 0x97f},
            {0x1100, 0x11ff}, {0x13a0, 0x13ff},   {0x1e00, 0x1fff}, {0x2000, 0x214f},
            {0x3000, 0x30ff}, {0xab70, 0xabbf},   {0xac00, 0xac40}, {0xfb00, 0xfb50},
            {0xff00, 0xffef}, {0x1d150, 0x1d170}, {0x80, 0xd7ff},   {0xe000, 0x10ffff}};
        constexpr int32_t special[] = {0xdf,   0x130, 0x131,  0x149,  0x17f,  0x1f0,
                                       0x345,  0x390, 0x3a3,  0x3c2,  0x1e9e, 0x1e9a,
                                       0x212b, 0x94d, 0x200c, 0x200d, 0xb7,   'l'};
        size_t choice[] = {random_() % std::size(pools), random_() % std::size(pools)};
        CodePoints text;
        for (size_t n = 1 + random_() % 7; n > 0; n--) {
            auto [first, last] = pools[choice[random_() % 2]];
            bool other = random_() % 5 == 0;
            text.push_back(other ? special[random_() % std::size(special)]
                                 : first + int32_t(random_() % uint64_t(last - first + 1)));
        }
        return text;
    }

  private:
    std::mt19937_64 random_;
};

static std::string utf8(const CodePoints &text) {
    std::string out;
    append_utf8(out, text);
    return out;
}

// Returns the property of keys that this name violates, or "".
static std::string_view flaw(const CodePoints &text) {
    std::string s = utf8(text), u = username(s), f = folded(s);
    if (!is_utf8(u) || !is_utf8(f)) return "a key is not UTF-8";
    if (u.find('\0') != u.npos || f.find('\0') != f.npos) return "a key holds U+0000";
    if (u.empty() || f.empty()) return "a key is empty";
    if (username(u) != u) return "username(username(x)) is not username(x)";
    if (folded(f) != f) return "folded(folded(x)) is not folded(x)";
    for (const CodePoints &same : {nfc(text), nfd(text)})
        if (username(utf8(same)) != u || folded(utf8(same)) != f)
            return "canonically equivalent strings have two keys";
    if (auto accepted = username_case_mapped(text); accepted && utf8(*accepted) != u)
        return "what PRECIS accepts is not the key";
    return {};
}

// Whether folding the username key gives the folded key of the name in its usual width. text.cc
// says why keys of accepted and of refused usernames may then be compared.
static bool joins_only_equals(const CodePoints &text) {
    CodePoints narrow;
    for (int32_t c : text) {
        auto type = utf8proc_get_property(c)->decomp_type;
        bool form = type == UTF8PROC_DECOMP_TYPE_WIDE || type == UTF8PROC_DECOMP_TYPE_NARROW;
        CodePoints one{c};
        int32_t parts[32];
        int boundary = 0;
        auto options = utf8proc_option_t(UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE);
        if (form)
            one.assign(parts, parts + utf8proc_decompose_char(c, parts, 32, options, &boundary));
        narrow.insert(narrow.end(), one.begin(), one.end());
    }
    std::string key = username(utf8(text));
    return folded(key) == folded(utf8(narrow)) || folded(key) == folded(utf8(text));
}

static void properties() {
    Names names;
    int flaws = 0, joined = 0, accepted = 0;
    for (int i = 0; i < 60000; i++) {
        CodePoints text = names.next();
        accepted += username_case_mapped(text).has_value();
        if (std::string_view why = flaw(text); !why.empty() && flaws++ < 5)
            diag(std::string(why) + ": " + utf8(text));
        if (!joins_only_equals(text) && joined++ < 5)
            diag("keys that match by mistake: " + utf8(text));
    }
    is(flaws, 0,
       "the keys of 60000 random names are UTF-8, idempotent and independent of the normal form");
    is(joined, 0, "60000 random names have a common username key only if they fold alike");
    note(std::to_string(accepted) + " accepted");
    ok(accepted > 10000 && accepted < 50000,
       "PRECIS accepts between 10000 and 50000 of 60000 random names");

    flaws = 0;
    for (int32_t c = 1; c < 0x33000; c++)  // the tags are the only assigned characters above
        if ((c < 0xd800 || c > 0xdfff) && !flaw({c}).empty() && flaws++ < 5)
            diag("flawed: " + utf8({c}));
    is(flaws, 0, "the keys of each code point below U+33000 are UTF-8 and idempotent");
}

// ---- Sizes ----

static std::string repeated(std::string_view unit, size_t size) {
    std::string out;
    while (out.size() < size) out += unit;
    return out;
}

// A quadratic algorithm would need minutes. The limit of 30 s of CPU time of this process allows
// for sanitizers and slow machines.
static void quick(std::string_view text, std::string_view title) {
    const std::clock_t begin = std::clock();
    size_t size = username(text).size() + folded(text).size();
    const double taken = double(std::clock() - begin) / CLOCKS_PER_SEC;
    ok(size > 0 && taken < 30, "the keys of 1 MiB of " + std::string(title) + " are made in 30 s");
}

static void megabytes() {
    constexpr size_t size = 1 << 20;
    quick(repeated("Abc", size), "ASCII");
    quick(repeated("Ä", size) + "\u2026", "refused letters");
    quick(repeated("\u0301\u0323\u0345\u0327", size), "marks in the wrong order");
    quick("a" + repeated("\u0323\u0301", size) + "a", "marks on one letter");
    quick(repeated("Σ'", size), "sigmas");
    quick("aΣ" + repeated("'", size) + "Σ", "ignorable characters between sigmas");
    quick(repeated("\u30fb", size), "characters that look at the whole string");
    quick(repeated("\u11a7", size), "U+11A7");
    quick(repeated("\uac01", size), "Hangul");
    quick(repeated("\ufdfa", size), "long compatibility decompositions");
    ok(folded(repeated("Ä", size)) == repeated("ä", size), "the folded key of 1 MiB is correct");
    ok(username(repeated("Ä", size)) == repeated("ä", size),
       "the username key of 1 MiB is correct");
    ok(folded("a" + repeated("\u0301\u0323", 4000)) ==
           "\u1ea1" + repeated("\u0323", 1998) + repeated("\u0301", 2000),
       "8,000 combining marks after a letter are sorted and composed");
}

static void blank() {
    for (const char *text :
         {" ", "\t\n\v\f\r ", "\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80\xe2\x80\x8a",
          "\xe2\x80\xa8\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"})
        ok(is_blank(text), "white space '" + std::string(text) + "' is blank");
    for (const char *text : {"", "a", "  a", "a ", "\x08", "\x0e", "\x1f", "\xe2\x80\x8b",
                             "\xef\xbb\xbf", "\xe1\xa0\x8e"})
        ok(!is_blank(text), "'" + std::string(text) + "' is not blank");
}

int main() {
    blank();
    is(unicode_version(), utf8proc_unicode_version(), "unicode_version() is that of utf8proc");
    ascii();
    plain();
    languages();
    differences();
    combining_marks();
    widths();
    directions();
    fall_back();
    context_rules();
    invalid_bytes();
    properties();
    megabytes();
    return tap::done();
}
