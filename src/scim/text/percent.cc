#include "scim/text/percent.h"

#include <cstdint>

namespace scim {

void append_parameter(std::string &args, std::string_view name, std::string_view value) {
    constexpr std::string_view unreserved =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    if (!args.empty()) args += '&';
    args.append(name);
    args += '=';
    for (char c : value) {
        if (unreserved.find(c) != std::string_view::npos) {
            args += c;
            continue;
        }
        args += '%';
        args += "0123456789ABCDEF"[uint8_t(c) >> 4];
        args += "0123456789ABCDEF"[uint8_t(c) & 15];
    }
}

}  // namespace scim
