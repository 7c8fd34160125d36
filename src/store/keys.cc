#include "store/keys.h"

#include <openssl/sha.h>

#include <cstring>

#include "scim/text/datetime.h"
#include "scim/text/json.h"
#include "store/bytes.h"

namespace scim::store {

namespace {

static_assert(index_value_max - index_digest_prefix == 2 * SHA256_DIGEST_LENGTH);

std::string shortened(std::string key) {
    if (key.size() < index_value_max) return key;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char *>(key.data()), key.size(), digest);
    key.resize(index_digest_prefix);
    append_hex(key, digest, sizeof digest);
    return key;
}

// Two's complement with the sign bit flipped: byte order is numeric order.
std::string ordered(int64_t value) {
    std::string out;
    append_be(out, uint64_t(value) ^ (uint64_t(1) << 63), 8);
    return out;
}

// IEEE 754 with the sign bit of positive numbers and all bits of negative ones flipped: byte order
// is numeric order.
std::string ordered(double value) {
    uint64_t bits;
    if (value == 0) value = 0;  // -0.0 equals 0.0
    std::memcpy(&bits, &value, sizeof bits);
    bits ^= bits >> 63 ? ~uint64_t(0) : uint64_t(1) << 63;
    std::string out;
    append_be(out, bits, 8);
    return out;
}

std::optional<double> number_of(Bytes json) {
    std::string text(json);
    char *end = nullptr;
    double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') return std::nullopt;
    return value;
}

std::optional<int64_t> integer_of(Bytes json) {
    std::string text(json);
    char *end = nullptr;
    long long value = std::strtoll(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0') return std::nullopt;
    return value;
}

}  // namespace

std::optional<std::string> index_value(const Attr &attr, Bytes json) {
    switch (attr.def->type) {
        case AttrType::boolean: return std::string(1, json == "true" ? '\x02' : '\x01');
        case AttrType::integer: {
            auto value = integer_of(json);
            return value ? std::optional(ordered(*value)) : std::nullopt;
        }
        case AttrType::decimal: {
            auto value = number_of(json);
            return value ? std::optional(ordered(*value)) : std::nullopt;
        }
        default: break;
    }
    std::string text;
    if (!read_string(json, text)) return std::nullopt;
    if (attr.def->type == AttrType::date_time) {
        auto time = parse_datetime(text);
        return time ? std::optional(ordered(*time)) : std::nullopt;
    }
    return shortened(scim::key_of(attr.matching, text));
}

std::string index_value_of_text(const Attr &attr, std::string_view text) {
    std::string json;
    write_string(json, text);
    return index_value(attr, json).value_or(std::string());
}

Key tenant_prefix(TenantNumber tenant) { return Key().number(tenant, 4); }

Key kind_prefix(uint8_t kind, TenantNumber tenant) {
    return Key().number(kind, 1).number(tenant, 4);
}

Key resource_prefix(TenantNumber tenant, TypeNumber type) {
    return tenant_prefix(tenant).number(type, 2);
}

Key resource_key(TenantNumber tenant, TypeNumber type, const Id &id) {
    return resource_prefix(tenant, type).id(id);
}

std::string index_prefix(TenantNumber tenant, TypeNumber type, AttrNumber attr) {
    return std::string(resource_prefix(tenant, type).number(attr, 2));
}

std::string index_key(TenantNumber tenant, TypeNumber type, AttrNumber attr, Bytes value,
                      const Id &id) {
    const Key prefix = resource_prefix(tenant, type).number(attr, 2);
    std::string key;
    key.reserve(prefix.size() + value.size() + 1 + id_size);
    key.append(prefix).append(value) += '\0';
    return key.append(bytes_of(id));
}

std::optional<IndexTail> index_tail(Bytes key) {
    if (key.size() < index_prefix_size + 1 + id_size) return std::nullopt;
    size_t end = key.size() - id_size - 1;
    if (key[end] != '\0') return std::nullopt;
    return IndexTail{key.substr(index_prefix_size, end - index_prefix_size), id_at(key, end + 1)};
}

Key members_prefix(TenantNumber tenant, const Id &first) { return tenant_prefix(tenant).id(first); }

Key member_key(TenantNumber tenant, const Id &first, const Id &second) {
    return members_prefix(tenant, first).id(second);
}

Key change_key(TenantNumber tenant, uint64_t position, uint16_t part) {
    return tenant_prefix(tenant).number(position, 8).number(part, 2);
}

Key refusal_key(TenantNumber tenant, int64_t time, uint32_t sequence) {
    return tenant_prefix(tenant).number(uint64_t(time), 8).number(sequence, 4);
}

Key tenant_number_key(TenantNumber tenant) { return kind_prefix(0, tenant); }

std::string tenant_name_key(Bytes name) {
    std::string key(1, '\x01');
    return key.append(name);
}

Key tenant_token_key(TenantNumber tenant, uint32_t token) {
    return tenant_prefix(tenant).number(token, 4);
}

Key actor_key(TenantNumber tenant, uint32_t actor) {
    return tenant_prefix(tenant).number(actor, 4);
}

Key access_prefix(TenantNumber tenant, AccessKind kind) {
    return tenant_prefix(tenant).number(uint64_t(kind), 1);
}

Key access_key(TenantNumber tenant, const Id &id) {
    return access_prefix(tenant, AccessKind::resource).id(id);
}

std::string tombstone_key(TenantNumber tenant, AccessKind kind, Bytes value) {
    return std::string(access_prefix(tenant, kind)).append(value);
}

std::string tombstone_key(TenantNumber tenant, const Id &id) {
    return tombstone_key(tenant, AccessKind::id, Key().id(id));
}

Key block_prefix(TenantNumber tenant, const Id &user) {
    return access_prefix(tenant, AccessKind::block).id(user);
}

std::string block_key(const Id &user, Bytes tombstone) {
    const auto tenant = TenantNumber(read_be(tombstone.data(), 4));
    return std::string(block_prefix(tenant, user)).append(tombstone.substr(4));
}

Key token_use_key(TenantNumber tenant, uint32_t token) {
    return kind_prefix(1, tenant).number(token, 4);
}

Key index_build_key(uint16_t index) { return Key().number(2, 1).number(index, 2); }

Key substring_build_key(uint16_t index) { return Key().number(4, 1).number(index, 2); }

Key import_position_key(TenantNumber tenant) { return kind_prefix(3, tenant); }

Key position_key(TenantNumber tenant) { return kind_prefix(1, tenant); }

Key count_key(TenantNumber tenant, TypeNumber type) {
    return kind_prefix(2, tenant).number(type, 2);
}

Key refusal_count_key(TenantNumber tenant) { return kind_prefix(3, tenant); }

Key gate_pause_key(TenantNumber tenant) { return kind_prefix(4, tenant); }

Key lockouts_key(TenantNumber tenant) { return kind_prefix(5, tenant); }

}  // namespace scim::store
