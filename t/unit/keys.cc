// Tests that keys sort as the values in them, that value and id are read back from a key, and that
// keys stay within LMDB's bound.

#include "store/keys.h"

#include <random>

#include "scim/text/json.h"
#include "tap.h"

using namespace scim;
using namespace scim::store;

namespace {

Attr attr_of(AttrType type, Matching matching = Matching::folded) {
    static std::deque<Attribute> definitions;
    definitions.emplace_back();
    definitions.back().type = type;
    Attr attr;
    attr.def = &definitions.back();
    attr.matching = matching;
    return attr;
}

std::string json_of(double value) {
    std::string out;
    write_decimal(out, value);
    return out;
}

void test_numbers() {
    Attr integer = attr_of(AttrType::integer), decimal = attr_of(AttrType::decimal);
    std::mt19937_64 random(1);
    note("seed 1");
    bool ordered = true;
    for (int i = 0; i < 20000; i++) {
        int64_t a = int64_t(random()) >> random() % 60, b = int64_t(random()) >> random() % 60;
        ordered &= (a < b) == (*index_value(integer, std::to_string(a)) <
                               *index_value(integer, std::to_string(b)));
        double x = double(a) / 1000, y = double(b) / 1000;
        ordered &=
            (x < y) == (*index_value(decimal, json_of(x)) < *index_value(decimal, json_of(y)));
    }
    ok(ordered, "integers and decimals sort as numbers");
    is(*index_value(decimal, "-0.0"), *index_value(decimal, "0.0"),
       "-0.0 and 0.0 have the same index value");
    ok(!index_value(integer, "x"), "a text that is not a number has no index value");
}

void test_texts() {
    Attr folded = attr_of(AttrType::string), exact = attr_of(AttrType::string, Matching::exact);
    is(*index_value(folded, "\"STRASSE\""),
       *index_value(folded,
                    "\"Stra\xc3\x9f"
                    "e\""),
       "strings with caseExact false that differ by case have the same index value");
    ok(*index_value(exact, "\"A\"") != *index_value(exact, "\"a\""),
       "strings with caseExact true that differ by case have different index values");
    std::string just(399, 'a'), more(400, 'a'), other = more;
    other.back() = 'b';
    is(*index_value(exact, '"' + just + '"'), just, "a string of 399 bytes is its own index value");
    auto digest = index_value(exact, '"' + more + '"');
    is(digest->size(), index_value_max,
       "a string of 400 bytes has a digest of index_value_max bytes");
    ok(is_digest(*digest) && !is_digest(just),
       "is_digest() distinguishes a digest from a string of 399 bytes");
    ok(*digest != *index_value(exact, '"' + other + '"'),
       "strings of 400 bytes with different ends have different digests");
    ok(index_key(1, 1, 1, *digest, Id{}).size() <= 511,
       "the index key of a digest has at most 511 bytes");
}

void test_times() {
    Attr time = attr_of(AttrType::date_time);
    ok(*index_value(time, "\"2020-01-01T00:00:00Z\"") <
           *index_value(time, "\"2020-01-01T00:00:00.5Z\""),
       "times sort with fractions of a second");
    is(*index_value(time, "\"2020-01-01T01:00:00+01:00\""),
       *index_value(time, "\"2020-01-01T00:00:00Z\""),
       "two texts of one instant have the same index value");
    ok(!index_value(time, "\"yesterday\""), "a text that is not a time has no index value");
}

void test_tails() {
    Id id{};
    id[0] = 1;
    std::string key = index_key(1, 2, 3, "value", id);
    auto tail = index_tail(key);
    ok(tail && tail->value == "value" && tail->id == id,
       "index_tail() reads value and id from a key");
    ok(!index_tail(key.substr(0, 20)), "index_tail() refuses a short key");
    key[key.size() - 17] = 'x';
    ok(!index_tail(key), "index_tail() refuses a key without its terminator");
}

}  // namespace

int main() {
    test_numbers();
    test_texts();
    test_times();
    test_tails();
    ok(Bytes(resource_key(1, 1, Id{})) < Bytes(resource_key(1, 2, Id{})) &&
           Bytes(resource_key(1, 2, Id{})) < Bytes(resource_key(2, 1, Id{})),
       "resource keys sort by tenant, then by type");
    return tap::done();
}
