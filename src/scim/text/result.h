#pragma once
// Errors on the request path.
//
// An Error becomes the HTTP error response (RFC 7644 3.12): it names a row of the catalogue of
// refusals and has a detail, the sentence about this request. A Result holds a value or an Error,
// and must not be discarded.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "scim/text/refusals.h"

namespace scim {

// A refusal of the catalogue (refusals.h), which decides the status and the scimType.
struct Error {
    Error(Refusal why, std::string text, uint16_t seconds = 0)
        : refusal(why), retry_after(seconds), detail(std::move(text)) {}

    Refusal refusal;
    uint16_t retry_after;  // seconds; 0 if the response has no Retry-After
    std::string detail;    // one sentence for an administrator

    uint16_t status() const { return row_of(refusal).status; }
    ScimType type() const { return row_of(refusal).type; }
    std::string_view id() const { return row_of(refusal).id; }
};

// The initial value of a Result that is decided later.
Error undecided();

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

// `text` in double quotes, cut to `most` bytes at a character boundary. Control characters and
// invalid UTF-8 become "?", tokens are shortened (secret.h). A client's text must be passed through
// quoted() before it is put into an error detail or a log line.
std::string quoted(std::string_view text, size_t most = 64);

// "`what` is wrong at character 5: `sentence`", where the character begins at the byte `at` of
// `text`. Characters are counted from 1.
std::string wrong_at(std::string_view what, std::string_view text, size_t at,
                     std::string_view sentence);

}  // namespace scim
