// The accepted form (XML Schema Part 2, 3.2.7):
//
// clang-format off
//     dateTime = year "-" 2DIGIT "-" 2DIGIT "T" time [ zone ]
//     year     = [ "-" ] 4*6DIGIT              ; no leading zero if there are more than four digits
//     time     = 2DIGIT ":" 2DIGIT ":" 2DIGIT [ "." 1*DIGIT ]      ; up to 24:00:00
//     zone     = "Z" / ( "+" / "-" ) 2DIGIT ":" 2DIGIT             ; up to 14:00
// clang-format on
//
// There is no year 0000: -0001 comes before 0001. 24:00:00 is 00:00:00 of the next day.

#include "scim/text/datetime.h"

#include <algorithm>

namespace scim {
namespace {

constexpr int64_t seconds_a_day = 86400;
constexpr int days_in_400_years = 146097;

bool is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int days_in(int year, int month) {
    constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

// Days from 0001-01-01 to the first of January of `year` in the Gregorian calendar; negative for
// earlier years. Year 0 is the one before 0001.
int64_t days_before_year(int year) {
    // Counted from a multiple of 400 years before the first accepted year: y is positive, so the
    // divisions round down.
    constexpr int64_t eras = -datetime_first_year / 400 + 1;
    const int64_t y = year - 1 + eras * 400;
    return y * 365 + y / 4 - y / 100 + y / 400 - eras * days_in_400_years;
}

int days_before_month(int year, int month) {
    int days = 0;
    for (int m = 1; m < month; m++) days += days_in(year, m);
    return days;
}

// Reads a text from left to right. After the first mismatch good() stays false.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    bool good() const { return good_; }
    bool at_end() const { return rest_.empty(); }

    bool accept(char c) {
        if (rest_.empty() || rest_[0] != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    void expect(char c) { good_ &= accept(c); }

    bool next_is(char c) const { return !rest_.empty() && rest_[0] == c; }
    void require(bool holds) { good_ &= holds; }
    bool at_digit() const { return !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; }
    int digit() {
        if (!at_digit()) {
            good_ = false;
            return 0;
        }
        int value = rest_[0] - '0';
        rest_.remove_prefix(1);
        return value;
    }

    // A number of exactly `digits` digits from `low` to `high`; `low` if there is none.
    int number(int digits, int low, int high) {
        int value = 0;
        for (int i = 0; i < digits; i++) value = value * 10 + digit();
        if (value >= low && value <= high) return value;
        good_ = false;
        return low;
    }

  private:
    std::string_view rest_;
    bool good_ = true;
};

// The fraction after the point in microseconds; further digits are cut off. `whole` is set to true
// if all digits, those cut off included, are zeros.
int fraction(Scanner &in, bool &whole) {
    int micros = in.digit();
    int digits = 1;
    whole = micros == 0;
    for (; in.at_digit(); digits++) {
        const int d = in.digit();
        whole &= d == 0;
        if (digits < 6) micros = micros * 10 + d;
    }
    for (; digits < 6; digits++) micros *= 10;
    return micros;
}

// In astronomical numbering: -0001 is 0.
int year_of(Scanner &in) {
    const bool negative = in.accept('-');
    const bool long_form = !in.next_is('0');
    int year = 0, digits = 0;
    for (; in.at_digit() && digits < 6; digits++) year = year * 10 + in.digit();
    in.require(digits >= 4 && (digits == 4 || long_form) && year != 0);
    in.require(year <= (negative ? -datetime_first_year : datetime_last_year));
    return negative ? 1 - year : year;
}

// Seconds since midnight, at most 86400.
int seconds_of(Scanner &in, int &micros) {
    const int hours = in.number(2, 0, 24);
    in.expect(':');
    const int minutes = in.number(2, 0, 59);
    in.expect(':');
    const int seconds = in.number(2, 0, 59);
    bool whole = true;
    micros = in.accept('.') ? fraction(in, whole) : 0;
    in.require(hours < 24 || (minutes == 0 && seconds == 0 && whole));
    return hours * 3600 + minutes * 60 + seconds;
}

int offset_seconds(Scanner &in) {
    if (in.at_end() || in.accept('Z')) return 0;
    int sign = 1;
    if (in.accept('-')) {
        sign = -1;
    } else {
        in.expect('+');
    }
    int hours = in.number(2, 0, 14);
    in.expect(':');
    int minutes = in.number(2, 0, hours == 14 ? 0 : 59);
    return sign * (hours * 3600 + minutes * 60);
}

struct Date {
    int year, month, day;
};

// The date `days` after 0001-01-01. Years are counted from March, so that the leap day is the last
// day of a year and the lengths of the months repeat every five months (153 days).
Date date_of(int64_t days) {
    constexpr int days_from_march = 306;  // 0000-03-01 to 0001-01-01
    const int64_t since = days + days_from_march;
    const int era = int(since / days_in_400_years), day_of_era = int(since % days_in_400_years);
    const int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int day_of_year = day_of_era - (year_of_era * 365 + year_of_era / 4 - year_of_era / 100);
    const int month = (day_of_year * 5 + 2) / 153;  // 0: March
    const bool is_next_year = month >= 10;
    return {era * 400 + year_of_era + is_next_year, is_next_year ? month - 9 : month + 3,
            day_of_year - (month * 153 + 2) / 5 + 1};
}

// Writes `value` in `digits` digits, then `end`; returns the position behind them.
char *put_number(char *out, int value, int digits, char end) {
    for (int i = digits; i-- > 0; value /= 10) out[i] = char('0' + value % 10);
    out[digits] = end;
    return out + digits + 1;
}

}  // namespace

std::optional<int64_t> parse_datetime(std::string_view text) {
    Scanner in(text);
    const int year = year_of(in);
    in.expect('-');
    const int month = in.number(2, 1, 12);
    in.expect('-');
    const int day = in.number(2, 1, 31);
    in.expect('T');
    int micros = 0;
    int seconds = seconds_of(in, micros);
    seconds -= offset_seconds(in);
    if (!in.good() || !in.at_end() || day > days_in(year, month)) return std::nullopt;
    int64_t days = days_before_year(year) + days_before_month(year, month) + day - 1;
    days -= days_before_year(1970);
    return (days * seconds_a_day + seconds) * 1000000 + micros;
}

void append_datetime(std::string &out, int64_t milliseconds) {
    // 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: the year is written in four digits.
    constexpr int64_t first = -62135596800000, last = 253402300799999;
    milliseconds = std::clamp(milliseconds, first, last) - first;  // since 0001-01-01
    int64_t days = milliseconds / 1000 / seconds_a_day;
    int seconds = int(milliseconds / 1000 % seconds_a_day);

    const Date date = date_of(days);
    char text[sizeof "0001-01-01T00:00:00.000Z" - 1];
    char *end = put_number(text, date.year, 4, '-');
    end = put_number(end, date.month, 2, '-');
    end = put_number(end, date.day, 2, 'T');
    end = put_number(end, seconds / 3600, 2, ':');
    end = put_number(end, seconds / 60 % 60, 2, ':');
    end = put_number(end, seconds % 60, 2, '.');
    put_number(end, int(milliseconds % 1000), 3, 'Z');
    out.append(text, sizeof text);
}

std::string time_text(int64_t milliseconds) {
    std::string out;
    append_datetime(out, milliseconds);
    return out;
}

}  // namespace scim
