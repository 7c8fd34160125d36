#include "scim/secret.h"

#include <algorithm>

#include "scim/result.h"
#include "scim/text.h"

namespace scim {

namespace {

constexpr size_t token_digits = 16;

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

// The end of the first name in `path` of an attribute that is never returned, in any case; npos
// without one. A path that is malformed still names what it is about.
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

std::string without_tokens(std::string_view text) {
    std::string out;
    size_t at = 0;
    while (at < text.size()) {
        const size_t found = text.find(token_prefix, at);
        if (found == text.npos) break;
        const size_t begin = found + token_prefix.size();
        size_t end = begin;
        while (end < text.size() && is_alphanumeric(text[end])) end++;
        const bool is_token = end - begin >= token_digits;
        out += text.substr(at, (is_token ? begin : end) - at);
        if (is_token) out += "\u2026";
        at = end;
    }
    return out += text.substr(std::min(at, text.size()));
}

std::string quoted_path(const TypeView &type, std::string_view path) {
    const size_t end = hidden_end(type, path);
    if (end >= path.size()) return quoted(path);
    return quoted(std::string(path.substr(0, end)) + "\u2026");
}

}  // namespace scim
