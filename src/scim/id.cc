#include "scim/id.h"

#include <algorithm>

namespace scim {
namespace {

// Where a hyphen stands before the byte of this number.
bool is_group_start(size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

}  // namespace

Id make_id(int64_t milliseconds, const std::array<uint8_t, 10> &random) {
    Id id;
    for (size_t i = 0; i < 6; i++) id[i] = uint8_t(uint64_t(milliseconds) >> (40 - 8 * i));
    std::copy(random.begin(), random.end(), id.begin() + 6);
    id[6] = 0x70 | (id[6] & 0x0f);  // version 7
    id[8] = 0x80 | (id[8] & 0x3f);  // the variant of RFC 9562
    return id;
}

void append_id(std::string &out, const Id &id) {
    constexpr char digits[] = "0123456789abcdef";
    char text[id_text_size], *at = text;
    for (size_t i = 0; i < id.size(); i++) {
        if (is_group_start(i)) *at++ = '-';
        *at++ = digits[id[i] >> 4];
        *at++ = digits[id[i] & 15];
    }
    out.append(text, sizeof text);
}

std::string to_string(const Id &id) {
    std::string out;
    out.reserve(id_text_size);
    append_id(out, id);
    return out;
}

std::optional<Id> parse_id(std::string_view text) {
    if (text.size() != id_text_size) return std::nullopt;
    Id id;
    size_t at = 0;
    for (size_t i = 0; i < id.size(); i++) {
        if (is_group_start(i) && text[at++] != '-') return std::nullopt;
        int high = hex_value(text[at]), low = hex_value(text[at + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        id[i] = uint8_t(high << 4 | low);
        at += 2;
    }
    return id;
}

}  // namespace scim
