#include "scim/text/name.h"

#include "scim/text/text.h"

namespace scim {

bool consists_of(std::string_view text, std::string_view others) {
    for (char c : text)
        if (!is_letter(c) && !is_digit(c) && others.find(c) == others.npos) return false;
    return true;
}

bool is_attribute_name(std::string_view text) {
    return !text.empty() && is_letter(text[0]) && consists_of(text, "$-_");
}

bool is_sub_attribute_name(std::string_view text) {
    return text == "$ref" || is_attribute_name(text);
}

Brackets find_brackets(std::string_view text, size_t open) {
    bool in_string = false;
    for (size_t i = open + 1; i < text.size(); i++) {
        if (text[i] == '"') in_string = !in_string;
        if (in_string && text[i] == '\\') i++;
        if (!in_string && text[i] == ']') return {i, false};
    }
    return {text.size(), in_string};
}

}  // namespace scim
