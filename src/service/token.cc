#include "service/token.h"

#include <openssl/sha.h>
#include <sys/random.h>
#include <zlib.h>

#include <cerrno>
#include <system_error>

#include "scim/text/secret.h"

namespace scim::service {

namespace {

constexpr size_t secret_size = 43, checksum_size = 6;
constexpr char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// The base-62 digits of a big-endian number, by repeated long division. Returns exactly `size`
// digits, with leading zeros.
template <class Bytes>
std::string base62(Bytes number, size_t size) {
    std::string out(size, '0');
    for (size_t i = size; i > 0; i--) {
        unsigned rest = 0;
        for (auto &byte : number) {
            rest = rest << 8 | uint8_t(byte);
            byte = decltype(+byte)(rest / 62);
            rest %= 62;
        }
        out[i - 1] = digits[rest];
    }
    return out;
}

std::string checksum(std::string_view text) {
    const uLong crc = crc32(0, reinterpret_cast<const Bytef *>(text.data()), uInt(text.size()));
    return base62(std::array<uint8_t, 4>{uint8_t(crc >> 24), uint8_t(crc >> 16), uint8_t(crc >> 8),
                                         uint8_t(crc)},
                  checksum_size);
}

}  // namespace

std::string format_token(const std::array<uint8_t, 32> &random) {
    std::string token(token_prefix);
    token += base62(random, secret_size);
    return token + checksum(token);
}

TokenForm token_form(std::string_view token) {
    if (token.substr(0, token_prefix.size()) != token_prefix) return TokenForm::foreign;
    if (token.size() != token_prefix.size() + secret_size + checksum_size)
        return TokenForm::damaged;
    size_t body = token.size() - checksum_size;
    return checksum(token.substr(0, body)) == token.substr(body) ? TokenForm::plausible
                                                                 : TokenForm::damaged;
}

store::Digest digest_of(std::string_view token) {
    store::Digest digest;
    SHA256(reinterpret_cast<const unsigned char *>(token.data()), token.size(), digest.data());
    return digest;
}

std::optional<store::Digest> parse_digest(std::string_view hex) {
    store::Digest digest{};
    if (hex.size() != 2 * digest.size()) return std::nullopt;
    for (size_t i = 0; i < hex.size(); i++) {
        const int value = hex_value(ascii_lower(hex[i]));
        if (value < 0) return std::nullopt;
        digest[i / 2] = uint8_t(digest[i / 2] << 4 | value);
    }
    return digest;
}

void fill_random(uint8_t *bytes, size_t size) {
    while (size > 0) {
        ssize_t n = getrandom(bytes, size, 0);
        if (n < 0 && errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "getrandom");
        if (n < 0) continue;
        bytes += n;
        size -= size_t(n);
    }
}

uint64_t random_number() {
    std::array<uint8_t, 8> bytes;
    fill_random(bytes.data(), bytes.size());
    uint64_t number = 0;
    for (const uint8_t byte : bytes) number = number << 8 | byte;
    return number;
}

}  // namespace scim::service
