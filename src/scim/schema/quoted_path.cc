#include "scim/schema/quoted_path.h"

#include <algorithm>

#include "scim/text/result.h"
#include "scim/text/text.h"

namespace scim {

namespace {

// The position behind the first name, in any case, of an attribute that is never returned; npos if
// there is none. The path may be malformed.
size_t hidden_end(const TypeView &type, std::string_view path) {
    const std::string text = ascii_lower(path);
    size_t first = text.npos;
    for (const Attr &attr : type.attrs) {
        if (!attr.never_returned()) continue;
        const size_t at = text.find(ascii_lower(attr.def->name));
        if (at != text.npos) first = std::min(first, at + attr.def->name.size());
    }
    return first;
}

}  // namespace

std::string quoted_path(const TypeView &type, std::string_view path) {
    const size_t end = hidden_end(type, path);
    if (end >= path.size()) return quoted(path);
    return quoted(std::string(path.substr(0, end)) + "\u2026");
}

}  // namespace scim
