#include "scim/text/id.h"

#include <algorithm>

#include "scim/text/text.h"

namespace scim {
namespace {

// Offsets, in the text form, of the two digits of each byte and of the four hyphens.
constexpr uint8_t byte_places[] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
constexpr uint8_t hyphen_places[] = {8, 13, 18, 23};

}  // namespace

Id make_id(int64_t milliseconds, const std::array<uint8_t, 10> &random) {
    Id id;
    for (size_t i = 0; i < 6; i++) id[i] = uint8_t(uint64_t(milliseconds) >> (40 - 8 * i));
    std::copy(random.begin(), random.end(), id.begin() + 6);
    id[6] = 0x70 | (id[6] & 0x0f);  // version 7
    id[8] = 0x80 | (id[8] & 0x3f);  // the variant of RFC 9562
    return id;
}

Id make_id_of_tick(uint64_t tick, uint64_t random) {
    const auto count = uint16_t(tick % ticks_a_millisecond);
    std::array<uint8_t, 10> bits{uint8_t(count >> 8), uint8_t(count)};
    for (size_t i = 2; i < bits.size(); i++, random >>= 8) bits[i] = uint8_t(random);
    return make_id(int64_t(tick / ticks_a_millisecond), bits);
}

void append_id(std::string &out, const Id &id) {
    char text[id_text_size];
    for (size_t place : hyphen_places) text[place] = '-';
    for (size_t i = 0; i < id.size(); i++) {
        text[byte_places[i]] = hex_digits[id[i] >> 4];
        text[byte_places[i] + 1] = hex_digits[id[i] & 15];
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
        const int high = hex_value(at[0]), low = hex_value(at[1]);
        if (high < 0 || low < 0) return std::nullopt;
        id[i] = uint8_t(high << 4 | low);
    }
    return id;
}

}  // namespace scim
