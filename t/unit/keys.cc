// Keys sort as the values they hold, end where they say, and stay within LMDB's bound.

#include "store/keys.h"

#include <random>

#include "scim/json.h"
#include "tap.h"

using namespace scim;
using namespace scim::store;

namespace {

Attr attr_of(Type type, Matching matching = Matching::folded) {
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
    Attr integer = attr_of(Type::integer), decimal = attr_of(Type::decimal);
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
    is(*index_value(decimal, "-0.0"), *index_value(decimal, "0.0"), "minus zero is zero");
    ok(!index_value(integer, "x"), "what is no number has no value");
}

void test_texts() {
    Attr folded = attr_of(Type::string), exact = attr_of(Type::string, Matching::exact);
    is(*index_value(folded, "\"STRASSE\""),
       *index_value(folded,
                    "\"Stra\xc3\x9f"
                    "e\""),
       "folded");
    ok(*index_value(exact, "\"A\"") != *index_value(exact, "\"a\""), "exact");
    std::string just(399, 'a'), more(400, 'a'), other = more;
    other.back() = 'b';
    is(*index_value(exact, '"' + just + '"'), just, "399 bytes stand as they are");
    auto digest = index_value(exact, '"' + more + '"');
    is(digest->size(), index_value_max, "400 become a digest of 400");
    ok(is_digest(*digest) && !is_digest(just), "and are known as one");
    ok(*digest != *index_value(exact, '"' + other + '"'), "another end, another digest");
    ok(index_key(1, 1, 1, *digest, Id{}).size() <= 511, "LMDB's bound holds");
}

void test_times() {
    Attr time = attr_of(Type::date_time);
    ok(*index_value(time, "\"2020-01-01T00:00:00Z\"") <
           *index_value(time, "\"2020-01-01T00:00:00.5Z\""),
       "times sort");
    is(*index_value(time, "\"2020-01-01T01:00:00+01:00\""),
       *index_value(time, "\"2020-01-01T00:00:00Z\""), "as instants");
    ok(!index_value(time, "\"yesterday\""), "what is no time has no value");
}

void test_tails() {
    Id id{};
    id[0] = 1;
    std::string key = index_key(1, 2, 3, "value", id);
    auto tail = index_tail(key);
    ok(tail && tail->value == "value" && tail->id == id, "a key gives back value and id");
    ok(!index_tail(key.substr(0, 20)), "a short one does not");
    key[key.size() - 17] = 'x';
    ok(!index_tail(key), "nor one without its terminator");
}

}  // namespace

int main() {
    test_numbers();
    test_texts();
    test_times();
    test_tails();
    ok(Bytes(resource_key(1, 1, Id{})) < Bytes(resource_key(1, 2, Id{})) &&
           Bytes(resource_key(1, 2, Id{})) < Bytes(resource_key(2, 1, Id{})),
       "tenant before type before id");
    return tap::done();
}
