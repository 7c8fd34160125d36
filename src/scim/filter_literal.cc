#include "scim/filter_literal.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "scim/datetime.h"
#include "scim/json.h"
#include "scim/text.h"

namespace scim {
namespace {

using Kind = FilterLiteral::Kind;

// Integers of 64 bits are exact, also those written as 1e3 or 1.0; other numbers are decimals.
// False if the number is too large, or too close to 0, for one.
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
    // -2^63 - 1 is rounded to -2^63, which is an integer that a resource may have.
    if (has_integer_form && d == -limit) d = std::nextafter(d, -HUGE_VAL);
    value.kind = FilterValue::Kind::decimal;
    value.decimal = d;
    return true;
}

// As read_resource() writes a number of this type.
void write_number(const FilterValue &value, Type type, std::string &out) {
    constexpr int64_t exact = int64_t(1) << 53;
    bool is_integer = value.kind == FilterValue::Kind::integer;
    bool is_large = value.integer < -exact || value.integer > exact;
    if (is_integer && (type == Type::integer || is_large)) return write_integer(out, value.integer);
    write_decimal(out, is_integer ? double(value.integer) : value.decimal);
}

bool number_value(Type type, const FilterLiteral &literal, Dialect &dialect, FilterValue &value) {
    const bool quoted = literal.kind == Kind::string && is_json_number(literal.text);
    if ((literal.kind != Kind::number && !quoted) || !read_number(literal.text, value))
        return false;
    if (quoted && !dialect.accepts("string-number")) return false;
    write_number(value, type, value.json);
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
        // Who leaves the quotes away does so for 00123 and for 123:
        // numbers, true and false are words here.
        if (attr.def->type == Type::binary || !dialect.accepts("bare-word")) return false;
    }
    value.kind = FilterValue::Kind::key;
    append_key(value.key, attr.matching, literal.text);
    write_string(value.json, literal.text);
    return true;
}

}  // namespace

bool applies(FilterOp op, Type type) {
    switch (op) {
        case FilterOp::co:
        case FilterOp::sw:
        case FilterOp::ew: return type == Type::string || type == Type::reference;
        case FilterOp::gt:
        case FilterOp::ge:
        case FilterOp::lt:
        case FilterOp::le: return type != Type::boolean && type != Type::binary;
        default: return true;
    }
}

std::string_view expected_literal(Type type) {
    switch (type) {
        case Type::boolean: return "true or false";
        case Type::decimal:
        case Type::integer: return "a 64-bit number";
        case Type::date_time:
            return "a time in double quotes such as \"2026-11-21T10:00:00Z\", of a year from "
                   "-290000 to 290000";
        default: return "a string in double quotes";
    }
}

std::optional<FilterValue> to_value(const Attr &attr, const FilterLiteral &literal,
                                    Dialect &dialect) {
    FilterValue value;
    bool fits = false;
    switch (Type type = attr.def->type) {
        case Type::boolean: fits = boolean_value(literal, dialect, value); break;
        case Type::decimal:
        case Type::integer: fits = number_value(type, literal, dialect, value); break;
        case Type::date_time: fits = time_value(literal, value); break;
        case Type::string:
        case Type::reference:
        case Type::binary: fits = text_value(attr, literal, dialect, value); break;
        case Type::complex: break;
    }
    if (!fits) return std::nullopt;
    return value;
}

}  // namespace scim
