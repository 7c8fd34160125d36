#pragma once
// Reading JSON from clients, and writing canonical JSON. All JSON from clients is parsed by
// parse_json().
//
// parse_json() scans the text before it parses it, because a tree takes up to 79 bytes of heap for
// one byte of hostile input. The scan is linear; it bounds the nesting, the number of values and
// the work of reading them. Refused are: two names of one object that are equal or differ by case
// alone (RFC 7643 2.1), U+0000, and invalid UTF-8.

#include <jansson.h>

#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "scim/text/result.h"
#include "scim/text/work.h"

namespace scim {

struct JsonDecref {
    void operator()(json_t *j) const { json_decref(j); }
};
using Json = std::unique_ptr<json_t, JsonDecref>;

// Takes a value made by Jansson. Throws std::bad_alloc if Jansson had no memory.
inline Json made(json_t *value) {
    if (value == nullptr) throw std::bad_alloc();
    return Json(value);
}

struct JsonLimits {
    size_t depth = 16;       // nested objects and arrays: `{}` has depth 1
    size_t values = 200000;  // values of any type, keys not counted
    size_t work = body_work_most;
};

// Parses one JSON object. Throws std::bad_alloc without memory. Errors:
//   400 invalidSyntax  `bytes` is not one JSON object, or exceeds the limit of depth or of values;
//                      the detail has the position, and for the depth the directive
//                      scim_max_json_depth
//   400 invalidValue   an integer does not fit 64 bits, or a decimal a double
//   413                the body takes more work than the limit
Result<Json> parse_json(std::string_view bytes, const JsonLimits &limits);

// The type of a JSON value, as the part of a sentence:
// "a string", "a number", "true", "an object", "null", …
std::string_view kind_of(const json_t *value);

// False for nullptr, null and []: they are the same as no value (RFC 7643 2.5).
inline bool is_assigned(const json_t *value) {
    return value && !json_is_null(value) && !(json_is_array(value) && json_array_size(value) == 0);
}

// The member of `object` with this name in any case, nullptr if there is none. At most one has it,
// because parse_json() refuses names that differ by case alone. `written`, if given, is set to the
// name of the member as it was sent.
const json_t *member_of(const json_t *object, std::string_view name,
                        std::string_view *written = nullptr);

// True if the text is a number as JSON writes one (RFC 8259 6).
bool is_json_number(std::string_view text);

inline std::string_view text_of(const json_t *string) {
    return {json_string_value(string), json_string_length(string)};
}

// Canonical form: no blanks; decimals as the shortest text that reads back as the same double;
// escapes only where RFC 8259 requires them (", \, U+0000 to U+001F; the short form if there is
// one), all other characters as UTF-8; keys in the order of the tree.
void write_string(std::string &out, std::string_view utf8);
void write_integer(std::string &out, int64_t value);
void write_decimal(std::string &out, double value);
// An integer as the value of a decimal attribute: 5 and 5.0 are both written as 5.0. From 2^53 on,
// where a double is not exact, it is written as the integer.
void write_integer_as_decimal(std::string &out, int64_t value);
void write_value(std::string &out, const json_t *value);

// True if a string written by write_string() contains an escape.
inline bool has_escape(std::string_view json_string) {
    return json_string.find('\\') != std::string_view::npos;
}

// Appends the text of the JSON string `literal`, which includes the quotes, to `out`. False, with
// `out` unchanged, if `literal` is not a JSON string: data read from disk is not trusted.
bool read_string(std::string_view literal, std::string &out);

// True if `is_wanted` is true for one of the values in `json`: a simple value, or an array of
// simple values in canonical form. Damaged text is not an error.
template <class F>
bool some_value_of(std::string_view json, const F &is_wanted) {
    if (json.empty() || json[0] != '[') return is_wanted(json);
    bool in_string = false;
    size_t start = 1;
    for (size_t i = 1; i < json.size(); i++) {
        if (json[i] == '"') in_string = !in_string;
        if (in_string && json[i] == '\\') i++;
        if (in_string || (json[i] != ',' && json[i] != ']')) continue;
        if (is_wanted(json.substr(start, i - start))) return true;
        start = i + 1;
    }
    return false;
}

}  // namespace scim
