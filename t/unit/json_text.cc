// Tests the canonical form of JSON: values that are written are read back equal, and read_string()
// refuses what is not a string literal.
#include <cfloat>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <random>

#include "scim/text/json.h"
#include "tap.h"

using namespace scim;

static std::string canonical(const json_t *value) {
    std::string out;
    write_value(out, value);
    return out;
}

static std::string written(std::string_view text) {
    std::string out;
    write_string(out, text);
    return out;
}

static std::string read(std::string_view literal) {
    std::string out = "<";
    bool good = read_string(literal, out);
    return good ? out + ">" : out + " refused";
}

static void strings() {
    is(written(""), "\"\"", "an empty string is written");
    is(written("a/b\u007f\u2028ä😀"), "\"a/b\u007f\u2028ä😀\"",
       "characters that need no escape are written as they are");
    is(written("\"\\\b\f\n\r\t"), R"("\"\\\b\f\n\r\t")",
       "quotes, backslashes and common controls are written as short escapes");
    is(written(std::string_view("\0\x01\x0b\x1f", 4)), R"("\u0000\u0001\u000b\u001f")",
       "other control characters are written as \\u escapes");
    ok(has_escape(written("a\nb")) && !has_escape(written("ab")),
       "has_escape() is true only for a literal with an escape");

    is(read("\"\""), "<>", "an empty literal is read");
    is(read(R"("a\"\\\/\b\f\n\r\tz")"), "<a\"\\/\b\f\n\r\tz>", "short escapes are read");
    is(read(R"("\u0041\u00e4\u20aC\uFFFF")"), "<Aä€\uffff>", "long escapes are read");
    is(read(R"("\ud83d\uDE00\uD800\uDC00\uDBFF\uDFFF")"), "<😀\U00010000\U0010ffff>",
       "surrogate pairs are read");
    is(read("\"\u0080ä\""), "<\u0080ä>", "UTF-8 is read");
    const char *bad[] = {"",
                         "\"",
                         "a",
                         "\"a",
                         "a\"",
                         "'a'",
                         "\"a\"b\"",
                         "\"\\\"",
                         "\"\\x\"",
                         "\"\\u12\"",
                         "\"\\u12g4\"",
                         "\"\\u 123\"",
                         "\"\\U0041\"",
                         "\"\\ud800\"",
                         "\"\\ud800x\"",
                         "\"\\ud800\\n\"",
                         "\"\\ud800\\u0041\"",
                         "\"\\ud800\\",
                         "\"\\ud800\\\"",
                         "\"\\udc00\"",
                         "\"\\ud800\\ud800\"",
                         "\"a\nb\"",
                         "\"\x1f\"",
                         "\"\xff\"",
                         "\"\xc3\"",
                         "\"\xed\xa0\x80\"",
                         " \"a\"",
                         "\"a\" "};
    for (std::string_view literal : bad)
        is(read(literal), "< refused",
           "the literal " + std::string(literal) + " is refused and appends nothing");
}

static std::string decimal(double value) {
    std::string out;
    write_decimal(out, value);
    return out;
}

static void decimals() {
    is(decimal(1), "1.0", "1.0 is written with a decimal point");
    is(decimal(0.1), "0.1", "0.1 is written with its shortest digits");
    is(decimal(0.1 + 0.2), "0.30000000000000004", "0.1 + 0.2 is written with all 17 digits");
    is(decimal(-0.0), "-0.0", "-0.0 is written with its sign");
    is(decimal(1e21), "1.0e+21", "1e21 is written with a decimal point and an exponent");
    is(decimal(1.5e-9), "1.5e-09", "a small decimal is written with an exponent");
    is(decimal(123456789), "123456789.0", "a whole decimal is written with a decimal point");
    is(decimal(DBL_MAX), "1.7976931348623157e+308", "the largest decimal is written");
    is(decimal(5e-324), "5.0e-324", "the smallest decimal is written");
    std::string out = "x";
    write_integer(out, INT64_MIN);
    write_integer(out, 0);
    write_integer(out, INT64_MAX);
    is(out, "x-922337203685477580809223372036854775807",
       "the smallest integer, 0 and the largest are appended");
}

// ---- Round trips ----

constexpr uint64_t seed = 20261121;

class Trees {
  public:
    Trees() : random_(seed) { diag("seed " + std::to_string(seed)); }

    uint64_t below(uint64_t n) { return random_() % n; }

    double real() {
        for (;;) {
            uint64_t bits = random_();
            double value;
            static_assert(sizeof value == sizeof bits);
            std::memcpy(&value, &bits, sizeof value);
            if (std::isfinite(value)) return value;
        }
    }

    std::string text() {
        constexpr std::string_view letters[] = {"a",  "Z",    "\"",     "\\",   "/",
                                                "\n", "\x01", "\x1f",   "\x7f", "ä",
                                                "€",  "😀",    "\u2028", " ",    "u0041"};
        std::string out;
        for (uint64_t n = below(12); n > 0; n--) out += letters[below(std::size(letters))];
        return out;
    }

    Json value(int depth) {
        switch (below(depth > 0 ? 8 : 6)) {
            case 0: return Json(json_true());
            case 1: return Json(json_false());
            case 2: return Json(json_null());
            case 3: return Json(json_integer(int64_t(random_()) >> below(64)));
            case 4: return Json(json_real(below(2) ? real() : double(below(2000)) / 8 - 100));
            case 5: {
                std::string s = text();
                return Json(json_stringn(s.data(), s.size()));
            }
            case 6: {
                Json list(json_array());
                for (uint64_t n = below(5); n > 0; n--)
                    json_array_append_new(list.get(), value(depth - 1).release());
                return list;
            }
            default: return object(depth);
        }
    }

    Json object(int depth) {
        Json out(json_object());
        for (uint64_t n = below(5); n > 0; n--) {
            std::string key = std::to_string(n) + text();
            json_object_set_new(out.get(), key.c_str(), value(depth - 1).release());
        }
        return out;
    }

  private:
    std::mt19937_64 random_;
};

static void round_trips() {
    Trees trees;
    int wrong = 0;
    for (int i = 0; i < 20000; i++) {
        Json tree = trees.object(6);
        std::string text = canonical(tree.get());
        auto again = parse_json(text, {});
        bool good =
            again && json_equal(tree.get(), again->get()) && canonical(again->get()) == text;
        if (!good && wrong++ < 5) diag(text);
    }
    is(wrong, 0, "20000 random trees are read back equal and written the same");

    wrong = 0;
    for (int i = 0; i < 100000; i++) {
        double value = trees.real();
        std::string text = decimal(value);
        wrong += std::strtod(text.c_str(), nullptr) != value || text.find('.') == text.npos;
    }
    is(wrong, 0, "100000 random decimals are read back to the bit");

    wrong = 0;
    for (int i = 0; i < 100000; i++) {
        std::string text = trees.text(), back;
        wrong += !read_string(written(text), back) || back != text;
    }
    std::string nul(3, '\0'), back;
    ok(read_string(written(nul), back) && back == nul, "a string of U+0000 is read back");
    is(wrong, 0, "100000 random strings are read back");
}

int main() {
    strings();
    decimals();
    round_trips();
    return tap::done();
}
