#pragma once
// The PRECIS profile UsernameCaseMapped (RFC 8265 3.3) over the IdentifierClass (RFC 8264 4.2).

#include <optional>

#include "scim/unicode.h"

namespace scim {

// The string after enforcement (RFC 8265 3.3.3), nothing if the profile refuses it. What comes out
// goes in again unchanged. Linear in the length.
//
// One thing is stricter than the RFC: a ZERO WIDTH NON-JOINER is accepted after a virama alone. The
// other half of its rule (RFC 5892 A.1) asks for joining types, which utf8proc does not have.
std::optional<CodePoints> username_case_mapped(const CodePoints &text);

}  // namespace scim
