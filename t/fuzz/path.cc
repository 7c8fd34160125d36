// Parses any text as a PATCH path. Either it is refused with invalidPath or invalidFilter, or it is
// ignored, or it names an attribute or an extension.

#include "scim/filter/path.h"

#include "unit/patch_fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const std::string_view text(reinterpret_cast<const char *>(data), size);
    for (const scim::TypeView *type : {&fixture::user(), &fixture::group()}) {
        for (bool strict : {false, true}) {
            scim::DeviationReport report;
            scim::Dialect dialect(strict, report);
            auto path = scim::parse_path(*type, text, scim::PathLimits(), dialect);
            if (!path) {
                const scim::ScimType kind = path.error().type();
                if (kind != scim::ScimType::invalid_path && kind != scim::ScimType::invalid_filter)
                    std::abort();
            } else if (*path) {
                const scim::Path &p = **path;
                if (!p.attr != (p.extension >= 0) || (p.part && p.part->parent != p.attr) ||
                    (p.filter && p.member_ids))
                    std::abort();
                if (p.filter) p.filter->matches_element(*type, nullptr, nullptr);
            }
        }
    }
    return 0;
}
