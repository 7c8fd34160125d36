// What one PATCH may cost is bounded, whatever the resource and the request: time is that of a fixed
// number of comparisons, less than 100 ms of everybody else's, and a resource does not become larger
// than 16 MiB.

#include <algorithm>
#include <ctime>
#include <functional>

#include "patch_fixture.h"

using namespace fixture;

namespace {

struct Applied {
    std::string text;         // of the resource, or the error
    double milliseconds = 0;  // of apply(), of this process: the machine may have others to run
};

Applied patched(const std::string &before, const std::string &operations) {
    Report report;
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
    if (done)
        write_members(out.text, user(), resource.leaves, nullptr, nullptr);
    else
        out.text = words(done.error());
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

const std::string nobody = R"(value eq \"nobody\")";

// What is bounded takes up to twice as long as the 750,000 comparisons of a short text that are just
// allowed, also in builds that are slow on purpose; what is not bounded takes longer in all of them.
double patience() {
    static const double allowed = [] {
        Applied got = patched(emails(10000, "d"), removes(75, nobody));
        ok(has(got.text, R"({"value":"9999","display":"d"})"), "as much as is allowed");
        return got.milliseconds;
    }();
    return 4 * allowed;
}

void quick(const Applied &got, const std::string &name) {
    ok(got.milliseconds < patience(), name + ": in " + std::to_string(got.milliseconds) + " of " +
                                          std::to_string(patience()) + " ms");
}

void refused(const Applied &got, const std::string &want, const std::string &name) {
    if (!ok(has(got.text, want), name)) diag(got.text.substr(0, 200));
    quick(got, name);
}

const std::string too_much = "this request has too much to compare; send it in several requests";

void filters() {
    const std::string accents = repeated("\xc3\xa9", 30000), letters(60000, 'e');
    refused(patched(emails(100, accents), removes(10, R"(display co \"zzz0\")")),
            "413: Operations[0]: " + too_much, "long texts that have to be folded");
    quick(patched(emails(100, letters), removes(10, R"(display co \"zzz0\")")), "long ASCII");
    ok(has(patched(emails(100, letters), removes(10, R"(display co \"zzz0\")")).text, "eee"),
       "which is cheap, and done");
    ok(has(patched(emails(100, accents), removes(10, R"(display pr and value eq \"x\")")).text,
           "\xc3\xa9"),
       "what is not compared costs nothing");
    // 1,500,000 comparisons: 75 operations, 10,000 elements, a term and a text.
    const std::string most = emails(10000, "d");
    refused(patched(most, removes(76, nobody)), "413: Operations[75]: " + too_much, "one more");
    refused(patched(most, removes(1000, nobody)), "413: Operations[75]: " + too_much,
            "as many as a request may have");
    refused(patched(most, many(1000, ",", [](int) { return op("add", "emails.type", "\"t\""); })),
            too_much, "a part of all elements, many times");
    ok(has(patched(emails(750, "d"), removes(1000, nobody)).text,
           R"({"value":"749","display":"d"})"),
       "1,000 operations on 750 elements are done");
}

void listed() {
    // Every set of parts that an element can be listed by.
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
    ok(std::count(got.text.begin(), got.text.end(), '{') == 1498, "listed by any of their parts");
    quick(got, "127 sets of parts and 1,500 elements");
    ok(!has(got.text, "\"v7\"") && !has(got.text, "\"v8\"") && has(got.text, "\"v9\""),
       "they and nobody else");
    quick(patched(before, many(100, ",", [&](int) { return remove(""); })), "one hundred times");
    const std::string accents = repeated("\xc3\xa9", 30000);
    refused(patched(emails(100, accents),
                    R"({"op":"remove","path":"emails","value":[{"display":"zzz0"}]})"),
            too_much, "long texts that have to be folded");
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
            "413: Operations[0]: \"photos\" would have 3000", "one value in all elements");
    Applied got = patched(photos(80, ""), replace("photos.value", photo));
    ok(got.text.size() > 16000000 && has(got.text, "\"type\":\"t79\""), "below 16 MiB it is done");
    // Two attributes, neither of which is too large.
    refused(patched(photos(50, ""), replace("photos.value", photo) + "," +
                                        R"({"op":"add","path":"ims","value":[)" +
                                        many(120, ",",
                                             [](int i) {
                                                 return R"({"value":")" + std::string(60000, 'i') +
                                                        std::to_string(i) + "\"}";
                                             }) +
                                        "]}"),
            "413: the resource would have 17", "all attributes together");
    // Each adds to what the one before has made.
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
    refused(patched(seats, adds(60)), "413: Operations[", "values of a part");
    got = patched(R"("urn:example:acme:2.0:User":{"seat":[{"value":"0"}]})", adds(15));
    ok(has(got.text, "\"14-1999\""), "of one element: done");
    quick(got, "30,000 values of a part");
    Report report;
    std::string body = R"({"userName":"u",)" + photos(85, photo) + "}";
    JsonLimits limits;
    Json json = must(parse_json(body, limits));
    auto resource = read_resource(user(), json.get(), false, report);
    ok(!resource && has(words(resource.error()), "413: the resource would have 170") &&
           has(words(resource.error()), " bytes; 16 MiB are allowed"),
       "POST and PUT, too");
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
    is(std::count(got.text.begin(), got.text.end(), '{'), 10000, "each is added once");
    quick(got, "8 times 9,000");
    got = patched(before, add(5000, 5000) + "," + add(9999, 2));
    ok(has(got.text, "invalidValue: Operations[1]: \"emails\" would have 10001 elements"),
       "no more than are allowed");
    got = patched(R"("emails":[{"value":"a","primary":true},{"value":"b"}])",
                  R"({"op":"add","path":"emails","value":[{"value":"b","primary":true},)"
                  R"({"value":"a","primary":false},{"value":"b"},)" +
                      values(0, 20).substr(1) + "}");
    ok(has(got.text, R"("emails":[{"value":"a","primary":false},{"value":"b","primary":true},)"
                     R"({"value":"0"},)"),
       "what has lost its primary is found");
}

}  // namespace

int main() {
    filters();
    listed();
    bytes();
    additions();
    return tap::done();
}
