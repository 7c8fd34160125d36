#pragma once
// The one way this project says that something a client asked for cannot be had.
//
// An Error is an answer in the making: HTTP status, scimType (RFC 7644 3.12) and one sentence for
// an administrator. A Result holds a value or an Error, never both, and must be looked at.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace scim {

// RFC 7644 table 9; `none` where no keyword applies.
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
};

// The keyword as it is sent ("invalidFilter"), empty for `none`.
std::string_view to_string(ScimType type);

struct Error {
    uint16_t status = 500;
    ScimType type = ScimType::none;
    std::string detail;
    uint16_t retry_after = 0;  // seconds; 0 where the answer carries no Retry-After
};

inline Error bad_request(ScimType type, std::string detail) {
    return Error{400, type, std::move(detail), 0};
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

// A client's own text in double quotes, cut to 64 bytes at a character boundary, without control
// characters and tokens (secret.h). Input enters a detail text or a log line in this form only.
std::string quoted(std::string_view text);

// The Error body of RFC 7644 3.12. `request_id` may be empty; it is appended to the detail as
// " (request …)".
std::string error_body(const Error &error, std::string_view request_id);

}  // namespace scim
