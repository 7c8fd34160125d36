#pragma once
// Errors on the request path.
//
// An Error becomes the HTTP error response: HTTP status, scimType (RFC 7644 3.12) and a detail, one
// sentence for an administrator. A Result holds a value or an Error, and must not be discarded.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace scim {

// RFC 7644 table 9 and, of cursors, RFC 9865 2.1; `none` if no keyword applies.
enum class ScimType : uint8_t {
    none,
    invalid_filter,
    too_many,
    uniqueness,
    mutability,
    invalid_syntax,
    invalid_path,
    no_target,
    invalid_value,
    invalid_vers,
    sensitive,
    invalid_cursor,
    expired_cursor,
    invalid_count,
};

// The keyword in the response ("invalidFilter"), empty for `none`.
std::string_view to_string(ScimType type);

struct Error {
    uint16_t status = 500;
    ScimType type = ScimType::none;
    std::string detail;
    uint16_t retry_after = 0;  // seconds; 0 if the response has no Retry-After
};

inline Error bad_request(ScimType type, std::string detail) {
    return Error{400, type, std::move(detail), 0};
}
inline Error invalid_value(std::string detail) {
    return bad_request(ScimType::invalid_value, std::move(detail));
}

template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}

    explicit operator bool() const { return v_.index() == 0; }
    // REQUIRES: holds a value.
    T &operator*() { return *std::get_if<0>(&v_); }
    const T &operator*() const { return *std::get_if<0>(&v_); }
    T *operator->() { return std::get_if<0>(&v_); }
    const T *operator->() const { return std::get_if<0>(&v_); }
    // REQUIRES: holds an error.
    Error &error() { return *std::get_if<1>(&v_); }
    const Error &error() const { return *std::get_if<1>(&v_); }

  private:
    std::variant<T, Error> v_;
};

struct Done {};
using Outcome = Result<Done>;

// Returns from the calling function with the error of `expression`, a Result, if it holds one.
#define RETURN_IF_ERROR(expression)                         \
    do {                                                    \
        if (auto &&result_ = (expression); !result_)        \
            return scim::Error(std::move(result_.error())); \
    } while (false)

// `text` in double quotes, cut to 64 bytes at a character boundary. Control characters and invalid
// UTF-8 become "?", tokens are shortened (secret.h). A client's text must be passed through
// quoted() before it is put into an error detail or a log line.
std::string quoted(std::string_view text);

// "`what` is wrong at character 5: `sentence`", where the character begins at the byte `at` of
// `text`. Characters are counted from 1.
std::string wrong_at(std::string_view what, std::string_view text, size_t at,
                     std::string_view sentence);

}  // namespace scim
