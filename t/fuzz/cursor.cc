// Opens any text as a cursor, which must be refused; decodes any bytes as what is sealed; seals what
// was decoded, opens it, and opens it again with one bit changed.
//
//     input := bit:u16 payload

#include "service/cursor.h"

#include <cstdlib>

#include "scim/text/base64.h"

namespace {

using namespace scim;
using namespace scim::service;

void require(bool holds) {
    if (!holds) std::abort();
}

bool is_refused(const CursorOwner &owner, std::string_view text) {
    auto opened = open_cursor(owner, text);
    return !opened && opened.error().status() == 400 &&
           opened.error().type() == ScimType::invalid_cursor;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const CursorOwner owner{7, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
    const std::string_view input(reinterpret_cast<const char *>(data), size);
    require(is_refused(owner, input));
    if (auto bytes = parse_base64url(input)) {
        std::string text;
        append_base64url(text, *bytes);
        require(text == input);
    }
    if (size < 2) return 0;
    const auto cursor = decode_cursor(input.substr(2));
    if (!cursor || size > 600) return 0;
    const std::string payload = encode_cursor(*cursor);
    const std::string text = seal_cursor(owner, *cursor, {data[0], data[1]});
    auto opened = open_cursor(owner, text);
    require(opened && encode_cursor(*opened) == payload);
    require(is_refused({8, owner.key}, text) && is_refused({7, "x"}, text));
    std::string sealed = *parse_base64url(text), changed;
    const size_t bit = (data[0] + size_t(data[1]) * 256) % (sealed.size() * 8);
    sealed[bit / 8] = char(sealed[bit / 8] ^ 1 << bit % 8);
    append_base64url(changed, sealed);
    require(is_refused(owner, changed));
    (void)check_cursor(*cursor, cursor->query, cursor->made, 60);
    return 0;
}
