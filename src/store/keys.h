#pragma once
// The keys of all databases; docs/format.md describes their values. Numbers are big-endian, so that
// the rows with a common prefix form a range in numeric order.
//
//     resources     := tenant:u32 type:u16 id:16
//     blocks        := tenant:u32 type:u16 first:16
//     index         := tenant:u32 type:u16 attr:u16 value 0x00 id:16
//     trigrams      := tenant:u32 type:u16 attr:u16 trigram:3 first:u64      (store/postings.h)
//     value         := string | boolean | number | time
//     string        := the comparison key of scim/text/text.h, if it is shorter than 400 bytes;
//                      otherwise its first 336 bytes and its SHA-256 in 64 hexadecimal digits (a
//                      match of such a value must be verified against the record)
//     boolean       := 0x01 (false) | 0x02 (true)
//     number        := 8 bytes, order-preserving    (integer: i64; decimal: IEEE 754 double)
//     time          := 8 bytes, order-preserving    (dateTime: i64 microseconds)
//     members       := tenant:u32 group:16 member:16
//     memberships   := tenant:u32 member:16 group:16
//                      (group all zero: the position of the last change)
//     jobs          := 0x01 tenant:u32 group:16 epoch:u32
//     changes       := tenant:u32 position:u64 part:u16
//     refusals      := tenant:u32 time:i64 sequence:u32
//     local         := 0x01 tenant:u32 token:u32 | 0x02 index:u16 | 0x03 tenant:u32 | 0x04 index:u16
//     tokens        := sha256:32
//     tenant_tokens := tenant:u32 token:u32
//     actors        := tenant:u32 actor:u32
//     access        := tenant:u32 0x01 id:16 | tenant:u32 0x02 value | tenant:u32 0x03 value
//                      (0x01: of a resource; 0x02 and 0x03: of a deleted resource, by its userName
//                      and its externalId)
//     names         := tenant:u32 0x01 id:16 | tenant:u32 0x02 digest:u64 id:16  (store/names.h)
//     tenants       := 0x00 number:u32 | 0x01 name
//     catalog       := kind:u8 number:u16
//     meta          := a name | 0x01 tenant:u32 | 0x02 tenant:u32 type:u16 | 0x03 tenant:u32
//                      | 0x04 tenant:u32 | 0x05 tenant:u32
//
// A string contains no 0x00 (JSON with U+0000 is refused), so a 0x00 terminates it, and checking
// uniqueness takes one seek. Fixed-width values may contain 0x00. Therefore a value is not read up
// to its first 0x00: it ends 17 bytes (the terminator and the id) before the end of the key.

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "scim/schema/catalog.h"
#include "scim/text/id.h"
#include "store/lmdb.h"

namespace scim::store {

using TenantNumber = uint32_t;

constexpr size_t index_value_max = 400;                       // bytes
constexpr size_t index_digest_prefix = index_value_max - 64;  // bytes of the string in a digest
constexpr size_t index_prefix_size = 8;                       // tenant, type, attr
constexpr size_t id_size = 16;

// A key of bounded size without memory allocation, for the look-ups of every request.
class Key {
  public:
    operator Bytes() const { return {bytes_, size_}; }
    size_t size() const { return size_; }
    Key &number(uint64_t value, int bytes) {
        for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
            bytes_[size_++] = char(value >> shift & 0xff);
        return *this;
    }
    Key &id(const Id &id) {
        std::memcpy(bytes_ + size_, id.data(), id_size);
        size_ += id_size;
        return *this;
    }

  private:
    char bytes_[4 + 2 * id_size];
    size_t size_ = 0;
};

Key resource_prefix(TenantNumber tenant, TypeNumber type);
Key resource_key(TenantNumber tenant, TypeNumber type, const Id &id);

// The value part of an index key for a leaf's canonical JSON text; nothing if the text is not a
// value of the attribute's type, which happens only in a damaged record.
std::optional<std::string> index_value(const Attr &attr, Bytes json);
// The same of a string; empty if it is not a value of the attribute's type.
std::string index_value_of_text(const Attr &attr, std::string_view text);
// True if two different strings may have this index value.
inline bool is_digest(Bytes value) { return value.size() == index_value_max; }

std::string index_prefix(TenantNumber tenant, TypeNumber type, AttrNumber attr);
std::string index_key(TenantNumber tenant, TypeNumber type, AttrNumber attr, Bytes value,
                      const Id &id);
// The part of an index key after its prefix; nothing if the key is too short or lacks the
// terminator.
struct IndexTail {
    Bytes value;
    Id id;
};
std::optional<IndexTail> index_tail(Bytes key);

// Prefix of all rows of a group in `members`, or of a member in `memberships`.
Key members_prefix(TenantNumber tenant, const Id &first);
Key member_key(TenantNumber tenant, const Id &first, const Id &second);
Key change_key(TenantNumber tenant, uint64_t position, uint16_t part);
constexpr size_t change_key_size = 4 + 8 + 2;
Key refusal_key(TenantNumber tenant, int64_t time, uint32_t sequence);
Key tenant_prefix(TenantNumber tenant);
// Prefix of a tenant's rows of one kind, in databases with several kinds: meta, local, jobs.
Key kind_prefix(uint8_t kind, TenantNumber tenant);
Key tenant_number_key(TenantNumber tenant);
std::string tenant_name_key(Bytes name);
Key tenant_token_key(TenantNumber tenant, uint32_t token);
Key actor_key(TenantNumber tenant, uint32_t actor);
// access: the row of a resource; the tombstones of three kinds; the tombstones with one user's block.
enum class AccessKind : uint8_t { resource = 1, user_name = 2, external_id = 3, id = 4, block = 5 };
Key access_prefix(TenantNumber tenant, AccessKind kind);
Key access_key(TenantNumber tenant, const Id &id);
std::string tombstone_key(TenantNumber tenant, AccessKind kind, Bytes value);
std::string tombstone_key(TenantNumber tenant, const Id &id);
// Prefix of the rows of `access` that list the tombstones with the block of a user, and one of them.
Key block_prefix(TenantNumber tenant, const Id &user);
std::string block_key(const Id &user, Bytes tombstone);
constexpr size_t access_prefix_size = 4 + 1;
Key token_use_key(TenantNumber tenant, uint32_t token);  // local
Key index_build_key(uint16_t index);                     // local
Key substring_build_key(uint16_t index);                 // local
Key import_position_key(TenantNumber tenant);            // local
Key position_key(TenantNumber tenant);                   // meta
Key count_key(TenantNumber tenant, TypeNumber type);     // meta
Key refusal_count_key(TenantNumber tenant);              // meta
Key gate_pause_key(TenantNumber tenant);                 // meta
Key lockouts_key(TenantNumber tenant);                   // meta

inline Id id_at(Bytes bytes, size_t offset) {
    Id id{};  // zeros where `bytes` ends too early
    bytes.copy(reinterpret_cast<char *>(id.data()), id.size(), offset);
    return id;
}
inline Bytes bytes_of(const Id &id) {
    return {reinterpret_cast<const char *>(id.data()), id.size()};
}

}  // namespace scim::store
