#pragma once
// The PRECIS profile UsernameCaseMapped (RFC 8265 3.3) over the IdentifierClass (RFC 8264 4.2).

#include <optional>

#include "scim/text/unicode.h"

namespace scim {

// The string after enforcement (RFC 8265 3.3.3), nullopt if the profile refuses it. Enforcing the
// result again returns it unchanged. Linear in the length.
//
// One rule is stricter than the RFC: a ZERO WIDTH NON-JOINER is accepted only after a virama. The
// second part of its rule (RFC 5892 A.1) needs joining types, which utf8proc does not have.
std::optional<CodePoints> username_case_mapped(const CodePoints &text);

}  // namespace scim
