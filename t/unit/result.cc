// Tests the error body of RFC 7644 3.12, and that a client's text is quoted in messages only cut
// and without control characters.
#include "scim/text/result.h"
#include "scim/request/error_body.h"

#include "scim/text/text.h"
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
    Result<std::string> error = Error{Refusal::patch_no_target, "d"};
    ok(!error && error.error().status() == 400, "a Result holds its Error");
    ok(bool(Outcome(Done{})), "an Outcome of Done is true");
    ok(undecided().refusal == Refusal::internal_error && undecided().status() == 500,
       "a Result that is never decided is internal-error");
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
    ok(good, "[S-148] the scimTypes have the keywords of RFC 7644 table 9");
}

static std::string body(std::string_view members) {
    std::string start = R"j({"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],)j";
    return start.append(members).append("}");
}

static void bodies() {
    is(error_body(Error{Refusal::required_missing, "userName is missing."}, {"4711"}),
       body(R"j("status":"400","scimType":"invalidValue",)j"
            R"j("detail":"userName is missing. (request 4711)","errorId":"required-missing")j"),
       "[S-146] an error body has status as a string and the request id at the end of detail");
    is(error_body(Error{Refusal::resource_unknown, "no such user"}, {{}, true}),
       body(R"j("status":"404","detail":"no such user")j"),
       "an error body without scimType and request id has neither");
    is(error_body(Error{Refusal::value_type, "got " + quoted("a\"\\\n\u00e4")}, {{}, true}),
       body(R"j("status":"400","scimType":"invalidValue","detail":"got \"a\"\\?ä\"")j"),
       "quotes and backslashes in detail are escaped");
    is(error_body(undecided(), {"4711", true}),
       body(R"j("status":"500","detail":"(request 4711)")j"),
       "an error body without detail has the request id as detail");
}

static void quotes() {
    is(quoted(""), "\"\"", "an empty text is quoted");
    is(quoted("userName"), "\"userName\"", "a word is quoted");
    is(quoted("say \"hi\""), "\"say \"hi\"\"", "inner quotes are kept");
    is(quoted(std::string_view("a\0b\nc\x1b\x7f"
                               "d",
                               8)),
       "\"a?b?c??d\"", "control characters are quoted as ?");
    is(quoted("a\u0085b\u009fc"), "\"a?b?c\"", "C1 control characters are quoted as ?");
    is(quoted("a\u202eb\u2066c\u2028d\u200fe"), "\"a?b?c?d?e\"",
       "line separators and direction marks are quoted as ?");
    is(quoted("J\u00f6rg \u5f20 \U0001f600"), "\"J\u00f6rg \u5f20 \U0001f600\"",
       "letters and symbols of other scripts are kept");
    is(quoted("a\xff\xc3z\xe2\x82"), "\"a??z??\"", "each invalid byte is quoted as ?");
    is(quoted("\xed\xa0\x80"), "\"???\"", "each byte of an encoded surrogate is quoted as ?");

    is(quoted(times("x", 64)), "\"" + times("x", 64) + "\"", "64 bytes are not cut");
    is(quoted(times("x", 65)), "\"" + times("x", 64) + "\u2026\"", "65 bytes are cut to 64");
    is(quoted(times("x", 65), 65), "\"" + times("x", 65) + "\"",
       "with another bound, so many bytes are not cut");
    is(quoted(times("\u00e4", 33)), "\"" + times("\u00e4", 32) + "\u2026\"",
       "characters of two bytes are cut at byte 64");
    is(quoted("x" + times("\u00e4", 33)), "\"x" + times("\u00e4", 31) + "\u2026\"",
       "characters of two bytes after one byte are cut at byte 63");
    is(quoted(times("\u5f20", 22)), "\"" + times("\u5f20", 21) + "\u2026\"",
       "characters of three bytes are cut at byte 63");
    for (int n = 0; n < 4; n++)
        is(quoted(times("x", n) + times("\U0001f600", 17)),
           "\"" + times("x", n) + times("\U0001f600", n ? 15 : 16) + "\u2026\"",
           "characters of four bytes after " + std::to_string(n) + " bytes are cut at a character");
    is(quoted(times("\x80", 100)), "\"" + times("?", 61) + "\u2026\"",
       "a text of continuation bytes is cut");

    bool valid = true;
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            std::string q = quoted(times("x", 62) + char(a) + char(b) + "y");
            valid &= is_utf8(q) && q.size() <= 64 + 2 + 3;
        }
    ok(valid, "a text with any two bytes at the cut is quoted as UTF-8 of at most 69 bytes");
}

int main() {
    results();
    keywords();
    bodies();
    quotes();
    return tap::done();
}
