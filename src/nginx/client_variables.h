#pragma once
// The variables of nginx whose values a client chooses, and those of client certificates, in the
// text of a directive.

#include <algorithm>
#include <string>
#include <string_view>

#include "scim/text/text.h"

namespace scim::nginx {

// Calls `each` with the name of each variable in `text`, in lower case: nginx ignores the case.
template <class Each>
void each_variable(std::string_view text, Each &&each) {
    for (size_t at = text.find('$'); at != text.npos; at = text.find('$', at)) {
        at++;
        if (at < text.size() && text[at] == '{') at++;
        size_t end = at;
        while (end < text.size() &&
               (is_letter(text[end]) || is_digit(text[end]) || text[end] == '_'))
            end++;
        if (end > at) each(ascii_lower(text.substr(at, end - at)));
        at = end;
    }
}

inline bool begins_with(std::string_view text, std::string_view start) {
    return text.substr(0, start.size()) == start;
}

// True for a variable whose value is a part of the client's certificate.
inline bool is_of_certificate(std::string_view variable) {
    return begins_with(variable, "ssl_client_") && variable != "ssl_client_verify";
}

inline bool is_capture(std::string_view variable) {
    return std::all_of(variable.begin(), variable.end(), is_digit);
}

// True for a variable whose value the client chooses.
bool is_chosen_by_client(std::string_view variable);

}  // namespace scim::nginx
