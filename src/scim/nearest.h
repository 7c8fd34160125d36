#pragma once
// What was probably meant by a name that is unknown.

#include <string>
#include <string_view>
#include <vector>

namespace scim {

// The name that differs least from `word`, whatever its case: by one inserted, deleted, replaced or
// swapped letter, or by two if `word` has six letters or more. Empty if there is none. Longer words
// than 64 bytes have none.
std::string_view nearest(std::string_view word, const std::vector<std::string_view> &names);

// `; did you mean "x"?`, or nothing if no name is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view> &names);

}  // namespace scim
