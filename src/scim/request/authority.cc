#include "scim/request/authority.h"

#include <cstdint>

#include "scim/text/text.h"

namespace scim {

namespace {

bool is_port(std::string_view text) {
    uint16_t port;
    return text.empty() || (text.front() != '-' && read_number(text, port));
}

}  // namespace

bool is_authority(std::string_view text) {
    constexpr size_t max_host = 255;
    const bool is_literal = !text.empty() && text.front() == '[';
    const size_t end = is_literal ? text.find(']') : text.find(':');
    if (is_literal && end == text.npos) return false;
    const std::string_view host = is_literal ? text.substr(1, end - 1) : text.substr(0, end);
    if (host.empty() || host.size() > max_host) return false;
    for (char c : host) {
        const char lower = ascii_lower(c);
        const bool is_digit = c >= '0' && c <= '9';
        const bool good =
            is_literal
                ? is_digit || (lower >= 'a' && lower <= 'f') || c == ':' || c == '.'
                : is_digit || (lower >= 'a' && lower <= 'z') || c == '-' || c == '.' || c == '_';
        if (!good) return false;
    }
    const std::string_view rest =
        end == text.npos ? std::string_view() : text.substr(is_literal ? end + 1 : end);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
}

}  // namespace scim
