// Parses any JSON object as a PATCH and as the body of a PUT. A patched resource is in canonical
// order and is unchanged by writing and reading it; a resource whose PATCH fails is unchanged.

#include "scim/patch/patch.h"
#include "scim/request/error_body.h"

#include "unit/patch_fixture.h"

namespace {

using namespace fixture;

const char user_before[] = R"({
    "userName": "bjensen", "active": true, "title": "T", "name": {"familyName": "F", "givenName": "G"},
    "emails": [{"value": "w", "type": "work", "primary": true}, {"value": "h", "type": "home"}],
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
        {"department": "D", "manager": {"value": "m"}},
    "urn:example:acme:2.0:User": {"level": 7, "words": ["a", "b"], "ranks": [1, 2],
        "seat": [{"value": "s", "floor": 3, "tags": ["x", "y"]}, {"value": "t"}]}})";

Resource read(const TypeView &type, const json_t *body) {
    DeviationReport report;
    return must(read_resource(type, body, false, report));
}

std::string text(const TypeView &type, const Resource &resource) {
    std::string out = "{";
    write_members(out, type, resource.leaves, nullptr, nullptr);
    return out + "}";
}

void check_reads_as_itself(const TypeView &type, const Resource &resource) {
    Json tree = must(parse_json(text(type, resource), JsonLimits()));
    Resource again = read(type, tree.get());
    if (again.leaves.size() != resource.leaves.size()) std::abort();
    for (size_t i = 0; i < again.leaves.size(); i++) {
        const Leaf &a = again.leaves[i], &b = resource.leaves[i];
        if (a.attr != b.attr || a.element != b.element || a.json != b.json) std::abort();
    }
}

void check_members(const MemberEdits &edits) {
    for (const std::vector<Id> *ids : {&edits.add, &edits.remove})
        for (size_t i = 1; i < ids->size(); i++)
            if (!((*ids)[i - 1] < (*ids)[i])) std::abort();
    if (edits.clear && !edits.remove.empty()) std::abort();
}

void patch(const TypeView &type, const json_t *before, const json_t *body, bool strict) {
    DeviationReport report;
    auto patch = Patch::parse(type, body, PatchLimits(), strict, report);
    if (!patch) {
        error_body(patch.error(), {});
        return;
    }
    check_members(patch->members());
    Resource resource = read(type, before);
    const std::string was = text(type, resource);
    Work work;
    const bool done = bool(patch->apply(type, resource, report, work));
    if (!done && text(type, resource) != was) std::abort();
    if (patch->empty() && text(type, resource) != was) std::abort();
    check_reads_as_itself(type, resource);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const Json user_tree = must(parse_json(user_before, JsonLimits()));
    static const Json group_tree = must(parse_json(R"({"displayName":"g"})", JsonLimits()));
    auto body = parse_json({reinterpret_cast<const char *>(data), size}, JsonLimits());
    if (!body) return 0;
    for (bool strict : {false, true}) {
        patch(user(), user_tree.get(), body->get(), strict);
        patch(group(), group_tree.get(), body->get(), strict);
        DeviationReport report;
        auto resource = read_resource(user(), body->get(), strict, report);
        if (resource) check_reads_as_itself(user(), *resource);
    }
    return 0;
}
