#pragma once
// parse_json() is the only reader of JSON that a client wrote; write_value() is the only writer of
// canonical JSON.
//
// parse_json() measures before it parses: one linear scan bounds nesting, the number of values and
// the work that reading them takes, because a tree takes up to 79 bytes of heap for a byte of hostile
// input. Only what passed the scan is parsed; names that occur twice in one object, also when they
// differ by case alone (RFC 7643 2.1), U+0000 and invalid UTF-8 are refused.

#include <jansson.h>

#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "scim/result.h"

namespace scim {

struct JsonDecref {
    void operator()(json_t *j) const { json_decref(j); }
};
using Json = std::unique_ptr<json_t, JsonDecref>;

// What a function of Jansson has made, which is null if there was no memory. Throws std::bad_alloc
// then.
inline Json made(json_t *value) {
    if (value == nullptr) throw std::bad_alloc();
    return Json(value);
}

struct JsonLimits {
    size_t depth = 16;       // nested objects and arrays: `{}` is depth 1
    size_t values = 200000;  // values of any kind, keys not counted
    // Units of work.h, about 200 ms: see body_work().
    size_t work = 8'000'000;
};

// The work that a body is, by what was measured from parse_json() to the index values of a resource:
// at most 750 ns for a value, 500 ns more if it has a name, and 10 ns for a byte.
constexpr size_t body_work(size_t values, size_t names, size_t bytes) {
    return values * 30 + names * 20 + bytes * 2 / 5;
}

// 400 invalidSyntax with the position for anything that is not one JSON object within the limits.
// The texts name the directive that sets a limit (scim_max_json_depth; the number of values is
// fixed). A number that is too large for 64 bits or a double is 400 invalidValue. A body that takes
// more work than the limit is 413. Throws std::bad_alloc without memory.
Result<Json> parse_json(std::string_view bytes, const JsonLimits &limits);

// What a JSON string value is called in a sentence:
// "a string", "a number", "true", "an object", "null", …
std::string_view kind_of(const json_t *value);

// False for what stands for no value in SCIM: nullptr, null, [] (S-17).
inline bool is_assigned(const json_t *value) {
    return value && !json_is_null(value) && !(json_is_array(value) && json_array_size(value) == 0);
}

// True if the text is a number as JSON writes one (RFC 8259 6).
bool is_json_number(std::string_view text);

inline std::string_view text_of(const json_t *string) {
    return {json_string_value(string), json_string_length(string)};
}

// Canonical form: no blanks, shortest round-trip decimals, escapes only where RFC 8259 demands them
// (", \, U+0000 to U+001F; the short form where there is one), everything else as UTF-8, keys in
// the order of the tree.
void write_string(std::string &out, std::string_view utf8);
void write_integer(std::string &out, int64_t value);
void write_decimal(std::string &out, double value);
void write_value(std::string &out, const json_t *value);

// True if a JSON string that write_string() wrote contains an escape.
inline bool has_escape(std::string_view json_string) {
    return json_string.find('\\') != std::string_view::npos;
}

// The text of a JSON string literal, quotes included in `literal`, appended to `out`. False if it
// is not one: bytes that come from the disk are never trusted.
bool read_string(std::string_view literal, std::string &out);

}  // namespace scim
