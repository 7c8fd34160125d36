#include "scim/result.h"

#include "scim/json.h"
#include "scim/secret.h"
#include "scim/unicode.h"

namespace scim {
namespace {

constexpr size_t quoted_size = 64;

// Controls end a log line, and marks of direction make one read as what it is not.
bool is_unprintable(int32_t c) {
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0xfeff;
}

// The longest beginning of at most 64 bytes that does not cut a character in two.
std::string_view beginning(std::string_view text) {
    if (text.size() <= quoted_size) return text;
    size_t cut = quoted_size;
    while (cut > quoted_size - 3 && (text[cut] & 0xc0) == 0x80) cut--;
    return text.substr(0, cut);
}

}  // namespace

std::string_view to_string(ScimType type) {
    switch (type) {
        case ScimType::none: return "";
        case ScimType::invalid_filter: return "invalidFilter";
        case ScimType::too_many: return "tooMany";
        case ScimType::uniqueness: return "uniqueness";
        case ScimType::mutability: return "mutability";
        case ScimType::invalid_syntax: return "invalidSyntax";
        case ScimType::invalid_path: return "invalidPath";
        case ScimType::no_target: return "noTarget";
        case ScimType::invalid_value: return "invalidValue";
        case ScimType::invalid_vers: return "invalidVers";
        case ScimType::sensitive: return "sensitive";
    }
    return "";
}

std::string quoted(std::string_view text) {
    const std::string safe = without_tokens(text);
    std::string_view rest = beginning(safe);
    std::string out = "\"";
    size_t shown = rest.size();
    while (!rest.empty()) {
        size_t valid = utf8_prefix(rest);
        for (int32_t c : decode_utf8(rest.substr(0, valid)))
            append_utf8(out, is_unprintable(c) ? '?' : c);
        rest.remove_prefix(valid);
        if (!rest.empty()) {
            out += '?';
            rest.remove_prefix(1);
        }
    }
    if (shown < safe.size()) out += "\u2026";
    out += '"';
    return out;
}

std::string error_body(const Error &error, std::string_view request_id) {
    std::string detail = error.detail;
    if (!request_id.empty()) {
        if (!detail.empty()) detail += ' ';
        detail.append("(request ").append(request_id).append(")");
    }
    std::string out = R"({"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":")" +
                      std::to_string(error.status) + '"';
    if (error.type != ScimType::none)
        out.append(R"(,"scimType":")").append(to_string(error.type)) += '"';
    out += R"(,"detail":)";
    write_string(out, detail);
    out += '}';
    return out;
}

}  // namespace scim
