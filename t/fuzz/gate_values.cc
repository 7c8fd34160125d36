// Joins elements of any bytes with any separator. The text holds no control character and no invalid
// UTF-8, is not longer than max, and, split at the separator and decoded, is exactly the elements
// that were not left out.
//
//     input := encoding:u8 flags:u8 max:u16 separator element*      separator, element := size:u8 bytes

#include "unit/gate_texts.h"

#include <algorithm>
#include <cstdlib>

#include "scim/text/text.h"

namespace {

using namespace scim::service;
using fixture::join_values;
using Elements = std::vector<std::string>;

class Input {
  public:
    Input(const uint8_t *data, size_t size) : at_(data), left_(size) {}
    bool more() const { return left_ > 0; }
    uint8_t byte() {
        if (left_ == 0) return 0;
        left_--;
        return *at_++;
    }
    std::string bytes() {
        const size_t size = std::min<size_t>(byte(), left_);
        std::string out(reinterpret_cast<const char *>(at_), size);
        at_ += size;
        left_ -= size;
        return out;
    }

  private:
    const uint8_t *at_;
    size_t left_;
};

void require(bool holds) {
    if (!holds) std::abort();
}

bool is_clean(const std::string &text) {
    if (!scim::is_utf8(text)) return false;
    for (size_t i = 0; i < text.size(); i++) {
        const auto c = uint8_t(text[i]), next = uint8_t(i + 1 < text.size() ? text[i + 1] : ' ');
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0)) return false;
    }
    return true;
}

std::string from_base64url(const std::string &text) {
    static const std::string digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out;
    uint32_t bits = 0;
    size_t count = 0;
    for (char c : text) {
        const size_t digit = digits.find(c);
        require(digit != digits.npos);
        bits = bits << 6 | uint32_t(digit);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out += char(bits >> count & 0xff);
    }
    return out;
}

std::string from_percent(const std::string &text) {
    std::string out;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        require(i + 2 < text.size());
        out += char(std::stoi(text.substr(i + 1, 2), nullptr, 16));
        i += 2;
    }
    return out;
}

Elements split(const std::string &text, const std::string &separator) {
    Elements out;
    if (text.empty()) return out;
    size_t start = 0;
    for (size_t end; (end = text.find(separator, start)) != text.npos;
         start = end + separator.size())
        out.push_back(text.substr(start, end - start));
    out.push_back(text.substr(start));
    return out;
}

// The elements in the text.
Elements received(const UserValue &value, const ValueFormat &format, bool is_list) {
    const bool is_base64url = format.encoding == ValueEncoding::base64url;
    const std::string text = is_base64url ? from_base64url(value.text) : value.text;
    Elements out = is_list && is_clean(format.separator) && !format.separator.empty()
                       ? split(text, format.separator)
                       : split(text, std::string(1, '\0'));
    if (format.encoding != ValueEncoding::none)
        for (std::string &element : out) element = from_percent(element);
    return out;
}

bool is_prefix(const Elements &part, const Elements &all) {
    return part.size() <= all.size() && std::equal(part.begin(), part.end(), all.begin());
}

bool is_subsequence(const Elements &part, const Elements &all) {
    size_t found = 0;
    for (const std::string &element : all)
        if (found < part.size() && part[found] == element) found++;
    return found == part.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const Elements usual{",", "|", ";", "||", ", ", "::", " ", "·", "-"};
    Input input(data, size);
    ValueFormat format;
    format.encoding = ValueEncoding(input.byte() % 3);
    const uint8_t flags = input.byte();
    const bool is_list = (flags & 1) == 0, is_usual = (flags & 2) == 0;
    format.max = input.byte();
    format.max = format.max << 8 | input.byte();
    format.separator = input.bytes();
    if (is_usual) format.separator = usual[format.separator.size() % usual.size()];
    Elements elements, sendable;
    while (input.more()) elements.push_back(input.bytes());
    if (!is_list) elements.resize(std::min<size_t>(1, elements.size()));
    size_t count = 0;
    for (const std::string &element : elements) {
        count += !element.empty();
        if (!element.empty() && is_clean(element)) sendable.push_back(element);
    }

    const UserValue value = join_values(elements, format, is_list);
    require(is_clean(value.text) && value.text.size() <= format.max);
    const Elements got = received(value, format, is_list);
    require(is_subsequence(got, sendable));
    require(value.truncated || got.size() + value.left_out == count);
    require(got.size() + value.left_out + value.truncated <= count);
    if (is_usual && format.encoding != ValueEncoding::none) {
        require(is_prefix(got, sendable));
        require(value.truncated || got.size() == sendable.size());
    }
    return 0;
}
