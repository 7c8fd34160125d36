#include "scim/text/json.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "scim/text/json_parser.h"
#include "scim/text/plain_prefix.h"
#include "scim/text/text.h"
#include "scim/text/unicode.h"

namespace scim {
namespace {

// ---- Sentences ----

// "line 2, column 7" of the byte at `position`; columns count characters.
std::string place(std::string_view bytes, size_t position) {
    std::string_view before = bytes.substr(0, position);
    size_t newline = before.rfind('\n');
    std::string_view line = newline == before.npos ? before : before.substr(newline + 1);
    auto lines = std::count(before.begin(), before.end(), '\n');
    return "line " + std::to_string(lines + 1) + ", column " +
           std::to_string(count_characters(line) + 1);
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// An error message quotes only one character of a body that is not JSON: the rest may be a secret.
std::string_view first_character(std::string_view text) {
    size_t end = 1;
    while (end < text.size() && (text[end] & 0xc0) == 0x80) end++;
    return text.substr(0, end);
}

// ---- Before parsing ----

std::optional<Error> check_encoding(std::string_view bytes) {
    if (bytes.substr(0, 3) == "\xef\xbb\xbf")
        return Error{
            Refusal::json_encoding,
            "the body begins with a byte order mark; JSON in UTF-8 has none (RFC 8259 8.1)"};
    size_t valid = utf8_prefix(bytes);
    if (valid < bytes.size())
        return Error{Refusal::json_encoding, "the body is not UTF-8 at " + place(bytes, valid) +
                                                 " (byte " + std::to_string(valid + 1) +
                                                 "); JSON is sent in UTF-8"};
    return std::nullopt;
}

std::optional<Error> check_top_level(std::string_view bytes) {
    auto first = std::find_if_not(bytes.begin(), bytes.end(), is_blank);
    if (first == bytes.end())
        return Error{Refusal::body_missing, "the request has no body; a JSON object was expected"};
    if (*first == '{') return std::nullopt;
    size_t begin = size_t(first - bytes.begin());
    return Error{Refusal::json_syntax,
                 "the body must be a JSON object, which begins with {; this one begins with " +
                     quoted(first_character(bytes.substr(begin))) + " at " + place(bytes, begin)};
}

// Counts depth, values and names in a body that need not be valid JSON. The counts are exact for
// every prefix that is valid JSON, and the parser stops at the first byte that is not valid: so the
// parser never exceeds a limit that the scan has checked at each byte.
class Scan {
  public:
    Scan(std::string_view bytes, const JsonLimits &limits) : bytes_(bytes), limits_(limits) {
        limits_.depth = std::min(limits_.depth, most_depth);
    }

    std::optional<Error> run() {
        if (auto error = check_work()) return error;  // the bytes alone may exceed the limit
        while (at_ < bytes_.size()) {
            if (auto error = step(bytes_[at_])) return error;
            at_++;
        }
        return check_work();
    }

  private:
    // Whatever the caller allows: each level is a call of the parser.
    static constexpr size_t most_depth = 2048;

    std::optional<Error> step(char c) {
        bool was_in_word = in_word_;
        in_word_ = false;
        switch (c) {
            case ' ':
            case '\t':
            case '\n':
            case '\r':
            case ',': return std::nullopt;
            case ':':  // the string before it was a key
                values_--;
                names_++;
                return std::nullopt;
            case '}':
            case ']': depth_--; return std::nullopt;
            case '{':
            case '[':
                if (++depth_ > int64_t(limits_.depth)) return too_deep();
                return count_value();
            case '"': {
                size_t begin = at_;
                if (auto error = skip_string()) return error;
                return count_value(begin);
            }
            case 0: return nul();
            default:  // a number, true, false, null, or an invalid character
                in_word_ = true;
                return was_in_word ? std::nullopt : count_value();
        }
    }

    // From the opening quote to the closing quote, or to the end of the body if there is none.
    std::optional<Error> skip_string() {
        for (at_++;; at_++) {
            if (at_ < bytes_.size()) at_ += plain_prefix(bytes_.substr(at_));
            if (at_ >= bytes_.size() || bytes_[at_] == '"') return std::nullopt;
            if (bytes_[at_] == 0) return nul();
            if (bytes_[at_] != '\\') continue;
            if (bytes_.substr(at_ + 1, 5) == "u0000") return nul();
            at_++;
        }
    }

    std::optional<Error> count_value() { return count_value(at_); }
    std::optional<Error> count_value(size_t position) {
        if (++values_ <= int64_t(limits_.values)) return std::nullopt;
        return Error{Refusal::json_too_many_values,
                     "the body holds more than " + std::to_string(limits_.values) +
                         " JSON values, counted up to " + place(bytes_, position) +
                         "; send it in several requests"};
    }
    std::optional<Error> check_work() const {
        const auto values = size_t(std::max<int64_t>(values_, 0));
        const size_t work = body_work(values, names_, bytes_.size());
        if (work <= limits_.work) return std::nullopt;
        return Error{Refusal::body_too_costly,
                     "the body takes too much work: 30 units for each of its " +
                         std::to_string(values) + " values, 20 for each of its " +
                         std::to_string(names_) + " names and 0.4 for each of its " +
                         std::to_string(bytes_.size()) + " bytes make " + std::to_string(work) +
                         " units; the body work of a request is at most " +
                         std::to_string(limits_.work) + "; send it in several requests"};
    }
    Error too_deep() const {
        return Error{Refusal::json_too_deep,
                     "objects and arrays are nested deeper than scim_max_json_depth (" +
                         std::to_string(limits_.depth) + ") allows at " + place(bytes_, at_)};
    }
    Error nul() const {
        return Error{Refusal::json_encoding, "the body contains the character U+0000 at " +
                                                 place(bytes_, at_) + ", which is not allowed"};
    }

    std::string_view bytes_;
    JsonLimits limits_;
    size_t at_ = 0;
    int64_t depth_ = 0, values_ = 0;
    size_t names_ = 0;
    bool in_word_ = false;
};

// ---- Error messages for the faults that the parser finds ----

Error parse_error(std::string_view bytes, const JsonFault &fault) {
    using Kind = JsonFault::Kind;
    // The place of a fault in a long token is where the token is wrong.
    constexpr size_t short_token = 20;
    const bool is_short = fault.end - fault.begin <= short_token;
    const std::string at = place(bytes, is_short ? fault.begin : fault.end);
    const std::string near = is_short && fault.end > fault.begin
                                 ? " near " + quoted(first_character(bytes.substr(fault.begin)))
                                 : std::string();
    switch (fault.kind) {
        case Kind::duplicate_name:
            return Error{Refusal::json_duplicate_name,
                         "an object of the body names " + quoted(fault.name) +
                             " twice, the second time at " + place(bytes, fault.begin) +
                             "; names must differ"};
        case Kind::names_in_two_cases:
            return Error{Refusal::json_duplicate_name,
                         "an object of the body holds both " + quoted(fault.name) + " and " +
                             quoted(fault.other) +
                             "; names that differ by case are one attribute (RFC 7643 2.1)"};
        case Kind::number_too_large:
            return Error{Refusal::json_number,
                         "the number at " + at +
                             " is too large: an integer has 64 bits, a decimal is at most "
                             "1.8e308"};
        case Kind::ends_early:
            return Error{Refusal::json_truncated,
                         "the body ends too early, at " + at + ": the JSON object is not complete"};
        case Kind::goes_on:
            return Error{Refusal::json_syntax, "the body goes on after the JSON object at " + at +
                                                   near + "; one object was expected"};
        default:
            return Error{Refusal::json_syntax,
                         "the body is not JSON at " + at + ": " + std::string(fault.what) + near};
    }
}

}  // namespace

Result<Json> parse_json(std::string_view bytes, const JsonLimits &limits) {
    if (auto error = check_encoding(bytes)) return *error;
    if (auto error = check_top_level(bytes)) return *error;
    if (auto error = Scan(bytes, limits).run()) return *error;
    JsonParser parser(bytes);
    Json tree = parser.parse();
    if (!tree) return parse_error(bytes, parser.fault());
    return tree;
}

const json_t *member_of(const json_t *object, std::string_view name, std::string_view *written) {
    auto *tree = const_cast<json_t *>(object);  // Jansson's iterators take no const
    for (void *i = json_object_iter(tree); i; i = json_object_iter_next(tree, i)) {
        const std::string_view key(json_object_iter_key(i), json_object_iter_key_len(i));
        if (!ascii_iequals(key, name)) continue;
        if (written) *written = key;
        return json_object_iter_value(i);
    }
    return nullptr;
}

bool is_json_number(std::string_view text) {
    return !text.empty() && json_number_size(text) == text.size();
}

std::string_view kind_of(const json_t *value) {
    if (!value) return "nothing";
    switch (json_typeof(value)) {
        case JSON_OBJECT: return "an object";
        case JSON_ARRAY: return "an array";
        case JSON_STRING: return "a string";
        case JSON_INTEGER:
        case JSON_REAL: return "a number";
        case JSON_TRUE: return "true";
        case JSON_FALSE: return "false";
        case JSON_NULL: return "null";
    }
    return "nothing";
}

}  // namespace scim
