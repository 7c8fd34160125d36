#pragma once
// What the tests of PATCH share: the User and Group of filter_fixture.h's catalog, and functions
// that return results as text.

#include "filter_fixture.h"
#include "scim/patch/patch.h"
#include "scim/resource/dialect.h"
#include "scim/resource/resource.h"

namespace fixture {

inline const TypeView &group() {
    static const std::shared_ptr<const Catalog> catalog = make_catalog();
    return *catalog->type_by_name("Group");
}

// Returns "scimType: detail" of a 400 with a scimType, else "status: detail".
inline std::string error_text(const Error &error) {
    std::string_view type = to_string(error.type());
    return (type.empty() || error.status() != 400 ? std::to_string(error.status())
                                                  : std::string(type)) +
           ": " + error.detail;
}

inline bool has(std::string_view text, std::string_view part) {
    return text.find(part) != text.npos;
}

// Returns the id whose last hexadecimal digit is `digit`.
inline Id id_of(char digit) {
    std::string text = "0192f7a0-0000-7000-8000-000000000000";
    text.back() = digit;
    return *parse_id(text);
}

inline std::string id_text(char digit) { return to_string(id_of(digit)); }

// Returns the last digits of ids, such as "13a".
inline std::string digits(const std::vector<Id> &ids) {
    std::string out;
    for (const Id &id : ids) out += to_string(id).back();
    return out;
}

inline std::string message(const std::string &operations) {
    return R"({"schemas":[")" + std::string(patch_op_urn) + R"("],"Operations":[)" + operations +
           "]}";
}

// Users with an address for work, and with another one.
inline const std::string work = R"("emails":[{"value":"w","type":"work","primary":true}])";
inline const std::string both =
    R"("emails":[{"value":"w","type":"work","primary":true},{"value":"h","type":"home"}])";

// The deviations of the last PATCH.
inline std::string summary;

// Returns the members of the resource after the PATCH, or the error. A failed PATCH must not change
// the resource, and the result must be in canonical order; otherwise the text says so.
inline std::string patch_body(const TypeView &type, const std::string &before,
                              const std::string &body, bool strict,
                              const PatchLimits &limits = PatchLimits()) {
    Json resource_body = must(parse_json("{" + before + "}", JsonLimits()));
    DeviationReport silent, report;
    Resource resource = must(read_resource(type, resource_body.get(), false, silent));
    Json json = must(parse_json(body, JsonLimits()));
    summary.clear();
    auto patch = Patch::parse(type, json.get(), limits, strict, report);
    if (!patch) return error_text(patch.error());
    std::string unchanged;
    write_members(unchanged, type, resource.leaves, nullptr, nullptr);
    Work work;
    auto done = patch->apply(type, resource, report, work);
    summary = report.summary();
    std::string out;
    write_members(out, type, resource.leaves, nullptr, nullptr);
    if (!done)
        return error_text(done.error()) + (unchanged == out ? "" : " AND IT CHANGED: " + out);
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

// Tests an operation that follows the RFC: the result is the same under both profiles, and nothing
// is reported.
inline void rfc(const std::string &before, const std::string &operations, const std::string &after,
                const std::string &name) {
    is(patched(before, operations, true), after, name + ", under scim_profile rfc");
    is(patched(before, operations) + (summary.empty() ? "" : "+" + summary), after, name);
}

// Tests a deviation from the RFC: it is accepted and reported, and refused with the scimType
// `refusal` under scim_profile rfc. `name` is a noun phrase.
inline void dialect(const std::string &before, const std::string &operations,
                    const std::string &after, const std::string &report, const std::string &refusal,
                    const std::string &name) {
    is(patched(before, operations), after, name + " is accepted");
    is(summary, report, name + " is reported as '" + report + "'");
    std::string strict = patched(before, operations, true);
    if (!ok(strict.rfind(refusal + ": ", 0) == 0, name + " is refused under scim_profile rfc"))
        diag(strict);
}

// Tests that scim_profile default refuses the PATCH with an error that contains `want`. `name` is a
// noun phrase.
inline void refused(const std::string &before, const std::string &operations,
                    const std::string &want, const std::string &name) {
    std::string got = patched(before, operations);
    if (!ok(has(got, want), name + " is refused")) diag(got);
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
