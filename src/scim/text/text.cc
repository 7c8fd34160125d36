#include "scim/text/text.h"

#include <algorithm>
#include <cstring>

#include "scim/text/unicode.h"

namespace scim {

bool is_utf8(std::string_view bytes) { return utf8_prefix(bytes) == bytes.size(); }

void append_hex(std::string &out, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        out += hex_digits[bytes[i] >> 4];
        out += hex_digits[bytes[i] & 15];
    }
}

bool is_url_text(std::string_view text) {
    for (char c : text)
        if (uint8_t(c) <= ' ' || c == '"' || c == '\\' || c == 0x7f) return false;
    return is_utf8(text);
}

bool is_ascii(std::string_view text) {
    uint64_t seen = 0, word;
    size_t i = 0;
    for (; text.size() - i >= sizeof word; i += sizeof word) {
        std::memcpy(&word, text.data() + i, sizeof word);
        seen |= word;
    }
    if (i > 0) {  // the rest, with bytes that were seen before it
        std::memcpy(&word, text.data() + text.size() - sizeof word, sizeof word);
        seen |= word;
    } else {
        for (char c : text) seen |= uint8_t(c);
    }
    return (seen & 0x8080808080808080) == 0;
}

std::string ascii_lower(std::string_view s) {
    std::string out(s);
    for (char &c : out) c = ascii_lower(c);
    return out;
}

bool ascii_iequals(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
               return x == y || ascii_lower(x) == ascii_lower(y);
           });
}

}  // namespace scim
