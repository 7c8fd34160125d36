#include "scim/filter/filter_literal.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "scim/text/datetime.h"
#include "scim/text/json.h"
#include "scim/text/matching_key.h"
#include "scim/text/text.h"

namespace scim {
namespace {

using Kind = FilterLiteral::Kind;

// Integers of 64 bits are exact, also those written as 1e3 or 1.0. Other numbers become doubles;
// false if the number is out of the range of a double.
bool read_number(std::string_view text, FilterValue &value) {
    const char *end = text.data() + text.size();
    value.kind = FilterValue::Kind::integer;
    auto [stop, error] = std::from_chars(text.data(), end, value.integer);
    bool has_integer_form = stop == end;
    if (has_integer_form && error == std::errc()) return true;

    double d = 0;
    if (std::from_chars(text.data(), end, d).ec != std::errc()) return false;
    constexpr double limit = 9223372036854775808.0;  // 2^63
    if (!has_integer_form && d >= -limit && d < limit && std::trunc(d) == d) {
        value.integer = int64_t(d);
        return true;
    }
    // -2^63 - 1 is rounded to -2^63, which would equal an integer that a resource may have.
    if (has_integer_form && d == -limit) d = std::nextafter(d, -HUGE_VAL);
    value.kind = FilterValue::Kind::decimal;
    value.decimal = d;
    return true;
}

// Writes the number as read_resource() writes one of this type.
void write_as(AttrType type, const FilterValue &value, std::string &out) {
    if (value.kind == FilterValue::Kind::decimal) return write_decimal(out, value.decimal);
    if (type == AttrType::integer) return write_integer(out, value.integer);
    write_integer_as_decimal(out, value.integer);
}

bool number_value(AttrType type, const FilterLiteral &literal, Dialect &dialect,
                  FilterValue &value) {
    const bool quoted = literal.kind == Kind::string && is_json_number(literal.text);
    if ((literal.kind != Kind::number && !quoted) || !read_number(literal.text, value))
        return false;
    if (quoted && !dialect.accepts("string-number")) return false;
    write_as(type, value, value.json);
    return true;
}

bool boolean_value(const FilterLiteral &literal, Dialect &dialect, FilterValue &value) {
    bool is_true = ascii_iequals(literal.text, "true");
    if (literal.kind == Kind::string) {
        if (!is_true && !ascii_iequals(literal.text, "false")) return false;
        if (!dialect.accepts("string-boolean")) return false;
    } else if (literal.kind != Kind::boolean) {
        return false;
    }
    value.kind = FilterValue::Kind::boolean;
    value.boolean = is_true;
    value.json = is_true ? "true" : "false";
    return true;
}

bool time_value(const FilterLiteral &literal, FilterValue &value) {
    if (literal.kind != Kind::string) return false;
    auto time = parse_datetime(literal.text);
    if (!time) return false;
    value.kind = FilterValue::Kind::time;
    value.integer = *time;
    write_string(value.json, literal.text);
    return true;
}

bool text_value(const Attr &attr, const FilterLiteral &literal, Dialect &dialect,
                FilterValue &value) {
    if (literal.kind != Kind::string) {
        // A client that omits the quotes does so for 00123 as well as for 123, so numbers, true and
        // false are accepted as words.
        if (attr.def->type == AttrType::binary || !dialect.accepts("bare-word")) return false;
    }
    value.kind = FilterValue::Kind::key;
    append_key(value.key, attr.matching, literal.text);
    write_string(value.json, literal.text);
    return true;
}

}  // namespace

bool applies(FilterOp op, AttrType type) {
    switch (op) {
        case FilterOp::co:
        case FilterOp::sw:
        case FilterOp::ew: return type == AttrType::string || type == AttrType::reference;
        case FilterOp::gt:
        case FilterOp::ge:
        case FilterOp::lt:
        case FilterOp::le: return type != AttrType::boolean && type != AttrType::binary;
        default: return true;
    }
}

std::string_view expected_literal(AttrType type) {
    switch (type) {
        case AttrType::boolean: return "true or false";
        case AttrType::decimal:
        case AttrType::integer: return "a 64-bit number";
        case AttrType::date_time:
            return "a time in double quotes such as \"2026-11-21T10:00:00Z\", of a year from "
                   "-290000 to 290000";
        default: return "a string in double quotes";
    }
}

std::optional<FilterValue> to_value(const Attr &attr, const FilterLiteral &literal,
                                    Dialect &dialect) {
    FilterValue value;
    bool fits = false;
    switch (AttrType type = attr.def->type) {
        case AttrType::boolean: fits = boolean_value(literal, dialect, value); break;
        case AttrType::decimal:
        case AttrType::integer: fits = number_value(type, literal, dialect, value); break;
        case AttrType::date_time: fits = time_value(literal, value); break;
        case AttrType::string:
        case AttrType::reference:
        case AttrType::binary: fits = text_value(attr, literal, dialect, value); break;
        case AttrType::complex: break;
    }
    if (!fits) return std::nullopt;
    return value;
}

}  // namespace scim
