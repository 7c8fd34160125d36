#pragma once
// The value of scim_header and scim_set: one text made of the elements of an attribute.
//
//     value   := element (separator element)*
//     element := the text, percent-encoded whole if it contains the separator, "%", leading or
//                trailing white space, or a character that is not visible
//
// Percent-encoding writes all bytes as %XX except those that RFC 3986 2.3 calls unreserved and that
// are not in the separator. Other elements are sent as they are, in UTF-8. So the value, split at
// the separator and decoded, is the list of the elements that were sent.
//
// A separator such as ", " is looked for in elements with and without its spaces, because
// applications split at either.
//
// Left out is an element with a control character or invalid UTF-8, or one that contains the
// separator even if it is percent-encoded (a separator of letters, digits or "%"). Nothing is sent
// if the separator of a list is empty, has a control character or is not UTF-8. An empty element is
// no element. A value that would be longer than `max` ends after an element.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace scim::service {

enum class ValueEncoding : uint8_t {
    percent,
    base64url,  // of the value that `percent` makes, without padding
    none,       // elements that contain the separator are left out, all others sent as they are
};

struct ValueFormat {
    std::string separator = ",";
    // Only elements that match, if it is not empty. "*" matches any text, "?" any one character.
    std::string match;
    bool only_required = false;  // only elements in `required`, up to ASCII case
    size_t max = 4096;           // bytes of the text that is sent
    ValueEncoding encoding = ValueEncoding::percent;
};

struct UserValue {
    std::string text;
    bool truncated = false;  // `max` was reached
    size_t left_out = 0;     // elements that cannot be sent
};

// Joins elements to a value.
class ValueJoiner {
  public:
    // If `is_list` is false, only the first element is used, and the separator has no meaning.
    // `required` is for ValueFormat::only_required. The arguments must outlive the object.
    ValueJoiner(const ValueFormat &format, bool is_list, const std::vector<std::string> &required);

    // False if the value takes no more elements.
    bool add(std::string_view element);
    UserValue finish();

  private:
    bool is_selected(std::string_view element) const;
    bool contains_separator(std::string_view text) const;
    bool needs_encoding(std::string_view text, bool plain) const;
    std::string percent_encoded(std::string_view text) const;
    bool append(std::string_view element);
    bool append_fitting(std::string_view text);

    const ValueFormat &format_;
    const bool is_list_;
    const std::vector<std::string> &required_;
    const size_t room_;
    const std::string_view mark_;  // the separator without spaces around it
    const bool can_be_split_;
    UserValue value_;
};

}  // namespace scim::service
