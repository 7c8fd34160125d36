#pragma once
// Suggestions for a misspelt name.

#include <string>
#include <string_view>
#include <vector>

namespace scim {

// The name that differs least from `word`, ignoring ASCII case. It differs by at most one inserted,
// deleted, replaced or transposed letter, or by at most two if `word` has six bytes or more. Empty
// if there is no such name. Words and names longer than 64 bytes are not compared.
std::string_view nearest(std::string_view word, const std::vector<std::string_view> &names);

// `did you mean "x"?`
std::string did_you_mean(std::string_view name);

// `; did you mean "x"?` for nearest(), or empty if there is none.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view> &names);

}  // namespace scim
