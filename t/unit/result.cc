// Proves the Error body of RFC 7644 3.12 and that a client's text enters a sentence only cut and
// harmless.
#include "scim/result.h"

#include "scim/text.h"
#include "tap.h"

using namespace scim;

static std::string times(std::string_view text, int n) {
    std::string out;
    while (n-- > 0) out += text;
    return out;
}

static void results() {
    Result<std::string> value = std::string("v");
    ok(bool(value) && *value == "v" && value->size() == 1, "a Result holds its value");
    Result<std::string> error = bad_request(ScimType::no_target, "d");
    ok(!error && error.error().status == 400, "or its Error");
    ok(bool(Outcome(Done{})), "an Outcome can be good");
}

static void keywords() {
    const char *words[] = {"",
                           "invalidFilter",
                           "tooMany",
                           "uniqueness",
                           "mutability",
                           "invalidSyntax",
                           "invalidPath",
                           "noTarget",
                           "invalidValue",
                           "invalidVers",
                           "sensitive"};
    bool good = true;
    for (int i = 0; i < 11; i++) good &= to_string(ScimType(i)) == words[i];
    ok(good, "the keywords of RFC 7644 table 9");
}

static std::string body(std::string_view members) {
    std::string start = R"j({"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],)j";
    return start.append(members).append("}");
}

static void bodies() {
    is(error_body(bad_request(ScimType::invalid_value, "userName is missing."), "4711"),
       body(R"j("status":"400","scimType":"invalidValue",)j"
            R"j("detail":"userName is missing. (request 4711)")j"),
       "status is a string, the request id ends the detail");
    is(error_body(Error{404, ScimType::none, "no such user", 0}, ""),
       body(R"j("status":"404","detail":"no such user")j"),
       "no scimType where none applies, no request id where there is none");
    is(error_body(bad_request(ScimType::invalid_value, "got " + quoted("a\"\\\n\u00e4")), ""),
       body(R"j("status":"400","scimType":"invalidValue","detail":"got \"a\"\\?ä\"")j"),
       "quotes and backslashes are escaped");
    is(error_body(Error{500, ScimType::none, "", 0}, "4711"),
       body(R"j("status":"500","detail":"(request 4711)")j"), "a request id alone");
}

static void quotes() {
    is(quoted(""), "\"\"", "nothing is quoted");
    is(quoted("userName"), "\"userName\"", "a word");
    is(quoted("say \"hi\""), "\"say \"hi\"\"", "inner quotes stay");
    is(quoted(std::string_view("a\0b\nc\x1b\x7f"
                               "d",
                               8)),
       "\"a?b?c??d\"", "controls become ?");
    is(quoted("a\u0085b\u009fc"), "\"a?b?c\"", "C1 controls too");
    is(quoted("a\u202eb\u2066c\u2028d\u200fe"), "\"a?b?c?d?e\"",
       "so do line separators and marks of direction");
    is(quoted("J\u00f6rg \u5f20 \U0001f600"), "\"J\u00f6rg \u5f20 \U0001f600\"", "letters stay");
    is(quoted("a\xff\xc3z\xe2\x82"), "\"a??z??\"", "each invalid byte becomes ?");
    is(quoted("\xed\xa0\x80"), "\"???\"", "a surrogate is invalid");

    is(quoted(times("x", 64)), "\"" + times("x", 64) + "\"", "64 bytes are not cut");
    is(quoted(times("x", 65)), "\"" + times("x", 64) + "\u2026\"", "65 bytes are");
    is(quoted(times("\u00e4", 33)), "\"" + times("\u00e4", 32) + "\u2026\"", "two bytes, even");
    is(quoted("x" + times("\u00e4", 33)), "\"x" + times("\u00e4", 31) + "\u2026\"", "two, odd");
    is(quoted(times("\u5f20", 22)), "\"" + times("\u5f20", 21) + "\u2026\"", "three bytes");
    for (int n = 0; n < 4; n++)
        is(quoted(times("x", n) + times("\U0001f600", 17)),
           "\"" + times("x", n) + times("\U0001f600", n ? 15 : 16) + "\u2026\"",
           "four bytes after " + std::to_string(n));
    is(quoted(times("\x80", 100)), "\"" + times("?", 61) + "\u2026\"",
       "continuation bytes without a beginning are still cut");

    bool valid = true;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            std::string q = quoted(times("x", 62) + char(a) + char(b) + "y");
            valid &= is_utf8(q) && q.size() <= 64 + 2 + 3;
        }
    ok(valid, "whatever two bytes stand at the cut, the result is UTF-8 and short");
}

int main() {
    results();
    keywords();
    bodies();
    quotes();
    return tap::done();
}
