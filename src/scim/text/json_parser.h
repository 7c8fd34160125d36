#pragma once
// Parses a JSON text (RFC 8259) into a tree of Jansson's json_t.
//
// Jansson's own parser is not used, because its lexer ignores that a buffer could not grow: without
// memory, a long string is written beyond the end of another buffer, and a long number ends the
// process.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "scim/text/json.h"

namespace scim {

// Why a text was refused.
struct JsonFault {
    enum class Kind : uint8_t {
        none,
        syntax,              // `what` says what was expected or is wrong
        ends_early,          // the text ends inside a value
        goes_on,             // something follows the value
        number_too_large,    // for 64 bits or a double
        duplicate_name,      // `name` occurs twice in one object
        names_in_two_cases,  // `name` and `other` in one object are equal but for the case
    };
    Kind kind = Kind::none;
    std::string_view what;
    std::string name, other;
    // Offsets in the text: the first byte of the token, and the byte behind the last one read.
    size_t begin = 0, end = 0;
};

class JsonParser {
  public:
    // `text` must outlive the parser. REQUIRES: `text` is UTF-8 without U+0000, and its nesting is
    // bounded, because each level is a recursive call.
    explicit JsonParser(std::string_view text) : text_(text) {}

    // The tree, or null and the reason in fault(). No object of the tree has two names that are equal
    // or differ by the case of ASCII letters alone. Throws std::bad_alloc.
    Json parse();
    const JsonFault &fault() const { return fault_; }

  private:
    // A structural character is its own value.
    enum class Token : char {
        begin_object = '{',
        end_object = '}',
        begin_array = '[',
        end_array = ']',
        colon = ':',
        comma = ',',
        string = '"',
        integer = 'i',
        decimal = 'd',
        true_ = 't',
        false_ = 'f',
        null = 'n',
        end = 0,
        invalid = '?',
    };

    void next();
    void read_word();
    void read_number();
    void read_string();
    size_t skip_escape(size_t at);
    void fail(std::string_view what, JsonFault::Kind kind = JsonFault::Kind::syntax);

    Json value();
    Json object();
    bool member(json_t *object, size_t first_name);
    bool add_name(const json_t *object, std::string_view name, size_t first_name);
    bool check_names(size_t first_name);
    bool fail_names(std::string_view name, std::string_view other);
    Json array();

    std::string_view text_;
    Token token_ = Token::invalid;
    size_t begin_ = 0, end_ = 0;  // of the token
    int64_t integer_ = 0;
    double decimal_ = 0;
    std::string_view string_;  // in the text or, if it has escapes, in unescaped_
    std::string unescaped_;
    std::vector<std::string_view> names_;         // of the objects that are being read
    std::deque<std::string> names_with_escapes_;  // names_ refers to them
    JsonFault fault_;
};

// The length of the JSON number (RFC 8259 6) at the beginning of `text`, in bytes; 0 if there is no
// number or it is malformed ("1.", "01").
size_t json_number_size(std::string_view text);

}  // namespace scim
