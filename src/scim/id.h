#pragma once
// Resource ids: UUIDs of version 7 (RFC 9562 5.7), so that new resources are written beside each
// other and not all over the tree. Ids are made here and nowhere else; what a client sends as id is
// only ever looked up (S-32).

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace scim {

using Id = std::array<uint8_t, 16>;

constexpr size_t id_text_size = 36;

// `milliseconds` since the epoch; `random` gives the 74 free bits.
Id make_id(int64_t milliseconds, const std::array<uint8_t, 10> &random);

// Lower-case 8-4-4-4-12.
void append_id(std::string &out, const Id &id);
std::string to_string(const Id &id);

// Only the form append_id() writes: ids are caseExact (RFC 7643 3.1). Nothing for anything else.
std::optional<Id> parse_id(std::string_view text);

}  // namespace scim
