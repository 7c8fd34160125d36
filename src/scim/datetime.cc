// What is read, from xsd:dateTime:
//
//     dateTime = year "-" 2DIGIT "-" 2DIGIT "T" 2DIGIT ":" 2DIGIT ":" 2DIGIT [ "." 1*9DIGIT ] [
//     zone ] year     = 4DIGIT                                ; 0001 to 9999 zone     = "Z" / ( "+"
//     / "-" ) 2DIGIT ":" 2DIGIT ; up to 14:00

#include "scim/datetime.h"

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

// Days of the years 1 to `year` - 1 in the Gregorian calendar without a gap.
int64_t days_before_year(int year) {
    int64_t y = year - 1;
    return y * 365 + y / 4 - y / 100 + y / 400;
}

int days_before_month(int year, int month) {
    int days = 0;
    for (int m = 1; m < month; m++) days += days_in(year, m);
    return days;
}

// Reads a text from left to right; once something was not as expected it stays bad.
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

    // A number of exactly `digits` digits from `low` to `high`.
    int number(int digits, int low, int high) {
        int value = 0;
        for (int i = 0; i < digits; i++) value = value * 10 + digit();
        good_ &= value >= low && value <= high;
        return value;
    }

  private:
    std::string_view rest_;
    bool good_ = true;
};

// Microseconds of the fraction after the point; what is finer is cut off.
int fraction(Scanner &in) {
    int micros = in.digit();
    int digits = 1;
    for (; in.at_digit() && digits < 9; digits++) {
        int d = in.digit();
        if (digits < 6) micros = micros * 10 + d;
    }
    for (; digits < 6; digits++) micros *= 10;
    return micros;
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

// The date `days` after 0001-01-01. Counted in years that begin with March: then the leap day is the
// last, and the lengths of the months before it repeat every five, 153 days.
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

// `value` in `digits` digits, then `end`; returns what is behind them.
char *put_number(char *out, int value, int digits, char end) {
    for (int i = digits; i-- > 0; value /= 10) out[i] = char('0' + value % 10);
    out[digits] = end;
    return out + digits + 1;
}

}  // namespace

std::optional<int64_t> parse_datetime(std::string_view text) {
    Scanner in(text);
    int year = in.number(4, 1, 9999);
    in.expect('-');
    int month = in.number(2, 1, 12);
    in.expect('-');
    int day = in.number(2, 1, 31);
    in.expect('T');
    int seconds = in.number(2, 0, 23) * 3600;
    in.expect(':');
    seconds += in.number(2, 0, 59) * 60;
    in.expect(':');
    seconds += in.number(2, 0, 59);
    int micros = in.accept('.') ? fraction(in) : 0;
    seconds -= offset_seconds(in);
    if (!in.good() || !in.at_end() || day > days_in(year, month)) return std::nullopt;
    int64_t days = days_before_year(year) + days_before_month(year, month) + day - 1;
    days -= days_before_year(1970);
    return (days * seconds_a_day + seconds) * 1000000 + micros;
}

void append_datetime(std::string &out, int64_t milliseconds) {
    // Four digits of year are all that dateTime and we have; a clock beyond them is broken.
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
