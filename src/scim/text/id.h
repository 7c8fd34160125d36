#pragma once
// Resource ids: UUIDs of version 7 (RFC 9562 5.7). They begin with the creation time, so that the
// keys of new resources are adjacent in the B+tree. Only make_id() makes ids (RFC 7643 3.1); an id
// that a client sends is only looked up.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace scim {

using Id = std::array<uint8_t, 16>;

constexpr size_t id_text_size = 36;

// `milliseconds` since 1970-01-01T00:00:00Z; the 74 free bits are taken from `random`.
Id make_id(int64_t milliseconds, const std::array<uint8_t, 10> &random);

// A millisecond has 4096 ticks: the 12 bits of `rand_a` in a UUID of version 7 (RFC 9562 6.2,
// method 1). The id of a later tick is greater.
constexpr uint64_t ticks_a_millisecond = 4096;

// `tick` counts from 1970-01-01T00:00:00Z; the 62 free bits are taken from `random`.
Id make_id_of_tick(uint64_t tick, uint64_t random);

// Lower-case hexadecimal digits in groups of 8-4-4-4-12.
void append_id(std::string &out, const Id &id);
std::string to_string(const Id &id);

// Accepts only the form that append_id() writes, because ids are caseExact (RFC 7643 3.1); nullopt
// for any other text.
std::optional<Id> parse_id(std::string_view text);

}  // namespace scim
