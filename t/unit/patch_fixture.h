#pragma once
// What the tests of PATCH share: the directory of filter_fixture.h, its Group, and words for results
// that read well in a table.

#include "filter_fixture.h"
#include "scim/dialect.h"
#include "scim/patch.h"
#include "scim/resource.h"

namespace fixture {

inline const TypeView &group() {
    static const std::shared_ptr<const Catalog> catalog = make_catalog();
    return *catalog->type_by_name("Group");
}

// "413: …" or "invalidPath: …".
inline std::string words(const Error &error) {
    std::string_view type = to_string(error.type);
    return (type.empty() || error.status != 400 ? std::to_string(error.status)
                                                : std::string(type)) +
           ": " + error.detail;
}

inline bool has(std::string_view text, std::string_view part) {
    return text.find(part) != text.npos;
}

// The ids of the tests: 0…9 and a…f as id_of('3').
inline Id id_of(char digit) {
    std::string text = "0192f7a0-0000-7000-8000-000000000000";
    text.back() = digit;
    return *parse_id(text);
}

inline std::string id_text(char digit) { return to_string(id_of(digit)); }

// The last digits of ids: "13a".
inline std::string digits(const std::vector<Id> &ids) {
    std::string out;
    for (const Id &id : ids) out += to_string(id).back();
    return out;
}

inline std::string message(const std::string &operations) {
    return R"({"schemas":[")" + std::string(patch_op_urn) + R"("],"Operations":[)" + operations +
           "]}";
}

// The report of what was patched last.
inline std::string summary;

// The resource after the PATCH, or the error.
inline std::string patch_body(const TypeView &type, const std::string &before,
                              const std::string &body, bool strict,
                              const PatchLimits &limits = PatchLimits()) {
    Json resource_body = must(parse_json("{" + before + "}", JsonLimits()));
    Report silent, report;
    Resource resource = must(read_resource(type, resource_body.get(), false, silent));
    Json json = must(parse_json(body, JsonLimits()));
    summary.clear();
    auto patch = Patch::parse(type, json.get(), limits, strict, report);
    if (!patch) return words(patch.error());
    std::string was;
    write_members(was, type, resource.leaves, nullptr, nullptr);
    Work work;
    auto done = patch->apply(type, resource, report, work);
    summary = report.summary();
    std::string out;
    write_members(out, type, resource.leaves, nullptr, nullptr);
    if (!done) return words(done.error()) + (was == out ? "" : " AND IT CHANGED: " + out);
    std::vector<Leaf> leaves = resource.leaves;
    canonical_order(type, leaves);
    for (size_t i = 0; i < leaves.size(); i++)
        if (leaves[i].attr != resource.leaves[i].attr ||
            leaves[i].element != resource.leaves[i].element)
            return "not in canonical order: " + out;
    return out;
}

inline std::string patched(const std::string &before, const std::string &operations,
                           bool strict = false) {
    return patch_body(user(), before, message(operations), strict);
}

// The RFC's own: the same in both profiles, and nothing is reported.
inline void rfc(const std::string &before, const std::string &operations, const std::string &after,
                const std::string &name) {
    is(patched(before, operations, true), after, name + " (strict)");
    is(patched(before, operations) + (summary.empty() ? "" : "+" + summary), after, name);
}

// A dialect: done and reported, and refused under the strict profile.
inline void dialect(const std::string &before, const std::string &operations,
                    const std::string &after, const std::string &report, const std::string &refusal,
                    const std::string &name) {
    is(patched(before, operations), after, name);
    is(summary, report, name + ": reported");
    std::string strict = patched(before, operations, true);
    if (!ok(strict.rfind(refusal + ": ", 0) == 0, name + ": refused")) diag(strict);
}

// Accepted alike by both, and reported by the lenient one.
inline void refused(const std::string &before, const std::string &operations,
                    const std::string &want, const std::string &name) {
    std::string got = patched(before, operations);
    if (!ok(has(got, want), name)) diag(got);
}

inline std::string op(const std::string &op, const std::string &path,
                      const std::string &value = "") {
    std::string out = R"({"op":")" + op + "\"";
    std::string escaped;
    for (char c : path) escaped += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    if (!path.empty()) out += R"(,"path":")" + escaped + "\"";
    if (!value.empty()) out += R"(,"value":)" + value;
    return out + "}";
}

}  // namespace fixture
