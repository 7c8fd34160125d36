// Tests that the text of a list can be split into exactly the elements that were sent, whatever the
// elements are, and that it holds nothing that a header must not hold.

#include <random>

#include "gate_texts.h"
#include "scim/text/text.h"
#include "scim/text/unicode.h"
#include "tap.h"

using namespace scim::service;
using namespace std::string_literals;
using fixture::join_values;

namespace {

using Elements = std::vector<std::string>;

// Returns the text, then "+" if it was truncated, then "-N" if N elements were left out.
std::string shown(const UserValue &value) {
    return value.text + (value.truncated ? "+" : "") +
           (value.left_out != 0 ? "-" + std::to_string(value.left_out) : "");
}

std::string list(const Elements &elements, const ValueFormat &format = ValueFormat(),
                 const Elements &required = {}) {
    return shown(join_values(elements, format, true, required));
}

std::string single(const std::string &element, const ValueFormat &format = ValueFormat()) {
    return shown(join_values({element}, format, false));
}

ValueFormat separated(std::string separator) {
    ValueFormat format;
    format.separator = std::move(separator);
    return format;
}

ValueFormat encoded(ValueEncoding encoding, size_t max = 4096) {
    ValueFormat format;
    format.encoding = encoding;
    format.max = max;
    return format;
}

ValueFormat matching(std::string glob) {
    ValueFormat format;
    format.match = std::move(glob);
    return format;
}

ValueFormat at_most(size_t max) { return encoded(ValueEncoding::percent, max); }

void test_percent() {
    is(list({}), "", "no elements make an empty text");
    is(list({"Ops", "Zoë Ørsted", "日本"}), "Ops,Zoë Ørsted,日本",
       "letters of any script and inner spaces are sent as UTF-8");
    is(list({"", "a", "", "b", ""}), "a,b", "empty elements are skipped and not counted");
    is(list({"x,Admins", "b"}), "x%2CAdmins,b", "an element with the separator is encoded whole");
    is(list({"Ops%2CAdmins"}), "Ops%252CAdmins",
       "an element that reads as percent-encoded is encoded");
    is(list({"a b,é"}), "a%20b%2C%C3%A9", "encoding covers spaces and each byte of UTF-8");
    is(list({",AZaz09-._~"}), "%2CAZaz09-._~", "encoding keeps the unreserved characters");
    is(list({",!*'();:@&=+$/?#[]"}), "%2C%21%2A%27%28%29%3B%3A%40%26%3D%2B%24%2F%3F%23%5B%5D",
       "encoding covers the reserved characters");
    is(list({" a", "b ", " "}), "%20a,b%20,%20", "leading and trailing spaces are encoded");
    is(list({"a|b", "c,d"}, separated("|")), "a%7Cb|c,d", "only the separator in use is encoded");
    is(single("Jensen, Babs"), "Jensen, Babs", "the separator has no meaning in a single value");
    is(single("100%"), "100%25", "a percent sign in a single value is encoded");
    is(single(" x"), "%20x", "a leading space in a single value is encoded");
    is(shown(join_values({"a", "b"}, ValueFormat(), false)), "a",
       "only the first of several elements is a single value");
    is(shown(join_values({"a\n", "b"}, ValueFormat(), false)), "-1",
       "the second element does not stand in for a first that is left out");
    is(shown(join_values({}, ValueFormat(), false)), "", "a single value may be absent");
}

void test_invisible() {
    const std::pair<const char *, const char *> invisible[] = {
        {"\u00a0", "no-break space"},
        {"\u00ad", "soft hyphen"},
        {"\u1680", "Ogham space"},
        {"\u2003", "em space"},
        {"\u200b", "zero width space"},
        {"\u200d", "zero width joiner"},
        {"\u202e", "right-to-left override"},
        {"\u2028", "line separator"},
        {"\u2029", "paragraph separator"},
        {"\u2066", "left-to-right isolate"},
        {"\u3000", "ideographic space"},
        {"\u3164", "Hangul filler"},
        {"\ufe0f", "variation selector"},
        {"\ufeff", "byte order mark"},
        {"\ue000", "a character of private use"},
        {"\u0378", "a character that is not assigned"},
        {"\uffff", "a noncharacter"},
        {"\U000e0041", "a tag character"},
        {"\U0010ffff", "the last code point"},
    };
    for (auto [text, name] : invisible) {
        const std::string got = list({"a"s + text + "b"});
        ok(got.find('%') == 1 && scim::is_ascii(got), "an element with "s + name + " is encoded");
    }
    is(list({"Ops\u200b"}), "Ops%E2%80%8B", "each byte of an invisible character is encoded");
    is(list({"~\u00a1\u037e\ud7a3\U0001f600"}), "~\u00a1\u037e\ud7a3\U0001f600",
       "visible characters beside the invisible ones are sent as they are");
}

void test_left_out() {
    for (int c : {0x00, 0x01, 0x09, 0x0a, 0x0d, 0x1b, 0x1f, 0x7f, 0x80, 0x85, 0x9f}) {
        std::string text = "a";
        scim::append_utf8(text, c);
        char name[8];
        std::snprintf(name, sizeof name, "U+%04X", unsigned(c));
        for (auto encoding :
             {ValueEncoding::percent, ValueEncoding::base64url, ValueEncoding::none})
            is(list({text + "b", text}, encoded(encoding)), "-2",
               "elements with "s + name + " are left out and counted, with encoding " +
                   std::to_string(int(encoding)));
    }
    is(list({"\x20", "\x7e", "\u00a1"}, encoded(ValueEncoding::none)), " ,~,\u00a1",
       "the characters beside the control characters are sent");
    for (const char *bytes : {"\x80", "\xc2", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                              "\xf4\x90\x80\x80", "\xff", "a\xc3"})
        is(list({bytes, "b"}), "b-1", "an element that is not UTF-8 is left out");
    is(list({"x\r\nX-Admin: 1", "b"}), "b-1", "an element cannot add a header");
    is(single("x\r\nX-Admin: 1"), "-1", "a single value cannot add a header");
}

void test_separators() {
    is(list({"a|", "|b", "c"}, separated("||")), "a%7C||%7Cb||c",
       "an element that begins or ends as the separator does is encoded");
    is(list({"a|b"}, separated("||")), "a|b",
       "half a separator within an element is sent as it is");
    is(list({"x,Admins", "y"}, separated(", ")), "x%2CAdmins, y",
       "the separator is looked for without its spaces, too");
    is(list({"a b"}, separated(" ")), "a%20b", "a space as the separator is encoded");
    is(list({"a-b", "c"}, separated("-")), "a%2Db-c",
       "an unreserved character is encoded if it is the separator");
    is(list({"a·b", "c"}, separated("·")), "a%C2%B7b·c", "the separator may be not ASCII");
    is(list({"a2b", "c"}, separated("2")), "c-1",
       "an element is left out if the separator is in its encoded form");
    is(list({"a%", "b,c"}, separated("%")), "b,c-1",
       "an element that must be encoded is left out if the separator is a percent sign");
    is(list({"a", "b"}, separated("")), "-2", "an empty separator sends nothing");
    for (const char *separator : {"\n", "\r\n", "\x7f", "\u0085", "\xff"})
        is(list({"a", "b"}, separated(separator)), "-2",
           "a separator that a header must not hold sends nothing");
    is(single("a", separated("\n")), "a", "a single value is sent whatever the separator");
}

void test_encodings() {
    is(list({"a%", " b", "c\u200b", "x,y", "d"}, encoded(ValueEncoding::none)), "a%, b,c\u200b,d-1",
       "none leaves out the element with the separator and encodes nothing");
    is(single("x,y", encoded(ValueEncoding::none)), "x,y",
       "none sends a single value with the separator");
    is(list({"f"}, encoded(ValueEncoding::base64url)), "Zg", "base64url of 1 byte has no padding");
    is(list({"fo"}, encoded(ValueEncoding::base64url)), "Zm8", "base64url of 2 bytes");
    is(list({"foo"}, encoded(ValueEncoding::base64url)), "Zm9v", "base64url of 3 bytes");
    is(list({"foob"}, encoded(ValueEncoding::base64url)), "Zm9vYg", "base64url of 4 bytes");
    is(list({"\u07ff\u07ff", "?>?"}, encoded(ValueEncoding::base64url)), "37_fvyw_Pj8",
       "base64url has - and _ for + and /");
    is(list({"a,b", "c"}, encoded(ValueEncoding::base64url)), "YSUyQ2IsYw",
       "base64url is that of the percent-encoded list");
}

void test_max() {
    is(list({"abc", "de"}, at_most(6)), "abc,de", "a list as long as max is sent whole");
    is(list({"abc", "de"}, at_most(5)), "abc+", "a list one byte longer ends after an element");
    is(list({"abc", "de", "f"}, at_most(5)), "abc+",
       "no element behind the end is sent, even if it has room");
    is(list({"abc"}, at_most(3)), "abc", "one element as long as max is sent");
    is(list({"abc"}, at_most(2)), "+", "one element longer than max is not sent");
    is(single("abc", at_most(3)), "abc", "a single value as long as max is sent");
    is(single("abcd", at_most(3)), "+", "a single value longer than max is not sent");
    is(single("a%", at_most(4)), "a%25", "max is that of the encoded element");
    is(single("a%", at_most(3)), "+", "an element that encoding makes longer than max is not sent");
    is(list({"é", "é"}, at_most(5)), "é,é", "max counts bytes");
    is(list({"é", "é"}, at_most(4)), "é+", "a character is not cut");
    is(list({"a", "b"}, at_most(2)), "a+", "a separator without an element is not sent");
    is(list({"a", "\n", "bcd", "\n"}, at_most(3)), "a+-1",
       "elements behind the end are not counted as left out");
    is(list({"a"}, at_most(0)), "+", "max 0 sends nothing");
    is(list({}, at_most(0)), "", "no elements are not truncated");
    is(list({"a", ""}, at_most(1)), "a", "an empty element needs no room");
    for (size_t size = 1; size <= 12; size++) {
        const size_t length = (size * 4 + 2) / 3;
        const std::string text(size, 'x'), name = " of " + std::to_string(size) + " bytes";
        auto fits = join_values({text}, encoded(ValueEncoding::base64url, length), true);
        ok(fits.text.size() == length && !fits.truncated,
           "base64url as long as max" + name + " is sent");
        is(single(text, encoded(ValueEncoding::base64url, length - 1)), "+",
           "base64url one byte longer than max" + name + " is not sent");
    }
    is(list({"a"}, at_most(size_t(-1))), "a", "the largest max is a limit like any other");
    is(list({"a"}, encoded(ValueEncoding::base64url, size_t(-1))), "YQ",
       "the largest max is a limit of base64url like any other");
}

// The definition of a glob, in exponential time.
bool is_match(std::string_view glob, std::string_view text) {
    if (glob.empty()) return text.empty();
    if (glob[0] == '*')
        return is_match(glob.substr(1), text) || (!text.empty() && is_match(glob, text.substr(1)));
    return !text.empty() && (glob[0] == '?' || glob[0] == text[0]) &&
           is_match(glob.substr(1), text.substr(1));
}

void test_match() {
    const Elements groups{"app-a", "App-b", "app-", "my-app-c", "app-d,x"};
    is(list(groups, matching("app-*")), "app-a,app-,app-d%2Cx", "match selects, in the same case");
    is(list(groups, matching("app-?")), "app-a", "? is one character");
    is(list(groups, matching("*")), list(groups), "* selects everything");
    is(list(groups, matching("app")), "", "match compares the whole element");
    is(list({"aéb", "aeb", "ab"}, matching("a?b")), "aéb,aeb", "? is a character of any length");
    is(list({"a日", "a"}, matching("*?")), "a日,a", "a character is not split between * and ?");
    is(list({"x\n", "app-\n"}, matching("app-*")), "-1", "only elements that match are counted");
    is(list({"a,b"}, matching("a,b")), "a%2Cb", "match compares the text before it is encoded");
    is(single("app-a", matching("x*")), "", "a single value must match, too");
    std::mt19937 random(1);
    auto text = [&](const char *characters, size_t n) {
        std::string out(random() % 8, 'a');
        for (char &c : out) c = characters[random() % n];
        return out;
    };
    bool good = true;
    for (int i = 0; i < 20000; i++) {
        const std::string glob = text("ab*?", 4), element = text("ab", 2);
        if (glob.empty() || element.empty()) continue;
        good &= list({element}, matching(glob)) == (is_match(glob, element) ? element : "");
    }
    ok(good, "20,000 random globs match as defined");
    std::string many;
    for (int i = 0; i < 30; i++) many += "a*";
    is(list({std::string(4000, 'a')}, matching(many + "b")), "",
       "a glob of 30 stars that does not match ends soon");
}

void test_required() {
    ValueFormat format;
    format.only_required = true;
    is(list({"ops", "Admins", "x"}, format, {"OPS", "x"}), "ops,x",
       "only_required selects the required elements, in any ASCII case");
    is(list({"É"}, format, {"é"}), "", "only_required folds no case but that of ASCII");
    is(list({"ops"}, format), "", "only_required without requirements selects nothing");
    format.match = "o*";
    is(list({"ops", "x"}, format, {"ops", "x"}), "ops", "match and only_required must both hold");
    is(list({"ops"}, ValueFormat(), {"x"}), "ops", "required has no meaning without only_required");
}

}  // namespace

int main() {
    test_percent();
    test_invisible();
    test_left_out();
    test_separators();
    test_encodings();
    test_max();
    test_match();
    test_required();
    return tap::done();
}
