#pragma once
// Whether a session with the authenticator, such as that of an oauth2-proxy cookie, may still be
// used (scim_session). It is a function of the time of authentication and the user's not-before.
//
//     value := 1*12DIGIT [ "." 1*19DIGIT ]     seconds since 1970; the fraction is ignored
//
// The time of authentication is known to the second only, so a session of the second of not-before
// is refused: it may have begun earlier in this second.

#include <cstdint>
#include <string_view>

namespace scim::service {

enum class SessionFault : uint8_t {
    none,
    missing,
    malformed,
    in_future,  // by more than session_skew_max
    revoked,    // not younger than not-before
};

constexpr int64_t session_skew_max = 300;  // seconds between the clocks of two machines

// `not_before` is GateUser::not_before; it and `now` are milliseconds since 1970. An empty `value`
// is `missing`, unless `optional`.
SessionFault check_session(std::string_view value, bool optional, int64_t not_before, int64_t now);

}  // namespace scim::service
