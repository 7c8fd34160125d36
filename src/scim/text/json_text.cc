// Writes canonical JSON, and reads the strings in it. JSON from clients is parsed in json.cc.

#include <algorithm>
#include <charconv>

#include "scim/text/json.h"
#include "scim/text/plain_prefix.h"
#include "scim/text/text.h"
#include "scim/text/unicode.h"

namespace scim {
namespace {

// The letter of the short escape for `c`, 0 if there is none.
char short_escape(char c) {
    switch (c) {
        case '"':
        case '\\': return c;
        case '\b': return 'b';
        case '\f': return 'f';
        case '\n': return 'n';
        case '\r': return 'r';
        case '\t': return 't';
        default: return 0;
    }
}

// The character of the short escape `letter`, -1 if there is no such escape.
int unescaped(char letter) {
    switch (letter) {
        case '"':
        case '\\':
        case '/': return letter;
        case 'b': return '\b';
        case 'f': return '\f';
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        default: return -1;
    }
}

// Removes `uXXXX` from the front of `rest` and returns its value; -1 if `rest` has no such prefix.
int32_t take_utf16(std::string_view &rest) {
    if (rest.size() < 5 || rest[0] != 'u') return -1;
    int32_t unit = 0;
    for (char c : rest.substr(1, 4)) {
        const int digit = hex_value(ascii_lower(c));
        if (digit < 0) return -1;
        unit = unit << 4 | digit;
    }
    rest.remove_prefix(5);
    return unit;
}

// Removes an escape sequence, without its backslash, from the front of `rest` and appends its
// character to `out`.
bool take_escape(std::string_view &rest, std::string &out) {
    if (rest.empty()) return false;
    if (rest[0] != 'u') {
        int c = unescaped(rest[0]);
        if (c < 0) return false;
        out += char(c);
        rest.remove_prefix(1);
        return true;
    }
    int32_t c = take_utf16(rest);
    if (c < 0 || (c >= 0xdc00 && c <= 0xdfff)) return false;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (rest.empty() || rest[0] != '\\') return false;
        rest.remove_prefix(1);
        int32_t low = take_utf16(rest);
        if (low < 0xdc00 || low > 0xdfff) return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    append_utf8(out, c);
    return true;
}

bool take_string(std::string_view inner, std::string &out) {
    while (!inner.empty()) {
        const size_t plain = plain_prefix(inner);
        out += inner.substr(0, plain);
        inner.remove_prefix(plain);
        if (inner.empty()) break;
        if (inner[0] != '\\') return false;
        inner.remove_prefix(1);
        if (!take_escape(inner, out)) return false;
    }
    return true;
}

}  // namespace

void write_string(std::string &out, std::string_view utf8) {
    out += '"';
    for (;;) {
        const size_t plain = plain_prefix(utf8);
        out += utf8.substr(0, plain);
        if (plain == utf8.size()) break;
        const char c = utf8[plain];
        utf8.remove_prefix(plain + 1);
        out += '\\';
        if (char letter = short_escape(c)) {
            out += letter;
        } else {
            out += "u00";
            out += hex_digits[c >> 4];
            out += hex_digits[c & 15];
        }
    }
    out += '"';
}

void write_integer(std::string &out, int64_t value) {
    char buffer[24];
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

// REQUIRES: `value` is finite. JSON has no other numbers and Jansson stores none.
void write_decimal(std::string &out, double value) {
    char buffer[32];
    char *end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    std::string_view text(buffer, size_t(end - buffer));
    // RFC 7643 2.3.3: digits on both sides of the point.
    // Without the point, 1.0 would be read back as an integer.
    size_t whole = std::min(text.find('e'), text.size());
    bool has_point = text.find('.') != text.npos;
    out += text.substr(0, whole);
    if (!has_point) out += ".0";
    out += text.substr(whole);
}

void write_integer_as_decimal(std::string &out, int64_t value) {
    constexpr int64_t exact = int64_t(1) << 53;
    if (value < -exact || value > exact) return write_integer(out, value);
    write_decimal(out, double(value));
}

void write_value(std::string &out, const json_t *value) {
    // Jansson's iterators take a non-const tree. They do not change it here.
    auto tree = const_cast<json_t *>(value);
    char between = 0;
    switch (json_typeof(value)) {
        case JSON_OBJECT:
            out += '{';
            for (void *i = json_object_iter(tree); i; i = json_object_iter_next(tree, i)) {
                if (between) out += between;
                between = ',';
                write_string(out, {json_object_iter_key(i), json_object_iter_key_len(i)});
                out += ':';
                write_value(out, json_object_iter_value(i));
            }
            out += '}';
            break;
        case JSON_ARRAY:
            out += '[';
            for (size_t i = 0; i < json_array_size(value); i++) {
                if (i) out += ',';
                write_value(out, json_array_get(value, i));
            }
            out += ']';
            break;
        case JSON_STRING: write_string(out, text_of(value)); break;
        case JSON_INTEGER: write_integer(out, json_integer_value(value)); break;
        case JSON_REAL: write_decimal(out, json_real_value(value)); break;
        case JSON_TRUE: out += "true"; break;
        case JSON_FALSE: out += "false"; break;
        case JSON_NULL: out += "null"; break;
    }
}

bool read_string(std::string_view literal, std::string &out) {
    if (literal.size() < 2 || literal.front() != '"' || literal.back() != '"') return false;
    if (!is_utf8(literal)) return false;
    size_t start = out.size();
    if (take_string(literal.substr(1, literal.size() - 2), out)) return true;
    out.resize(start);
    return false;
}

}  // namespace scim
