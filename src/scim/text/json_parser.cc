#include "scim/text/json_parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "scim/text/plain_prefix.h"
#include "scim/text/text.h"

namespace scim {

namespace {

constexpr size_t few_names = 24;  // of one object

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

size_t skip_digits(std::string_view s, size_t at) {
    while (at < s.size() && is_digit(s[at])) at++;
    return at;
}

// True if the absolute value of a number that is out of a double's range is below 1. REQUIRES:
// `number` is a JSON number other than 0.
bool is_tiny(std::string_view number) {
    size_t exponent_at = std::min(number.find_first_of("eE"), number.size());
    std::string_view digits = number.substr(0, exponent_at);
    const size_t point = std::min(digits.find('.'), digits.size());
    const size_t first = digits.find_first_of("123456789");
    if (exponent_at == number.size()) return first > point;
    std::string_view text = number.substr(exponent_at + 1);
    if (text[0] == '+') text.remove_prefix(1);
    int64_t exponent = 0;
    auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), exponent);
    // An exponent beyond 64 bits exceeds the number of digits of any text.
    if (code != std::errc()) return text[0] == '-';
    return int64_t(point) - int64_t(first) + exponent <= 0;
}

}  // namespace

size_t json_number_size(std::string_view s) {
    size_t first = !s.empty() && s[0] == '-', at = skip_digits(s, first);
    if (at == first || (s[first] == '0' && at > first + 1)) return 0;
    if (at < s.size() && s[at] == '.') {
        size_t fraction = at + 1;
        at = skip_digits(s, fraction);
        if (at == fraction) return 0;
    }
    if (at < s.size() && ascii_lower(s[at]) == 'e') {
        size_t exponent = at + 1;
        if (exponent < s.size() && (s[exponent] == '+' || s[exponent] == '-')) exponent++;
        at = skip_digits(s, exponent);
        if (at == exponent) return 0;
    }
    return at;
}

// Keeps the first fault.
void JsonParser::fail(std::string_view what, JsonFault::Kind kind) {
    if (fault_.kind != JsonFault::Kind::none) return;
    fault_.kind = token_ == Token::end ? JsonFault::Kind::ends_early : kind;
    fault_.what = what;
    fault_.begin = begin_;
    fault_.end = end_;
}

// ---- Tokens ----

void JsonParser::next() {
    begin_ = end_;
    while (begin_ < text_.size() && is_blank(text_[begin_])) begin_++;
    end_ = begin_ + 1;
    token_ = Token::invalid;
    if (begin_ == text_.size()) {
        end_ = begin_;
        token_ = Token::end;
        return;
    }
    const char c = text_[begin_];
    switch (c) {
        case '{':
        case '}':
        case '[':
        case ']':
        case ':':
        case ',': token_ = Token(c); return;
        case '"': return read_string();
        default: break;
    }
    if (is_digit(c) || c == '-') return read_number();
    if (is_letter(c)) read_word();
}

void JsonParser::read_word() {
    while (end_ < text_.size() && is_letter(text_[end_])) end_++;
    const std::string_view word = text_.substr(begin_, end_ - begin_);
    if (word == "true") token_ = Token::true_;
    if (word == "false") token_ = Token::false_;
    if (word == "null") token_ = Token::null;
}

void JsonParser::read_number() {
    const std::string_view number = text_.substr(begin_, json_number_size(text_.substr(begin_)));
    if (number.empty()) return;
    end_ = begin_ + number.size();
    const char *begin = number.data(), *end = begin + number.size();
    if (number.find_first_of(".eE") == number.npos) {
        if (std::from_chars(begin, end, integer_).ec == std::errc()) token_ = Token::integer;
    } else {
        const auto code = std::from_chars(begin, end, decimal_).ec;
        if (code != std::errc())
            decimal_ = std::copysign(is_tiny(number) ? 0 : HUGE_VAL, number[0] == '-' ? -1 : 1);
        if (std::isfinite(decimal_)) token_ = Token::decimal;
    }
    if (token_ == Token::invalid) fail("", JsonFault::Kind::number_too_large);
}

// Returns the offset behind the escape that begins at `at`; 0 if the escape is invalid.
size_t JsonParser::skip_escape(size_t at) {
    const char letter = ++at < text_.size() ? text_[at] : '\0';
    at++;
    if (letter != 'u')
        return std::string_view("\"\\/bfnrt").find(letter) != std::string_view::npos ? at : 0;
    for (size_t end = at + 4; at < end; at++)
        if (at >= text_.size() || hex_value(ascii_lower(text_[at])) < 0) return 0;
    return at;
}

void JsonParser::read_string() {
    bool has_escapes = false;
    for (;;) {
        end_ += plain_prefix(text_.substr(end_));
        if (end_ == text_.size()) return fail("", JsonFault::Kind::ends_early);
        if (text_[end_] == '"') break;
        if (text_[end_] != '\\')
            return fail(text_[end_] == '\n' ? "unexpected newline" : "control character");
        const size_t next = skip_escape(end_);
        if (next == 0) return fail("invalid escape");
        has_escapes = true;
        end_ = next;
    }
    end_++;
    string_ = text_.substr(begin_ + 1, end_ - begin_ - 2);
    if (has_escapes) {
        unescaped_.clear();
        if (!scim::read_string(text_.substr(begin_, end_ - begin_), unescaped_))
            return fail("half of a surrogate pair");
        string_ = unescaped_;
    }
    token_ = Token::string;
}

// ---- Values ----

Json JsonParser::parse() {
    next();
    Json tree = value();
    if (tree == nullptr) return tree;
    next();
    if (token_ == Token::end) return tree;
    fail("", JsonFault::Kind::goes_on);
    return nullptr;
}

// On entry the current token is the first one of the value, on return the last one.
Json JsonParser::value() {
    switch (token_) {
        case Token::begin_object: return object();
        case Token::begin_array: return array();
        case Token::string: return made(json_stringn_nocheck(string_.data(), string_.size()));
        case Token::integer: return made(json_integer(integer_));
        case Token::decimal: return made(json_real(decimal_));
        case Token::true_: return Json(json_true());
        case Token::false_: return Json(json_false());
        case Token::null: return Json(json_null());
        default: break;
    }
    fail(token_ == Token::invalid ? "invalid token" : "unexpected token");
    return nullptr;
}

Json JsonParser::object() {
    Json object = made(json_object());
    const size_t first_name = names_.size();
    next();
    if (token_ == Token::end_object) return object;
    for (;; next()) {
        if (!member(object.get(), first_name)) return nullptr;
        next();
        if (token_ != Token::comma) break;
    }
    if (token_ != Token::end_object) return fail("'}' expected"), nullptr;
    if (!check_names(first_name)) return nullptr;
    names_.resize(first_name);
    return object;
}

// Reads a name, a colon and a value. Returns false, with a fault, if one of them is missing or an
// earlier member has the name. The names of the object are in names_ from `first_name` on.
bool JsonParser::member(json_t *object, size_t first_name) {
    if (token_ != Token::string) return fail("string or '}' expected"), false;
    // Copied only if reading the next string would overwrite it.
    const bool has_escapes = string_.data() == unescaped_.data();
    const std::string_view name =
        has_escapes ? names_with_escapes_.emplace_back(std::move(unescaped_)) : string_;
    if (!add_name(object, name, first_name)) return false;
    next();
    if (token_ != Token::colon) return fail("':' expected"), false;
    next();
    Json one = value();
    if (one == nullptr) return false;
    if (json_object_setn_new_nocheck(object, name.data(), name.size(), one.release()) != 0)
        throw std::bad_alloc();
    return true;
}

// ---- Names ----

bool JsonParser::fail_names(std::string_view name, std::string_view other) {
    fail("", name == other ? JsonFault::Kind::duplicate_name : JsonFault::Kind::names_in_two_cases);
    fault_.name = name;
    fault_.other = other;
    return false;
}

// Few names are compared with each other. Of many, those that differ by case are found when the
// object has ended.
bool JsonParser::add_name(const json_t *object, std::string_view name, size_t first_name) {
    if (names_.size() - first_name >= few_names) {
        if (json_object_getn(object, name.data(), name.size()) != nullptr)
            return fail_names(name, name);
    } else {
        for (size_t i = first_name; i < names_.size(); i++)
            if (ascii_iequals(names_[i], name)) return fail_names(names_[i], name);
    }
    names_.push_back(name);
    return true;
}

// Sorts instead of hashing: a client could choose names whose hashes collide.
bool JsonParser::check_names(size_t first_name) {
    if (names_.size() - first_name <= few_names) return true;
    std::vector<std::pair<std::string, std::string_view>> lower;
    lower.reserve(names_.size() - first_name);
    for (size_t i = first_name; i < names_.size(); i++)
        lower.emplace_back(ascii_lower(names_[i]), names_[i]);
    std::sort(lower.begin(), lower.end());
    for (size_t i = 1; i < lower.size(); i++)
        if (lower[i - 1].first == lower[i].first)
            return fail_names(lower[i - 1].second, lower[i].second);
    return true;
}

Json JsonParser::array() {
    Json array = made(json_array());
    next();
    if (token_ == Token::end_array) return array;
    for (;; next()) {
        Json one = value();
        if (one == nullptr) return nullptr;
        if (json_array_append_new(array.get(), one.release()) != 0) throw std::bad_alloc();
        next();
        if (token_ != Token::comma) break;
    }
    if (token_ == Token::end_array) return array;
    fail("']' expected");
    return nullptr;
}

}  // namespace scim
