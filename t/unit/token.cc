// Tests the form of tokens: a prefix, 256 random bits in base 62, and a checksum that detects every
// mistyped character. The store keeps their SHA-256.

#include "service/token.h"

#include <set>

#include "tap.h"

using namespace scim;
using namespace scim::service;

namespace {

std::array<uint8_t, 32> filled(uint8_t byte) {
    std::array<uint8_t, 32> bytes;
    bytes.fill(byte);
    return bytes;
}

std::string hex(const store::Digest &digest) {
    std::string out;
    for (uint8_t byte : digest) {
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 15];
    }
    return out;
}

void test_format() {
    // Computed with Python: int.from_bytes, divmod by 62, zlib.crc32.
    is(format_token(filled(0)), "scim_" + std::string(43, '0') + "30Xdgi",
       "a token of 32 bytes 0x00 is formatted");
    is(format_token(filled(0xff)), "scim_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp10Htzbw",
       "a token of 32 bytes 0xff is formatted");
    auto one = filled(0);
    one[31] = 1;
    is(format_token(one).substr(5, 43), std::string(42, '0') + "1",
       "the last byte of a token is the least significant");
}

void test_form() {
    auto random = filled(0);
    for (size_t i = 0; i < random.size(); i++) random[i] = uint8_t(i * 37 + 11);
    const std::string token = format_token(random);
    is(token.size(), 54u, "a token has 54 characters");
    ok(token_form(token) == TokenForm::plausible, "a formatted token is plausible");
    size_t missed = 0;
    for (size_t i = 5; i < token.size(); i++)
        for (char c : std::string_view(
                 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz -_")) {
            std::string typo = token;
            typo[i] = c;
            missed += c != token[i] && token_form(typo) != TokenForm::damaged;
        }
    is(missed, 0u, "a token with any other character at any place is damaged");
    missed = 0;
    for (size_t i = 5; i + 1 < token.size(); i++) {
        std::string swapped = token;
        std::swap(swapped[i], swapped[i + 1]);
        missed += swapped != token && token_form(swapped) != TokenForm::damaged;
    }
    is(missed, 0u, "a token with two neighbouring characters exchanged is damaged");
    for (size_t size = 5; size < token.size(); size++)
        missed += token_form(token.substr(0, size)) != TokenForm::damaged;
    is(missed, 0u, "each proper prefix of a token is damaged");
    ok(token_form(token + "0") == TokenForm::damaged,
       "a token with a further character is damaged");
    for (const char *other : {"", "s", "scim", "SCIM_x", "ghp_abc", " scim_"})
        ok(token_form(other) == TokenForm::foreign, "\"" + std::string(other) + "\" is foreign");
}

void test_digest() {
    is(hex(digest_of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
       "digest_of() is SHA-256");
    auto digest = digest_of("abc");
    ok(parse_digest(hex(digest)) == digest, "parse_digest() reads a digest in hexadecimal");
    ok(parse_digest("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD") == digest,
       "parse_digest() reads a digest in upper case");
    ok(!parse_digest(""), "parse_digest() refuses an empty text");
    ok(!parse_digest(hex(digest).substr(1)), "parse_digest() refuses 63 digits");
    ok(!parse_digest(hex(digest) + "0"), "parse_digest() refuses 65 digits");
    ok(!parse_digest(std::string(63, '0') + "g"), "parse_digest() refuses the digit g");
    ok(!parse_digest(std::string(63, '0') + "\xc3"), "parse_digest() refuses a non-ASCII byte");
}

void test_random() {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; i++) {
        std::array<uint8_t, 32> random{};
        fill_random(random.data(), random.size());
        seen.insert(format_token(random));
    }
    is(seen.size(), 1000u, "a thousand random tokens are all different");
    uint8_t guarded[4] = {7, 0, 0, 7};
    fill_random(guarded + 1, 2);
    ok(guarded[0] == 7 && guarded[3] == 7, "fill_random() writes only the bytes that it is given");
}

}  // namespace

int main() {
    test_format();
    test_form();
    test_digest();
    test_random();
    return tap::done();
}
