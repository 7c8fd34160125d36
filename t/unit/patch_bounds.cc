// What one PATCH may cost is bounded, whatever the resource and the request: time is that of half a
// second, a resource does not become larger than 16 MiB.

#include <algorithm>
#include <ctime>
#include <functional>

#include "patch_fixture.h"

using namespace fixture;

namespace {

// Enough for builds that are slow on purpose; what is not bounded takes longer everywhere.
constexpr double patience = 3000;

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
    auto done = patch.apply(user(), resource, report);
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

void quick(const Applied &got, const std::string &name) {
    ok(got.milliseconds < patience, name + ": in " + std::to_string(got.milliseconds) + " ms");
}

void refused(const Applied &got, const std::string &want, const std::string &name) {
    if (!ok(has(got.text, want), name)) diag(got.text.substr(0, 200));
    quick(got, name);
}

const std::string too_much = "this request has too much to compare; send it in several requests.";

void filters() {
    auto emails = [](size_t n, const std::string &display) {
        return "\"emails\":[" +
               many(n, ",",
                    [&](int i) {
                        return R"({"value":")" + std::to_string(i) + R"(","display":")" + display +
                               "\"}";
                    }) +
               "]";
    };
    auto removes = [](int n, const std::string &filter) {
        return many(size_t(n), ",",
                    [&](int) { return R"({"op":"remove","path":"emails[)" + filter + "]\"}"; });
    };
    const std::string accents = repeated("\xc3\xa9", 30000), letters(60000, 'e');
    refused(patched(emails(100, accents), removes(10, R"(display co \"zzz0\")")),
            "413: Operations[0]: " + too_much, "long texts that have to be folded");
    quick(patched(emails(100, letters), removes(10, R"(display co \"zzz0\")")), "long ASCII");
    ok(has(patched(emails(100, letters), removes(10, R"(display co \"zzz0\")")).text, "eee"),
       "which is cheap, and done");
    ok(has(patched(emails(100, accents), removes(10, R"(display pr and value eq \"x\")")).text,
           "\xc3\xa9"),
       "what is not compared costs nothing");
    refused(patched(emails(10000, "\xc3\xa9"), removes(1000, R"(display co \"zzz0\")")), too_much,
            "many elements and operations");
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
    refused(patched("\"emails\":[" +
                        many(100, ",",
                             [&](int i) {
                                 return R"({"value":")" + std::to_string(i) + R"(","display":")" +
                                        accents + "\"}";
                             }) +
                        "]",
                    R"({"op":"remove","path":"emails","value":[{"display":"zzz0"}]})"),
            too_much, "long texts that have to be folded");
}

}  // namespace

int main() {
    filters();
    listed();
    return tap::done();
}
