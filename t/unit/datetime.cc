// Tests that parse_datetime() accepts exactly the xsd:dateTime values, and that it reads what
// time_text() writes.
#include "scim/text/datetime.h"

#include <random>

#include "tap.h"

using namespace scim;

static void reads(std::string_view text, int64_t micros, std::string_view verb) {
    auto got = parse_datetime(text);
    is(got ? std::to_string(*got) : "nothing", std::to_string(micros),
       std::string(text.substr(0, 40)) + ' ' + std::string(verb));
}

static void values() {
    note("[S-6] times");
    reads("1970-01-01T00:00:00Z", 0, "is the epoch");
    reads("2008-01-23T04:56:22Z", 1201064182000000, "is RFC 7643's example");
    reads("2008-01-23T04:56:22", 1201064182000000, "is read as UTC without an offset");
    reads("2008-01-23T04:56:22-08:00", 1201092982000000, "has a western offset");
    reads("2008-01-23T04:56:22+05:30", 1201044382000000, "has an eastern offset with minutes");
    reads("2008-01-23T04:56:22+00:00", 1201064182000000, "has the offset +00:00");
    reads("2008-01-23T04:56:22-00:00", 1201064182000000, "has the offset -00:00");
    reads("1970-01-01T14:00:00+14:00", 0, "has the largest offset");
    reads("1969-12-31T10:00:00-14:00", 0, "has the smallest offset");
    reads("2000-02-29T00:00:00Z", 951782400000000, "is the leap day of a year divisible by 400");
    reads("2024-02-29T23:59:59Z", 1709251199000000, "is a leap day");
    reads("2026-11-21T10:00:00.123Z", 1795255200123000, "has milliseconds");
    reads("0001-01-01T00:00:00Z", -62135596800000000, "is the first moment of year 1");
    reads("9999-12-31T23:59:59.999999Z", 253402300799999999, "is the last microsecond of 9999");
    reads("1969-12-31T23:59:59Z", -1000000, "is before the epoch");
}

static void fractions() {
    reads("1970-01-01T00:00:00.5Z", 500000, "has a fraction of one digit");
    reads("1970-01-01T00:00:00.000001Z", 1, "has a fraction of six digits");
    reads("1970-01-01T00:00:00.123456789Z", 123456,
          "has a fraction of nine digits, of which three are cut off");
    reads("1970-01-01T00:00:00.1234567-01:00", 3600123456,
          "has a fraction of seven digits and an offset");
    reads("1969-12-31T23:59:59.999999999Z", -1, "is cut off towards the past before the epoch");
    ok(!parse_datetime("1970-01-01T00:00:00.Z"), "a decimal point without digits is refused");
    reads("1970-01-01T00:00:00.1234567891Z", 123456, "has a fraction of ten digits");
    reads("1970-01-01T00:00:00." + std::string(65000, '9') + "Z", 999999,
          "has a fraction of 65,000 digits");
    ok(!parse_datetime("1970-01-01T00:00:00,5Z"), "a comma before the fraction is refused");
}

static void ends_of_days() {
    reads("1970-01-01T24:00:00Z", 86400000000, "is the first moment of the next day");
    reads("1999-12-31T24:00:00.000Z", 946684800000000, "is the first moment of the next year");
    reads("1970-01-01T24:00:00+14:00", 36000000000, "ends a day in the east");
}

static void years() {
    reads("12008-01-23T04:56:22Z", 316770584182000000, "has a year of five digits");
    reads("-0001-12-31T24:00:00Z", -62135596800000000, "ends the year before 0001");
    reads("-0001-02-29T00:00:00Z", -62162121600000000, "is a leap day: -0001 is a leap year");
    reads("-0044-03-15T00:00:00Z", -63517824000000000, "is before 0001");
    reads("290000-12-31T24:00:00Z", 9089380483200000000, "is the last moment accepted");
    reads("-290000-01-01T00:00:00+14:00", -9213651727200000000, "is the first moment accepted");
}

static void order() {
    const char *texts[] = {"-290000-01-01T00:00:00Z", "-10000-06-01T00:00:00Z",
                           "-9999-06-01T00:00:00Z",   "-0401-02-29T00:00:00Z",
                           "-0005-02-28T24:00:00Z",   "-0005-03-01T00:00:00.1Z",
                           "-0001-01-01T00:00:00Z",   "-0001-12-31T23:59:59.9999999999Z",
                           "0001-01-01T00:00:00Z",    "1969-12-31T23:59:59.9Z",
                           "1969-12-31T24:00:00Z",    "9999-12-31T24:00:00Z",
                           "10000-01-01T00:00:01Z",   "290000-12-31T23:59:59Z"};
    bool ordered = true;
    std::optional<int64_t> before;
    for (std::string_view text : texts) {
        const auto time = parse_datetime(text);
        ordered &= time && (!before || *before < *time);
        before = time;
    }
    ok(ordered, "times on both sides of the years 0001 and 9999 are read in order");
}

static void refusals() {
    const char *bad[] = {"",
                         "2008-01-23",
                         "2008-01-23T",
                         "04:56:22Z",
                         "2008-01-23T04:56Z",
                         "2008-01-23T04:56:2Z",
                         "2008-01-23 04:56:22Z",
                         "2008-01-23t04:56:22Z",
                         "2008-01-23T04:56:22z",
                         "2008-01-23T24:00:01Z",
                         "2008-01-23T24:01:00Z",
                         "2008-01-23T24:00:00.000000000001Z",
                         "2008-01-23T25:00:00Z",
                         "2008-01-23T23:60:00Z",
                         "2008-01-23T23:59:60Z",
                         "2008-13-01T00:00:00Z",
                         "2008-00-01T00:00:00Z",
                         "2008-01-00T00:00:00Z",
                         "2008-01-32T00:00:00Z",
                         "2008-02-30T00:00:00Z",
                         "2007-02-29T00:00:00Z",
                         "1900-02-29T00:00:00Z",
                         "2008-04-31T00:00:00Z",
                         "0000-01-01T00:00:00Z",
                         "-0000-01-01T00:00:00Z",
                         "02008-01-23T04:56:22Z",
                         "-02008-01-23T04:56:22Z",
                         "+2008-01-23T04:56:22Z",
                         "--2008-01-23T04:56:22Z",
                         "-208-01-23T04:56:22Z",
                         "290001-01-01T00:00:00Z",
                         "-290001-12-31T00:00:00Z",
                         "9999999-01-01T00:00:00Z",
                         "18446744073709551616-01-01T00:00:00Z",
                         "-0002-02-29T00:00:00Z",
                         "208-01-23T04:56:22Z",
                         "2008-1-23T04:56:22Z",
                         "20080123T045622Z",
                         " 2008-01-23T04:56:22Z",
                         "2008-01-23T04:56:22Z ",
                         "2008-01-23T04:56:22ZZ",
                         "2008-01-23T04:56:22+14:01",
                         "2008-01-23T04:56:22+15:00",
                         "2008-01-23T04:56:22+05:60",
                         "2008-01-23T04:56:22+0530",
                         "2008-01-23T04:56:22+05",
                         "2008-01-23T04:56:22+",
                         "2008-01-23T04:56:22 05:30",
                         "2008-01-23T+4:56:22Z",
                         "200\xc3\xa4-01-23T04:56:22Z",
                         "1201064182"};
    for (std::string_view text : bad)
        ok(!parse_datetime(text), "'" + std::string(text) + "' is refused");
    std::string nul = "2008-01-23T04:56:22Z";
    ok(!parse_datetime(nul + '\0'), "a time with U+0000 at the end is refused");
    bool refused = true;
    for (size_t i = 0; i < 19; i++) refused &= !parse_datetime(nul.substr(0, i));
    ok(refused, "each proper prefix of a time is refused");
}

static void writing() {
    is(time_text(0), "1970-01-01T00:00:00.000Z", "time 0 is written as the epoch");
    is(time_text(1795255200123), "2026-11-21T10:00:00.123Z",
       "a time of 2026 is written with its milliseconds");
    is(time_text(-1), "1969-12-31T23:59:59.999Z",
       "time -1 is written as the millisecond before the epoch");
    is(time_text(951782400000), "2000-02-29T00:00:00.000Z", "a leap day is written");
    is(time_text(253402300799999), "9999-12-31T23:59:59.999Z",
       "the last millisecond of 9999 is written");
    is(time_text(INT64_MAX), "9999-12-31T23:59:59.999Z",
       "a later time is written as the last millisecond of 9999");
    is(time_text(INT64_MIN), "0001-01-01T00:00:00.000Z",
       "an earlier time is written as the first millisecond of 0001");
    std::string out = "x";
    append_datetime(out, 0);
    is(out, "x1970-01-01T00:00:00.000Z", "append_datetime() appends to the text");
}

static void round_trips() {
    bool days = true;
    std::string before;
    for (int64_t day = -719162; day <= 2932896; day++) {
        std::string text = time_text(day * 86400000);
        days &= parse_datetime(text) == day * 86400000000 && before < text;
        before = text;
    }
    ok(days, "every day of the years 1 to 9999 is written in order and read back");

    constexpr uint64_t seed = 20261121;
    diag("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    bool good = true;
    for (int i = 0; i < 100000; i++) {
        int64_t ms = int64_t(random() % 315537897600000) - 62135596800000;
        good &= parse_datetime(time_text(ms)) == ms * 1000;
    }
    ok(good, "100000 random times are read back");
}

int main() {
    values();
    fractions();
    ends_of_days();
    years();
    order();
    refusals();
    writing();
    round_trips();
    return tap::done();
}
