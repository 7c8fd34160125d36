// Tests that a message is new once a minute, and that at most 60 messages a minute are new.

#include "service/once_a_minute.h"

#include <string>

#include "tap.h"

using scim::service::OnceAMinute;

int main() {
    constexpr int64_t start = 1700000000000, minute = 60000;
    {
        OnceAMinute once;
        ok(once.is_new("a", start), "a message is new the first time");
        ok(!once.is_new("a", start + minute - 1), "a message is not new again within a minute");
        ok(once.is_new("b", start + 1), "another message is new within the minute");
        ok(once.is_new("a", start + minute), "a message is new again after a minute");
        ok(once.is_new("a", start - 1), "a message is new if the clock was set back");
    }
    OnceAMinute once;
    int count = 0;
    for (int i = 0; i < 1000; i++) count += once.is_new(std::to_string(i), start + i);
    is(count, 60, "60 of 1000 messages are new within a minute");
    ok(once.is_new("later", start + minute), "a message is new in the minute after 60 others");
    return tap::done();
}
