// Tests base64url.

#include "scim/text/base64.h"

#include <random>

#include "tap.h"

using namespace scim;

int main() {
    std::mt19937 random(1);
    bool is_same = true, is_safe = true;
    for (size_t size = 0; size < 200; size++) {
        std::string bytes(size, '\0'), text;
        for (char &c : bytes) c = char(random());
        append_base64url(text, bytes);
        is_same &= parse_base64url(text) == bytes;
        is_safe &= text.find_first_not_of(
                       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                       "0123456789-_") == text.npos;
    }
    ok(is_same, "the bytes that were written are read");
    ok(is_safe, "base64url needs no escaping in a URL");
    struct {
        const char *text, *bytes;
    } const known[] = {{"", ""}, {"Zg", "f"}, {"Zm8", "fo"}, {"Zm9v", "foo"}, {"-_8", "\xfb\xff"}};
    for (const auto &k : known) {
        std::string text;
        append_base64url(text, k.bytes);
        is(text, k.text, std::string("base64url is '") + k.text + "'");
    }
    for (const char *text : {"Z", "Zg==", "Zh", "Zm9", "Zm9vY", "Zm+v", "Zm/v", "Zm v", "Zm9v\n"})
        ok(!parse_base64url(text), std::string("'") + text + "' is not base64url");
    return tap::done();
}
