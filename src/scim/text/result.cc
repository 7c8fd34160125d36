#include "scim/text/result.h"

#include "scim/text/secret.h"
#include "scim/text/unicode.h"

namespace scim {
namespace {

// Control characters can end a log line; directional marks can change the order in which its
// characters are displayed.
bool is_unprintable(int32_t c) {
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0xfeff;
}

// The longest prefix of at most `most` bytes that ends at a character boundary.
std::string_view beginning(std::string_view text, size_t most) {
    if (text.size() <= most) return text;
    size_t cut = most;
    while (cut > most - 3 && (text[cut] & 0xc0) == 0x80) cut--;
    return text.substr(0, cut);
}

}  // namespace

Error undecided() { return {Refusal::internal_error, {}}; }

std::string quoted(std::string_view text, size_t most) {
    const std::string safe = without_tokens(text);
    std::string_view rest = beginning(safe, most);
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

std::string wrong_at(std::string_view what, std::string_view text, size_t at,
                     std::string_view sentence) {
    std::string out(what);
    out += " is wrong at character " + std::to_string(count_characters(text.substr(0, at)) + 1);
    return out.append(": ").append(sentence);
}

}  // namespace scim
