#pragma once
// The version of nginx-scim: of the module ($scim_version) and of scimctl (--version).

namespace scim {

constexpr char version[] = "0.1.0";

}  // namespace scim
