#pragma once
// The message about attributes of a request that no schema declares.

#include <string>
#include <string_view>

namespace scim::service {

// Returns `"shoeSize" was ignored: no schema declares it; …` for the summary of a DeviationReport
// that contains unknown-attribute:shoeSize; empty if the summary has no such entry.
std::string ignored_sentence(std::string_view summary);

}  // namespace scim::service
