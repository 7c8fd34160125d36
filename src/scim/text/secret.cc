#include "scim/text/secret.h"

#include "scim/text/text.h"

namespace scim {

namespace {

constexpr size_t token_digits = 16;

bool is_alphanumeric(char c) { return is_digit(c) || is_letter(c); }

}  // namespace

std::string without_tokens(std::string_view text) {
    size_t found = text.find(token_prefix), at = 0;
    if (found == text.npos) return std::string(text);
    std::string out;
    for (; found != text.npos; found = text.find(token_prefix, at)) {
        const size_t begin = found + token_prefix.size();
        size_t end = begin;
        while (end < text.size() && is_alphanumeric(text[end])) end++;
        const bool is_token = end - begin >= token_digits;
        out += text.substr(at, (is_token ? begin : end) - at);
        if (is_token) out += "\u2026";
        at = end;
    }
    out += text.substr(at);
    return out;
}

}  // namespace scim
