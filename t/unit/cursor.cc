// Tests that a cursor is opened only by its owner, unchanged, in time, and for the query that it was
// made for.

#include "service/cursor.h"

#include <random>

#include "scim/text/text.h"
#include "tap.h"

using namespace scim;
using namespace scim::service;

namespace {

constexpr int64_t made = 1700000000000, day = 24 * 60 * 60;  // milliseconds; seconds
const std::string key_a(64, 'a'), key_b(64, 'b');
const CursorOwner owner{7, key_a};

std::mt19937_64 engine(1);

CursorSalt random_salt() {
    CursorSalt salt{};
    for (uint8_t &byte : salt) byte = uint8_t(engine());
    return salt;
}

PageCursor random_cursor() {
    PageCursor cursor;
    cursor.made = made;
    cursor.unicode = unicode_version();
    cursor.query = {TypeNumber(engine()), engine(), engine(), engine() >> engine() % 64};
    cursor.after.has_value = engine() % 2 == 0;
    cursor.after.type = TypeNumber(engine());
    for (uint8_t &byte : cursor.after.id) byte = uint8_t(engine());
    cursor.after.key.resize(engine() % 337);
    for (char &c : cursor.after.key) c = char(engine());
    return cursor;
}

bool is_same(const PageCursor &a, const PageCursor &b) {
    return encode_cursor(a) == encode_cursor(b) && a.after.key == b.after.key &&
           a.after.id == b.after.id && a.unicode == b.unicode && a.made == b.made;
}

std::string why(const CursorOwner &who, std::string_view text) {
    auto cursor = open_cursor(who, text);
    return cursor ? "opened"
                  : std::string(to_string(cursor.error().type())) + ": " + cursor.error().detail;
}

std::string why(const PageCursor &cursor, const WalkQuery &query, int64_t now = made) {
    auto checked = check_cursor(cursor, query, now, day);
    return checked ? "valid"
                   : std::string(to_string(checked.error().type())) + ": " + checked.error().detail;
}

void test_sealing() {
    bool is_read = true, is_safe = true;
    for (int i = 0; i < 1000; i++) {
        const PageCursor cursor = random_cursor();
        const std::string text = seal_cursor(owner, cursor, random_salt());
        auto opened = open_cursor(owner, text);
        is_read &= opened && is_same(*opened, cursor);
        for (char c : text) is_safe &= is_letter(c) || is_digit(c) || c == '-' || c == '_';
    }
    ok(is_read, "a cursor is opened by its owner");
    ok(is_safe, "[S-173] a cursor consists of unreserved characters");
    PageCursor longest = random_cursor();
    longest.after.key.assign(336, 'x');
    ok(seal_cursor(owner, longest, random_salt()).size() < 700,
       "a cursor with the longest key has less than 700 characters");
    ok(seal_cursor(owner, longest, random_salt()) != seal_cursor(owner, longest, random_salt()),
       "two cursors of one position differ");
    const std::string text = seal_cursor(owner, longest, random_salt());
    ok(text.find("eHh4eHh4eHh4") == text.npos, "a cursor does not show the sort key");
}

void test_forgery() {
    const PageCursor cursor = random_cursor();
    const std::string text = seal_cursor(owner, cursor, random_salt());
    const std::string refusal = why(owner, "x");
    ok(refusal.find("invalidCursor: the cursor is invalid") == 0,
       "a text that is no cursor is refused with invalidCursor");
    size_t opened = 0;
    for (size_t i = 0; i < text.size(); i++)
        for (char c : {'A', 'B', '-', '=', '\0'}) {
            std::string other = text;
            other[i] = c;
            opened += other != text && why(owner, other) != refusal;
        }
    is(opened, 0u,
       "[S-182] a cursor with one other character is refused, always with the same detail");
    for (size_t i = 0; i < text.size(); i++) opened += why(owner, text.substr(0, i)) != refusal;
    is(opened, 0u, "a cursor that is cut is refused");
    for (const std::string &more : {text + "A", text + text, "A" + text, std::string(5000, 'A')})
        is(why(owner, more), refusal,
           "a cursor of " + std::to_string(more.size()) +
               " characters that is too long is refused");
    is(why({8, key_a}, text), refusal, "[S-182] a cursor of another tenant is refused");
    is(why({7, key_b}, text), refusal, "a cursor sealed with another key is refused");
    std::string bytes = encode_cursor(cursor);
    ok(decode_cursor(bytes) && !decode_cursor(bytes.substr(0, 30)),
       "a payload that is cut is not decoded");
}

void test_query() {
    PageCursor cursor = random_cursor();
    cursor.query = {1, 2, 3, 100};
    cursor.after.has_value = true;
    is(why(cursor, {1, 2, 3, 100}), "valid", "a cursor is valid for its query");
    const std::string other = "invalidCursor: the cursor was made for another query: its ",
                      same = "; send all parameters of the first page with each cursor";
    is(why(cursor, {2, 2, 3, 100}), other + "endpoint differs" + same,
       "a cursor of another endpoint is refused");
    is(why(cursor, {1, 1, 3, 100}), other + "filter differs" + same,
       "[S-176] a cursor with another filter is refused");
    is(why(cursor, {1, 2, 1, 100}), other + "sortBy or sortOrder differs" + same,
       "a cursor with another order is refused");
    is(why(cursor, {1, 2, 3, 50}),
       "invalidCount: \"count\" is 50, but the cursor was made with 100; all pages have the count "
       "of the first, 100 if it is absent",
       "[S-176] another count is refused with invalidCount");
    is(why(cursor, cursor.query, made + day * 1000 - 1), "valid",
       "a cursor is valid until its timeout");
    is(why(cursor, cursor.query, made + day * 1000),
       "expiredCursor: the cursor expired at 2023-11-15T22:13:20.000Z, scim_cursor_timeout (86400 "
       "seconds) after it was made; send an empty cursor to start again",
       "[S-178] a cursor is refused with expiredCursor after its timeout");
    is(why(cursor, cursor.query, made - 5000), "valid",
       "a cursor from a clock that is ahead is valid");
    cursor.unicode = "1.0.0";
    ok(why(cursor, cursor.query)
               .find("invalidCursor: the cursor was made with Unicode \"1.0.0\"") == 0,
       "a sort key of another version of Unicode is refused");
    const auto outdated = check_cursor(cursor, cursor.query, made, day);
    ok(!outdated && outdated.error().refusal == Refusal::cursor_outdated,
       "the refusal is cursor-outdated");
    cursor.after.has_value = false;
    is(why(cursor, cursor.query), "valid",
       "a cursor without a sort key does not depend on Unicode");
}

}  // namespace

int main() {
    test_sealing();
    test_forgery();
    test_query();
    return tap::done();
}
