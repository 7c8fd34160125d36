// Tests that parse_json() refuses hostile JSON before it costs memory, with an error that says what
// and where, and that accepted JSON is read exactly.
#include "scim/text/json.h"

#include <cstdlib>
#include <random>

#include "scim/text/text.h"
#include "tap.h"

using namespace scim;

// Counts Jansson's allocations, which shows whether Jansson was called.
static size_t allocations = 0;
static void *counted_malloc(size_t size) {
    allocations++;
    return std::malloc(size);
}

static std::string repeated(std::string_view unit, size_t n) {
    std::string out;
    while (n-- > 0) out += unit;
    return out;
}

static std::string canonical(const json_t *value) {
    std::string out;
    write_value(out, value);
    return out;
}

static bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != text.npos;
}

// ---- parse_json ----

static void accepted(std::string_view body, std::string_view want, std::string_view title) {
    auto tree = parse_json(body, {});
    is(tree ? canonical(tree->get()) : "refused: " + tree.error().detail, want, title);
}

static Error refusal(std::string_view body, JsonLimits limits = {}) {
    auto tree = parse_json(body, limits);
    return tree ? Error{Refusal::internal_error, "accepted"} : tree.error();
}

static void refused(std::string_view body, std::string_view detail,
                    ScimType type = ScimType::invalid_syntax) {
    Error error = refusal(body);
    const std::string error_is = "with the detail '" + std::string(detail) + "'";
    is(error.detail, detail, "a body is refused " + error_is);
    is(error.status(), 400, "the status is 400 " + error_is);
    is(to_string(error.type()), to_string(type),
       "the scimType is " + std::string(to_string(type)) + " " + error_is);
}

static void good_bodies() {
    accepted("{}", "{}", "an empty object is accepted");
    accepted(" \t\r\n{ \"a\" : [ 1 , -2, 0.5e1, true , false , null , \"x\" , { } ] }\n ",
             R"({"a":[1,-2,5.0,true,false,null,"x",{}]})",
             "every kind of value is accepted, with blanks between tokens");
    accepted(R"({"b":1,"a":2,"ab":3})", R"({"b":1,"a":2,"ab":3})", "the order of names is kept");
    accepted(R"({"a":"\"\\\/\b\f\n\r\t\u00e4\uD83D\uDE00"})",
             "{\"a\":\"\\\"\\\\/\\b\\f\\n\\r\\tä😀\"}", "all escapes and a surrogate pair are read");
    accepted("{\"\":\"\u007f\u0080\uffff\U0010ffff\"}", "{\"\":\"\u007f\u0080\uffff\U0010ffff\"}",
             "an empty name and the first and last characters of each UTF-8 length are accepted");
    accepted(R"({"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"X":1}]})",
             R"({"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"X":1}]})",
             "the same name in different objects is accepted");
    accepted(R"({"a":9223372036854775807,"b":-9223372036854775808})",
             R"({"a":9223372036854775807,"b":-9223372036854775808})",
             "the largest and the smallest 64-bit integers are accepted");
    accepted(R"({"{[{[{[{[{[{[{[{[{[":"}]}]}]\"{[{[{[{[{[{[{["})",
             R"({"{[{[{[{[{[{[{[{[{[":"}]}]}]\"{[{[{[{[{[{[{["})",
             "brackets in strings do not count towards the depth");
}

static void not_an_object() {
    refused("", "the request has no body; a JSON object was expected");
    refused(" \r\n", "the request has no body; a JSON object was expected");
    refused("[]",
            "the body must be a JSON object, which begins with {; this one begins with \"[\" "
            "at line 1, column 1");
    refused("\n \"secret\"",
            "the body must be a JSON object, which begins with {; this one begins "
            "with \"\"\" at line 2, column 2");
    refused("äpfel",
            "the body must be a JSON object, which begins with {; this one begins with "
            "\"ä\" at line 1, column 1");
    refused("userName=a",
            "the body must be a JSON object, which begins with {; this one begins "
            "with \"u\" at line 1, column 1");
    refused("\xef\xbb\xbf{}",
            "the body begins with a byte order mark; JSON in UTF-8 has none "
            "(RFC 8259 8.1)");
}

static void not_json() {
    refused("{\"ä\":\n \"é\" x}",
            "the body is not JSON at line 2, column 6: '}' expected near \"x\"");
    refused("{\"a\" 1}", "the body is not JSON at line 1, column 6: ':' expected near \"1\"");
    refused("{\"a\":[1 2]}", "the body is not JSON at line 1, column 9: ']' expected near \"2\"");
    refused("{'a':1}",
            "the body is not JSON at line 1, column 2: string or '}' expected near \"'\"");
    refused("{\"a\":1,}",
            "the body is not JSON at line 1, column 8: string or '}' expected near \"}\"");
    refused("{\"a\":tru}", "the body is not JSON at line 1, column 6: invalid token near \"t\"");
    refused("{\"a\":01}", "the body is not JSON at line 1, column 6: invalid token near \"0\"");
    refused("{\"a\":\"\\q\"}",
            "the body is not JSON at line 1, column 6: invalid escape near \"\"\"");
    refused("{\"a\":\"\\ud800\"}",
            "the body is not JSON at line 1, column 6: half of a surrogate pair near "
            "\"\"\"");
    refused("{\"a\":\"\\udc00\\ud800\"}",
            "the body is not JSON at line 1, column 6: half of a surrogate pair near "
            "\"\"\"");
    refused("{\"a\":\"\\u12\x1b\x07\"}",
            "the body is not JSON at line 1, column 6: invalid escape near "
            "\"\"\"");
    refused("{\"a\":1",
            "the body ends too early, at line 1, column 7: the JSON object is not complete");
    refused("{\"a\":\"x",
            "the body ends too early, at line 1, column 6: the JSON object is not complete");
    refused("{}\n{}",
            "the body goes on after the JSON object at line 2, column 1 near \"{\"; one "
            "object was expected");
    refused("{\"a\":\"b\nc\"}",
            "the body is not JSON at line 1, column 6: unexpected newline near \"\"\"");
}

static void not_utf8() {
    refused("{\"a\":\"\n\xff\"}",
            "the body is not UTF-8 at line 2, column 1 (byte 8); JSON is sent in UTF-8");
    refused("{\"ä\":\"\xed\xa0\x80\"}",
            "the body is not UTF-8 at line 1, column 7 (byte 8); JSON is sent in UTF-8");
    refused(std::string_view("\xff\xfe{\0}\0", 6),
            "the body is not UTF-8 at line 1, column 1 (byte 1); JSON is sent in UTF-8");
}

static void nul() {
    const char *sentence =
        "the body contains the character U+0000 at line 1, column 8, which is not allowed";
    refused(std::string_view("{\"a\":\"x\0\"}", 10), sentence);
    refused("{\"a\":\"x\\u0000\"}", sentence);
    refused(std::string_view("{\"a\":1 \0}", 9), sentence);
    refused("{\"\\u0000\":1}",
            "the body contains the character U+0000 at line 1, column 3, which is not allowed");
    accepted(R"({"a":"\\u0000"})", R"({"a":"\\u0000"})",
             "an escaped backslash before u0000 is not U+0000");
    accepted(R"({"a":"\u0001"})", R"({"a":"\u0001"})", "U+0001 is accepted");
}

static void duplicates() {
    refused(R"({"userName":"a","x":{"userName":1},"userName":"b"})",
            "an object of the body names \"userName\" twice, the second time at line 1, column 36; "
            "names must differ");
    refused(
        "{\"a\":[{\"x\\\"y\":1,\n\"x\\\"y\":2}]}",
        "an object of the body names \"x\"y\" twice, the second time at line 2, column 1; names "
        "must differ");
    refused(R"({"a":1,"\u0061":2})",
            "an object of the body names \"a\" twice, the second time at line 1, column 8; names "
            "must differ");
    std::string urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    refused("{\"" + urn + "\":1,\"" + urn + "\":2}",
            "an object of the body names \"" + urn +
                "\" twice, the second time at line 1, column "
                "65; names must differ");

    refused(R"({"userName":"a","USERNAME":"b"})",
            "an object of the body holds both \"userName\" and \"USERNAME\"; names that differ by "
            "case are one attribute (RFC 7643 2.1)");
    refused(R"({"emails":[{"value":1},{"x":1,"value":1,"Value":2}]})",
            "an object of the body holds both \"value\" and \"Value\"; names that differ by case "
            "are one attribute (RFC 7643 2.1)");
    refused(R"({"x":{"\u0061":{"b\u0063":1,"d":2},"e":3,"A":4}})",
            "an object of the body holds both \"a\" and \"A\"; names that differ by case are one "
            "attribute (RFC 7643 2.1)");
    accepted(R"({"a":{"b":1,"\u0063":{"b":2}},"B":[{"A":3}],"c":4})",
             R"({"a":{"b":1,"c":{"b":2}},"B":[{"A":3}],"c":4})",
             "names of different objects may be equal");
    accepted("{\"ä\":1,\"Ä\":2}", "{\"ä\":1,\"Ä\":2}",
             "names that differ by the case of a non-ASCII letter are different");

    std::string many;
    for (int i = 0; i < 5000; i++) many += "\"name" + std::to_string(i) + "\":1,";
    ok(bool(parse_json("{" + many + "\"x\":1}", {})),
       "5000 different names in an object are accepted");
    refused("{" + many + "\"NAME4711\":1}",
            "an object of the body holds both \"NAME4711\" and \"name4711\"; names that differ by "
            "case are one attribute (RFC 7643 2.1)");
}

static void numbers() {
    const char *limits = " is too large: an integer has 64 bits, a decimal is at most 1.8e308";
    auto too_large = [&](const std::string &number, const std::string &near) {
        refused("{\"a\":" + number + "}", "the number" + near + limits, ScimType::invalid_value);
    };
    too_large("9223372036854775808", " at line 1, column 6");
    too_large("-9223372036854775809", " at line 1, column 6");
    too_large("1e309", " at line 1, column 6");
    too_large("-1.5E400", " at line 1, column 6");
    too_large(repeated("9", 400), " at line 1, column 406");
    too_large("0.00001e400", " at line 1, column 6");
    too_large("1e99999999999999999999", " at line 1, column 28");
    accepted(R"({"a":1.7976931348623157e308,"b":1e-999,"c":-0})",
             R"({"a":1.7976931348623157e+308,"b":0.0,"c":0})",
             "the largest decimal, one that rounds to 0 and -0 are accepted");
    accepted(R"({"a":-1e-999,"b":1000000e-400,"c":0.1e-99999999999999999999,"d":0e999})",
             R"({"a":-0.0,"b":0.0,"c":0.0,"d":0.0})",
             "a decimal that is nearer to 0 than a double can be is 0");
    const char *bad[] = {"1.", ".5", "+1", "-", "0x10", "1e", "NaN", "Infinity", "1_000", "--1"};
    for (std::string number : bad)
        ok(refusal("{\"a\":" + number + "}").type() == ScimType::invalid_syntax,
           number + " is refused with invalidSyntax");
}

static void depth() {
    auto nested = [](std::string_view open, std::string_view close, size_t n) {
        return "{\"a\":" + repeated(open, n - 1) + "1" + repeated(close, n - 1) + "}";
    };
    ok(bool(parse_json(nested("[", "]", 16), {})), "arrays nested 16 deep are accepted");
    ok(bool(parse_json(nested("{\"a\":", "}", 16), {})), "objects nested 16 deep are accepted");
    is(refusal(nested("[", "]", 17)).detail,
       "objects and arrays are nested deeper than scim_max_json_depth (16) allows at line 1, "
       "column "
       "21",
       "arrays nested 17 deep are refused");
    ok(contains(refusal(nested("{\"a\":", "}", 17)).detail, "scim_max_json_depth (16)"),
       "objects nested 17 deep are refused");
    is(refusal("{\"a\":[]}", {1, 100}).detail,
       "objects and arrays are nested deeper than scim_max_json_depth (1) allows at line 1, column "
       "6",
       "a depth limit of 1 refuses an array in an object");
    ok(bool(parse_json("{}", {1, 100})), "a depth limit of 1 accepts {}");
    ok(bool(parse_json("{\"a\":[" + repeated("[],", 5000) + "[]]}", {})),
       "5001 sibling arrays do not count towards the depth");
    allocations = 0;
    ok(contains(refusal("{\"a\":" + repeated("[", 1 << 20)).detail, "scim_max_json_depth"),
       "a megabyte of [ is refused");
    ok(contains(refusal(repeated("{\"a\":", 1 << 18)).detail, "scim_max_json_depth"),
       "a megabyte of objects in objects is refused");
    is(allocations, 0U, "deep nesting is refused without a call of Jansson");
    ok(!parse_json("{\"a\":" + repeated("[", 1 << 16) + repeated("]", 1 << 16) + "}",
                   {1 << 20, 1 << 20}),
       "Jansson's own depth limit holds under a larger configured one");
}

static void values() {
    // The object, "a", its array and n elements: n + 2 values.
    auto list = [](std::string_view element, size_t n) {
        return "{\"a\":[" + repeated(std::string(element) + ",", n - 1) + std::string(element) +
               "]}";
    };
    const char *elements[] = {"1", "-1.5e3", "\"x,:[{\"", "true", "null", "[]", "{}"};
    for (std::string element : elements) {
        ok(bool(parse_json(list(element, 8), {16, 10})),
           "a value limit of 10 accepts 10 values, the elements being " + element);
        ok(contains(refusal(list(element, 9), {16, 10}).detail, "more than 10 JSON values"),
           "a value limit of 10 refuses 11 values, the elements being " + element);
    }
    ok(bool(parse_json(R"({"a":"1","b":"2","c":"3"})", {16, 4})), "names do not count as values");
    ok(!parse_json(R"({"a":"1","b":"2","c":"3"})", {16, 3}), "the values of names count");
    ok(refusal("{\"a\":[1,2,3]}", {16, 3}).refusal == Refusal::json_too_many_values,
       "the refusal of too many values is json-too-many-values");
    is(refusal("{\"a\":[1,\n22,333]}", {16, 3}).detail,
       "the body holds more than 3 JSON values, counted up to line 2, column 1; send it in several "
       "requests",
       "the error has the place of the first value above the limit");
    ok(bool(parse_json(list("1", 199998), {})), "200000 values are accepted");
    ok(!parse_json(list("1", 199999), {}), "200001 values are refused");

    allocations = 0;
    for (std::string unit : {"{},", "[],", "0,", "\"\",", "{\"a\":0},"})
        ok(contains(refusal("{\"a\":[" + repeated(unit, (1 << 20) / unit.size()) + "0]}").detail,
                    "more than 200000 JSON values"),
           "a megabyte of " + unit + " is refused");
    ok(contains(refusal("{\"a\":[" + repeated("{},", 1 << 18) + repeated(":", 1 << 20)).detail,
                "values"),
       "too many values are refused when a megabyte of colons follows");
    ok(contains(refusal("{\"a\":[" + repeated("{},", 1 << 18) + repeated("]", 1 << 20)).detail,
                "values"),
       "too many values are refused when a megabyte of brackets follows");
    is(allocations, 0U, "too many values are refused without a call of Jansson");
    refusal("{" + repeated(":", 1 << 20) + repeated("[],", 1 << 20));
    refusal("{" + repeated("}", 1 << 20) + repeated("[", 1 << 20));
    ok(allocations < 100, "Jansson stops at a syntax error before a megabyte of brackets");
}

static void bounded_work() {
    const std::string body = R"({"a":["b",{"c":1}],"d": "0123456789"})";
    constexpr size_t values = 6, names = 3;
    const size_t work = body_work(values, names, body.size());
    ok(bool(parse_json(body, {16, 100, work})), "a body whose work is the limit is accepted");
    Error error = refusal(body, {16, 100, work - 1});
    is(error.status(), 413, "a body whose work is 1 above the limit is refused with 413");
    ok(error.refusal == Refusal::body_too_costly, "the refusal is body-too-costly");
    is(error.detail,
       "the body takes too much work: 30 units for each of its 6 values, 20 for each of its 3 "
       "names and 0.4 for each of its 37 bytes make 254 units; the body work of a request is at "
       "most 253; send it in several requests",
       "the error of a body of too much work says what was counted");
    auto with_names = [](size_t n) {
        std::string out = "{\"a0\":0";
        for (size_t i = 1; i < n; i++) out += ",\"a" + std::to_string(i) + "\":0";
        return out + "}";
    };
    ok(bool(parse_json(with_names(145000), {})), "a body of 145,000 names is accepted");
    is(refusal(with_names(190000), {}).status(), 413,
       "a body of 190,000 names is refused with 413");
    ok(bool(parse_json("{\"a\":\"" + std::string(16 << 20, 'b') + "\"}", {})),
       "a string of 16 MiB is accepted");
    allocations = 0;
    is(refusal("{\"a\":\"" + std::string(20 << 20, 'b') + "\"}").status(), 413,
       "a string of 20 MiB is refused with 413");
    is(allocations, 0U, "a body of too much work is refused without a call of Jansson");
}

static void bounded_quotes() {
    std::string secret = repeated("s3cret", 1000);
    for (const std::string &body :
         {"{\"password\":" + secret + "}", "{\"a\":1,\"a" + secret, "{} " + secret,
          "{\"" + secret + "\":1,\"" + secret + "\":2}", "{\"a\":\"" + secret})
        ok(refusal(body).detail.size() < 250,
           "the error of a body with a token of 6,000 bytes has fewer than 250 bytes");
}

static void kinds() {
    auto tree = parse_json(R"([{},[],"",1,1.5,true,false,null])", {});
    ok(!tree, "an array is refused as a body");
    Json list(json_loads(R"([{},[],"",1,1.5,true,false,null])", 0, nullptr));
    const char *names[] = {"an object", "an array", "a string", "a number",
                           "a number",  "true",     "false",    "null"};
    for (size_t i = 0; i < 8; i++)
        is(kind_of(json_array_get(list.get(), i)), names[i],
           "kind_of() of element " + std::to_string(i) + " is " + names[i]);
    is(kind_of(nullptr), "nothing", "kind_of() of a null pointer is nothing");
}

// Changes 1 to 3 bytes of a valid body: it is accepted, or the error has a detail of printable
// UTF-8.
static void mutations() {
    constexpr uint64_t seed = 20261121;
    diag("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const std::string bodies[] = {
        R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bjensen"})",
        R"({"name":{"givenName":"B\u00e4rbel\n","familyName":"J\ud83d\ude00"},"n":[1,-2.5e3,0]})",
        "{\"a\":[true,false,null,{\"b\":\"ä€\"}],\n\"c\":{}}"};
    int wrong = 0, refusals = 0;
    for (int i = 0; i < 60000; i++) {
        std::string text = bodies[random() % std::size(bodies)];
        for (uint64_t n = 1 + random() % 3; n > 0; n--)
            text[random() % text.size()] = "{}[]\",:\\u0-1e.\n\x01\x7f\xc3\xa4 "[random() % 21];
        Error error = refusal(text);
        if (error.detail == "accepted") continue;
        refusals++;
        bool plain = is_utf8(error.detail) && !error.detail.empty() && error.detail.size() < 300;
        for (char c : error.detail) plain &= uint8_t(c) >= 0x20 && c != 0x7f;
        if (!plain && wrong++ < 5) diag(error.detail);
    }
    is(wrong, 0,
       "each refusal of 60000 damaged bodies has a detail of printable UTF-8 below 300 bytes");
    ok(refusals > 30000,
       "more than 30000 of 60000 damaged bodies are refused: " + std::to_string(refusals));
}

int main() {
    json_set_alloc_funcs(counted_malloc, std::free);
    good_bodies();
    not_an_object();
    not_json();
    not_utf8();
    nul();
    duplicates();
    numbers();
    depth();
    values();
    bounded_work();
    bounded_quotes();
    kinds();
    mutations();
    return tap::done();
}
