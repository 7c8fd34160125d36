#include "service/header_value.h"

#include <algorithm>

#include "scim/text/base64.h"
#include "scim/text/text.h"
#include "scim/text/unicode.h"

namespace scim::service {

namespace {

bool is_continuation(char c) { return (uint8_t(c) & 0xc0) == 0x80; }

// The position behind the character at `at`.
size_t next_character(std::string_view text, size_t at) {
    do at++;
    while (at < text.size() && is_continuation(text[at]));
    return at;
}

// Only the last "*" is tried again, so the time is at most the product of both lengths.
bool matches_glob(std::string_view pattern, std::string_view text) {
    size_t p = 0, t = 0, behind_star = pattern.npos, tried = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            behind_star = ++p;
            tried = t;
        } else if (p < pattern.size() && pattern[p] == '?') {
            p++;
            t = next_character(text, t);
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            p++;
            t++;
        } else if (behind_star != pattern.npos) {
            p = behind_star;
            t = tried = next_character(text, tried);
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == pattern.npos;
}

bool can_be_sent(std::string_view text) { return is_utf8(text) && !has_control(text); }

// The most bytes whose base64url is not longer than `max`.
size_t base64url_room(size_t max) { return max / 4 * 3 + max % 4 * 3 / 4; }

// True if a separator begins inside the text, or ends in it, when separators are around it.
bool is_within(std::string_view separator, std::string_view text) {
    if (separator.size() == 1) return text.find(separator[0]) != text.npos;
    std::string around(separator);
    around += text;
    around += separator;
    return around.find(separator, 1) != separator.size() + text.size();
}

// Applications split at a separator such as ", " and at "," alone.
std::string_view trimmed(std::string_view separator) {
    const size_t begin = separator.find_first_not_of(' ');
    if (begin == separator.npos) return separator;
    return separator.substr(begin, separator.find_last_not_of(' ') - begin + 1);
}

// Printable ASCII without "%": in headers it stands for itself.
bool is_plain(std::string_view text) {
    auto is_other = [](char c) { return uint8_t(c) - 0x20u > 0x7eu - 0x20u || c == '%'; };
    // Blocks of a fixed size are compiled to vector instructions.
    constexpr size_t block = 16;
    unsigned others = 0;
    for (; text.size() >= block; text.remove_prefix(block))
        for (size_t i = 0; i < block; i++) others |= unsigned(is_other(text[i]));
    for (char c : text) others |= unsigned(is_other(c));
    return others == 0;
}

}  // namespace

ValueJoiner::ValueJoiner(const ValueFormat &format, bool is_list,
                         const std::vector<std::string> &required)
    : format_(format),
      is_list_(is_list),
      required_(required),
      room_(format.encoding == ValueEncoding::base64url ? base64url_room(format.max) : format.max),
      mark_(trimmed(format.separator)),
      can_be_split_(!is_list || (!mark_.empty() && can_be_sent(format.separator))) {}

bool ValueJoiner::contains_separator(std::string_view text) const {
    if (!is_list_) return false;
    const std::string_view whole = format_.separator;
    return is_within(whole, text) || (mark_ != whole && is_within(mark_, text));
}

bool ValueJoiner::needs_encoding(std::string_view text, bool plain) const {
    return text.front() == ' ' || text.back() == ' ' || contains_separator(text) ||
           (!plain && (text.find('%') != text.npos || has_invisible(text)));
}

std::string ValueJoiner::percent_encoded(std::string_view text) const {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (char c : text) {
        const bool is_unreserved =
            is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
        if (is_unreserved && !(is_list_ && format_.separator.find(c) != std::string::npos)) {
            out += c;
        } else {
            out += '%';
            out += digits[uint8_t(c) >> 4];
            out += digits[uint8_t(c) & 15];
        }
    }
    return out;
}

bool ValueJoiner::append_fitting(std::string_view text) {
    const std::string_view separator =
        value_.text.empty() ? std::string_view() : std::string_view(format_.separator);
    value_.truncated = separator.size() + text.size() > room_ - value_.text.size();
    if (value_.truncated) return false;
    value_.text += separator;
    value_.text += text;
    return true;
}

bool ValueJoiner::append(std::string_view element) {
    const bool plain = is_plain(element);
    if (!can_be_split_ || (!plain && !can_be_sent(element))) {
        value_.left_out++;
        return true;
    }
    // Encoding makes no element shorter.
    value_.truncated = element.size() > room_ - value_.text.size();
    if (value_.truncated) return false;
    const bool encodes = format_.encoding != ValueEncoding::none && needs_encoding(element, plain);
    const std::string encoded = encodes ? percent_encoded(element) : std::string();
    const std::string_view text = encodes ? std::string_view(encoded) : element;
    const bool may_contain = encodes || format_.encoding == ValueEncoding::none;
    if (may_contain && contains_separator(text)) {
        value_.left_out++;
        return true;
    }
    return append_fitting(text);
}

bool ValueJoiner::is_selected(std::string_view element) const {
    if (element.empty()) return false;
    if (!format_.match.empty() && !matches_glob(format_.match, element)) return false;
    return !format_.only_required ||
           std::any_of(required_.begin(), required_.end(),
                       [&](const std::string &name) { return ascii_iequals(name, element); });
}

bool ValueJoiner::add(std::string_view element) {
    return (!is_selected(element) || append(element)) && is_list_;
}

UserValue ValueJoiner::finish() {
    if (format_.encoding == ValueEncoding::base64url) {
        std::string encoded;
        append_base64url(encoded, value_.text);
        value_.text = std::move(encoded);
    }
    return std::move(value_);
}

}  // namespace scim::service
