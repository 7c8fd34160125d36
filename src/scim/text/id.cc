#include "scim/text/id.h"

#include <algorithm>

namespace scim {
namespace {

// Offsets, in the text form, of the two digits of each byte and of the four hyphens.
constexpr uint8_t byte_places[] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
constexpr uint8_t hyphen_places[] = {8, 13, 18, 23};

constexpr char digits[] = "0123456789abcdef";

// The value of a lower-case hexadecimal digit by its character, 16 for any other character.
constexpr std::array<uint8_t, 256> make_hex_values() {
    std::array<uint8_t, 256> values{};
    for (uint8_t &value : values) value = 16;
    for (uint8_t i = 0; i < 16; i++) values[uint8_t(digits[i])] = i;
    return values;
}
constexpr std::array<uint8_t, 256> hex_values = make_hex_values();

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
    char text[id_text_size];
    for (size_t place : hyphen_places) text[place] = '-';
    for (size_t i = 0; i < id.size(); i++) {
        text[byte_places[i]] = digits[id[i] >> 4];
        text[byte_places[i] + 1] = digits[id[i] & 15];
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
    for (size_t place : hyphen_places)
        if (text[place] != '-') return std::nullopt;
    Id id;
    for (size_t i = 0; i < id.size(); i++) {
        const char *at = text.data() + byte_places[i];
        uint8_t high = hex_values[uint8_t(at[0])], low = hex_values[uint8_t(at[1])];
        if (high > 15 || low > 15) return std::nullopt;
        id[i] = uint8_t(high << 4 | low);
    }
    return id;
}

}  // namespace scim
