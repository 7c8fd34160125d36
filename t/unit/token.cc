// Tokens are 256 random bits in base 62 behind a prefix, with a checksum that finds every mistyped
// character; what is stored of them is their SHA-256.

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
    is(format_token(filled(0)), "scim_" + std::string(43, '0') + "30Xdgi", "zero");
    is(format_token(filled(0xff)), "scim_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp10Htzbw",
       "the largest number");
    auto one = filled(0);
    one[31] = 1;
    is(format_token(one).substr(5, 43), std::string(42, '0') + "1",
       "the last byte is the least significant");
}

void test_form() {
    auto random = filled(0);
    for (size_t i = 0; i < random.size(); i++) random[i] = uint8_t(i * 37 + 11);
    const std::string token = format_token(random);
    is(token.size(), 54u, "its length");
    ok(token_form(token) == TokenForm::plausible, "is plausible");
    size_t missed = 0;
    for (size_t i = 5; i < token.size(); i++)
        for (char c : std::string_view(
                 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz -_")) {
            std::string typo = token;
            typo[i] = c;
            missed += c != token[i] && token_form(typo) != TokenForm::damaged;
        }
    is(missed, 0u, "every other character at every place is found");
    missed = 0;
    for (size_t i = 5; i + 1 < token.size(); i++) {
        std::string swapped = token;
        std::swap(swapped[i], swapped[i + 1]);
        missed += swapped != token && token_form(swapped) != TokenForm::damaged;
    }
    is(missed, 0u, "every exchange of neighbours is found");
    for (size_t size = 5; size < token.size(); size++)
        missed += token_form(token.substr(0, size)) != TokenForm::damaged;
    is(missed, 0u, "every cut is found");
    ok(token_form(token + "0") == TokenForm::damaged, "a character too many is found");
    for (const char *other : {"", "s", "scim", "SCIM_x", "ghp_abc", " scim_"})
        ok(token_form(other) == TokenForm::foreign,
           "not one of ours: \"" + std::string(other) + "\"");
}

void test_digest() {
    is(hex(digest_of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
       "SHA-256");
    auto digest = digest_of("abc");
    ok(parse_digest(hex(digest)) == digest, "read back");
    ok(parse_digest("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD") == digest,
       "in upper case");
    ok(!parse_digest(""), "nothing is no digest");
    ok(!parse_digest(hex(digest).substr(1)), "63 digits are none");
    ok(!parse_digest(hex(digest) + "0"), "65 digits are none");
    ok(!parse_digest(std::string(63, '0') + "g"), "g is no digit");
    ok(!parse_digest(std::string(63, '0') + "\xc3"), "nor is a byte of another character");
}

void test_random() {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; i++) {
        std::array<uint8_t, 32> random{};
        fill_random(random.data(), random.size());
        seen.insert(format_token(random));
    }
    is(seen.size(), 1000u, "a thousand tokens, each another");
    uint8_t guarded[4] = {7, 0, 0, 7};
    fill_random(guarded + 1, 2);
    ok(guarded[0] == 7 && guarded[3] == 7, "fills what it is given and no more");
}

}  // namespace

int main() {
    test_format();
    test_form();
    test_digest();
    test_random();
    return tap::done();
}
