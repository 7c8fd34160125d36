// Tests that the cost of a PATCH is bounded, whatever the resource and the request: the time is
// that of a fixed number of comparisons, less than 100 ms, and a resource does not exceed 16 MiB.

#include <algorithm>
#include <ctime>
#include <functional>

#include "patch_fixture.h"

using namespace fixture;

namespace {

struct Applied {
    std::string text;         // the members of the resource, or the error
    std::string_view id;      // of the error
    double milliseconds = 0;  // CPU time of apply()
};

Applied patched(const std::string &before, const std::string &operations) {
    DeviationReport report;
    Json body = must(parse_json("{" + before + "}", JsonLimits()));
    Resource resource = must(read_resource(user(), body.get(), false, report));
    Json json = must(parse_json(
        R"({"schemas":[")" + std::string(patch_op_urn) + R"("],"Operations":[)" + operations + "]}",
        JsonLimits()));
    Patch patch = must(Patch::parse(user(), json.get(), PatchLimits(), false, report));
    const std::clock_t start = std::clock();
    Work work;
    auto done = patch.apply(user(), resource, report, work);
    Applied out;
    out.milliseconds = 1000.0 * double(std::clock() - start) / CLOCKS_PER_SEC;
    if (done) {
        write_members(out.text, user(), resource.leaves, nullptr, nullptr);
    } else {
        out.text = error_text(done.error());
        out.id = done.error().id();
    }
    return out;
}

std::string many(size_t n, const std::string &separator, const std::function<std::string(int)> &f) {
    std::string out;
    for (size_t i = 0; i < n; i++) out += (i ? separator : "") + f(int(i));
    return out;
}

std::string repeated(std::string_view text, size_t times) {
    std::string out;
    for (size_t i = 0; i < times; i++) out += text;
    return out;
}

std::string emails(size_t n, const std::string &display) {
    auto email = [&](int i) {
        return R"({"value":")" + std::to_string(i) + R"(","display":")" + display + "\"}";
    };
    return "\"emails\":[" + many(n, ",", email) + "]";
}

std::string removes(size_t n, const std::string &filter) {
    return many(n, ",", [&](int) { return R"({"op":"remove","path":"emails[)" + filter + "]\"}"; });
}

const std::string no_match = R"(value eq \"nobody\")";

// The time limit of the tests in milliseconds: 4 times that of the 750,000 comparisons of a short
// text that are just allowed. Bounded requests take up to twice that time, also in slow builds such
// as those with sanitizers; unbounded ones exceed the limit in all builds.
double time_limit() {
    static const double allowed = [] {
        Applied got = patched(emails(10000, "d"), removes(75, no_match));
        ok(has(got.text, R"({"value":"9999","display":"d"})"),
           "75 removes that compare 10,000 elements each are done");
        return got.milliseconds;
    }();
    return 4 * allowed;
}

void quick(const Applied &got, const std::string &name) {
    ok(got.milliseconds < time_limit(), name + ": in " + std::to_string(got.milliseconds) +
                                            " ms, the limit is " + std::to_string(time_limit()) +
                                            " ms");
}

void refused(const Applied &got, const std::string &want, const std::string &name) {
    if (!ok(has(got.text, want), name + " is refused")) diag(got.text.substr(0, 200));
    quick(got, name);
}

const std::string too_much =
    "the PATCH takes too much work to compare values; send its operations in several requests";

void filters() {
    const std::string accents = repeated("\xc3\xa9", 30000), letters(60000, 'e');
    refused(patched(emails(100, accents), removes(10, R"(display co \"zzz0\")")),
            "413: Operations[0]: " + too_much,
            "comparing 100 texts of 60,000 bytes that are not ASCII");
    quick(patched(emails(100, letters), removes(10, R"(display co \"zzz0\")")),
          "comparing 100 texts of 60,000 bytes of ASCII 10 times");
    ok(has(patched(emails(100, letters), removes(10, R"(display co \"zzz0\")")).text, "eee"),
       "comparing 100 texts of 60,000 bytes of ASCII 10 times is done");
    ok(has(patched(emails(100, accents), removes(10, R"(display pr and value eq \"x\")")).text,
           "\xc3\xa9"),
       "long texts that are not compared do not count as work");
    // The limit is 1,500,000: 75 operations on 10,000 elements, a term and a text each.
    const std::string most = emails(10000, "d");
    refused(patched(most, removes(76, no_match)), "413: Operations[75]: " + too_much,
            "the 76th remove that compares 10,000 elements");
    is(patched(most, removes(76, no_match)).id, row_of(Refusal::patch_too_costly).id,
       "its refusal is patch-too-costly");
    refused(patched(most, removes(1000, no_match)), "413: Operations[75]: " + too_much,
            "the 76th of 1,000 removes that compare 10,000 elements");
    refused(patched(most, many(1000, ",", [](int) { return op("add", "emails.type", "\"t\""); })),
            too_much, "setting a sub-attribute of 10,000 elements 1,000 times");
    ok(has(patched(emails(750, "d"), removes(1000, no_match)).text,
           R"({"value":"749","display":"d"})"),
       "1,000 removes that compare 750 elements each are done");
}

void listed() {
    // Lists elements by every combination of sub-attributes.
    const char *const parts[] = {"formatted",  "streetAddress", "locality", "region",
                                 "postalCode", "country",       "type"};
    auto address = [&](int set, const std::string &value) {
        std::string out;
        for (int i = 0; i < 7; i++)
            if (set >> i & 1)
                out +=
                    (out.empty() ? "\"" : ",\"") + std::string(parts[i]) + "\":\"" + value + "\"";
        return "{" + out + "}";
    };
    const std::string before =
        "\"addresses\":[" +
        many(1500, ",", [&](int i) { return address(127, "v" + std::to_string(i)); }) + "]";
    auto remove = [&](const std::string &tail) {
        return R"({"op":"remove","path":"addresses","value":[)" +
               many(127, ",", [&](int i) { return address(i + 1, "x"); }) + tail + "]}";
    };
    Applied got = patched(before, remove("," + address(5, "v7") + "," + address(96, "V8")));
    ok(std::count(got.text.begin(), got.text.end(), '{') == 1498,
       "elements listed by different combinations of sub-attributes are removed");
    quick(got, "removing with 127 combinations of sub-attributes from 1,500 elements");
    ok(!has(got.text, "\"v7\"") && !has(got.text, "\"v8\"") && has(got.text, "\"v9\""),
       "only the listed elements are removed");
    quick(patched(before, many(100, ",", [&](int) { return remove(""); })),
          "removing 100 times with 127 combinations of sub-attributes from 1,500 elements");
    const std::string accents = repeated("\xc3\xa9", 30000);
    refused(patched(emails(100, accents),
                    R"({"op":"remove","path":"emails","value":[{"display":"zzz0"}]})"),
            too_much, "listing an element by a text of 60,000 bytes that is not ASCII");
}

void bytes() {
    auto photos = [](int n, const std::string &more) {
        return "\"photos\":[" +
               many(size_t(n), ",",
                    [&](int i) {
                        return R"({"value":"p)" + std::to_string(i) + more + R"(","type":"t)" +
                               std::to_string(i) + "\"}";
                    }) +
               "]";
    };
    const std::string photo(200000, 'p');
    auto replace = [](const std::string &path, const std::string &value) {
        return R"({"op":"replace","path":")" + path + R"(","value":")" + value + "\"}";
    };
    refused(patched(photos(1500, ""), replace("photos.value", photo)),
            "413: Operations[0]: \"photos\" would have 3000",
            "setting a value of 200,000 bytes in 1,500 elements");
    Applied got = patched(photos(80, ""), replace("photos.value", photo));
    ok(got.text.size() > 16000000 && has(got.text, "\"type\":\"t79\""),
       "a PATCH to a resource just below 16 MiB is done");
    // Two attributes, each below 16 MiB.
    refused(patched(photos(50, ""), replace("photos.value", photo) + "," +
                                        R"({"op":"add","path":"ims","value":[)" +
                                        many(120, ",",
                                             [](int i) {
                                                 return R"({"value":")" + std::string(60000, 'i') +
                                                        std::to_string(i) + "\"}";
                                             }) +
                                        "]}"),
            "413: the resource would have 17",
            "a PATCH to a resource of two attributes above 16 MiB together");
    // Each operation adds to the result of the one before.
    auto adds = [](int n) {
        return many(size_t(n), ",", [](int i) {
            return R"({"op":"add","path":"urn:example:acme:2.0:User:seat.tags","value":[)" +
                   many(2000, ",",
                        [&](int j) {
                            return "\"" + std::to_string(i) + "-" + std::to_string(j) + "\"";
                        }) +
                   "]}";
        });
    };
    const std::string seats =
        R"("urn:example:acme:2.0:User":{"seat":[)" +
        many(100, ",", [](int i) { return R"({"value":")" + std::to_string(i) + "\"}"; }) + "]}";
    refused(patched(seats, adds(60)), "413: Operations[",
            "adding 60 times 2,000 values to a sub-attribute of 100 elements");
    got = patched(R"("urn:example:acme:2.0:User":{"seat":[{"value":"0"}]})", adds(15));
    ok(has(got.text, "\"14-1999\""),
       "adding 15 times 2,000 values to a sub-attribute of one element is done");
    quick(got, "adding 15 times 2,000 values to a sub-attribute of one element");
    DeviationReport report;
    std::string body = R"({"userName":"u",)" + photos(85, photo) + "}";
    JsonLimits limits;
    Json json = must(parse_json(body, limits));
    auto resource = read_resource(user(), json.get(), false, report);
    ok(!resource && has(error_text(resource.error()), "413: the resource would have 170") &&
           has(error_text(resource.error()), " bytes; 16 MiB are allowed"),
       "reading a body of a resource above 16 MiB is refused with 413");
    ok(!resource && resource.error().refusal == Refusal::resource_too_large,
       "its refusal is resource-too-large");
}

void additions() {
    auto values = [](int from, int n) {
        return "[" +
               many(size_t(n), ",",
                    [&](int i) { return R"({"value":")" + std::to_string(from + i) + "\"}"; }) +
               "]";
    };
    auto add = [&](int from, int n) {
        return R"({"op":"add","path":"emails","value":)" + values(from, n) + "}";
    };
    const std::string before = "\"emails\":" + values(0, 9000);
    Applied got = patched(before, many(8, ",", [&](int) { return add(1000, 9000); }));
    is(std::count(got.text.begin(), got.text.end(), '{'), 10000,
       "8 adds of the same 9,000 elements add each missing element once");
    quick(got, "8 adds of 9,000 elements to 9,000");
    got = patched(before, add(5000, 5000) + "," + add(9999, 2));
    ok(has(got.text, "invalidValue: Operations[1]: \"emails\" would have 10001 elements"),
       "an add to more than 10,000 elements is refused");
    got = patched(R"("emails":[{"value":"a","primary":true},{"value":"b"}])",
                  R"({"op":"add","path":"emails","value":[{"value":"b","primary":true},)"
                  R"({"value":"a","primary":false},{"value":"b"},)" +
                      values(0, 20).substr(1) + "}");
    ok(has(got.text, R"("emails":[{"value":"a","primary":false},{"value":"b","primary":true},)"
                     R"({"value":"0"},)"),
       "an element that is no longer primary is found as an existing one");
}

}  // namespace

int main() {
    filters();
    listed();
    bytes();
    additions();
    return tap::done();
}
