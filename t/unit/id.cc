// Tests that ids are UUIDs of version 7 that sort by time, and that parse_id() accepts exactly the
// form that to_string() writes.
#include "scim/text/id.h"

#include <algorithm>

#include "tap.h"

using namespace scim;

static void the_layout() {
    // The example of RFC 9562 A.6: unix_ts_ms 017F22E279B0, rand_a CC3, rand_b 18C4DC0C0C07398F.
    Id id = make_id(0x017f22e279b0, {0xcc, 0xc3, 0x98, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f});
    is(to_string(id), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
       "make_id() gives the example of RFC 9562 A.6");

    std::array<uint8_t, 10> ones, zeros{};
    ones.fill(0xff);
    is(to_string(make_id(0, ones)), "00000000-0000-7fff-bfff-ffffffffffff",
       "random bits of 1 set all 74 random bits and keep version and variant");
    is(to_string(make_id(0, zeros)), "00000000-0000-7000-8000-000000000000",
       "random bits of 0 keep version and variant");
    is(to_string(make_id((int64_t(1) << 48) - 1, zeros)), "ffffffff-ffff-7000-8000-000000000000",
       "the largest time of 48 bits is written");
}

static void the_order() {
    std::array<uint8_t, 10> ones, zeros{};
    ones.fill(0xff);
    bool in_order = true;
    for (int64_t ms = 1; ms < int64_t(1) << 47; ms = ms * 3 + 1)
        in_order &= make_id(ms, ones) < make_id(ms + 1, zeros);
    ok(in_order, "an id of a later millisecond is greater, whatever the random bits");
    ok(to_string(make_id(255, ones)) < to_string(make_id(256, zeros)),
       "the text of an id of a later millisecond is greater");
}

static void ticks() {
    is(to_string(make_id_of_tick(0x017f22e279b0 * ticks_a_millisecond + 0xcc3, 0x0f3907)),
       "017f22e2-79b0-7cc3-8739-0f0000000000", "make_id_of_tick() writes the tick in rand_a");
}

static void reading() {
    const std::string text = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    auto id = parse_id(text);
    ok(id && to_string(*id) == text, "parse_id() reads what to_string() writes");
    std::string appended = "x";
    append_id(appended, *id);
    is(appended, "x" + text, "append_id() appends to the text");

    is(text.size(), id_text_size, "the text of an id has id_text_size characters");
    ok(!parse_id(""), "an empty text is not an id");
    ok(!parse_id("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), "an id in upper case is refused");
    ok(!parse_id("{" + text + "}"), "an id in braces is refused");
    ok(!parse_id("017f22e279b07cc398c4dc0c0c07398f"), "an id without hyphens is refused");
    ok(!parse_id(text + "0"), "a text of 37 characters is not an id");
    ok(!parse_id("../../../../../../etc/passwd/../..//"), "a path of 36 characters is not an id");

    bool refused = true;
    for (size_t i = 0; i < text.size(); i++) {
        for (char c : {'g', '/', ':', '`', '@', ' ', '\0', '\xff', text[i] == '-' ? '0' : '-'}) {
            std::string broken = text;
            broken[i] = c;
            refused &= !parse_id(broken);
        }
        refused &= !parse_id(text.substr(0, i));
    }
    ok(refused,
       "an id with a wrong character at any place and each proper prefix of it are refused");
}

int main() {
    the_layout();
    the_order();
    ticks();
    reading();
    return tap::done();
}
