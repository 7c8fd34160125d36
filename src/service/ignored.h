#pragma once
// Attributes of a request that no schema declares.

#include <string>
#include <string_view>

namespace scim::service {

// `"shoeSize" was ignored: no schema declares it (see scim_schema)`, from a Report's summary, in which
// they are called unknown-attribute:shoeSize; empty if there is none.
std::string ignored_sentence(std::string_view summary);

}  // namespace scim::service
