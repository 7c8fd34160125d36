#pragma once
// Encoding of numbers on disk: big-endian in keys, so that LMDB's byte order is the numeric order;
// little-endian or variable-length in values.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace scim::store {

inline void append_be(std::string &out, uint64_t value, int bytes) {
    char text[8];
    for (int i = bytes; i-- > 0; value >>= 8) text[i] = char(value & 0xff);
    out.append(text, size_t(bytes));
}

// REQUIRES: `in` has `bytes` bytes.
inline uint64_t read_be(const char *in, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | uint8_t(in[i]);
    return value;
}

inline void append_le(std::string &out, uint64_t value, int bytes) {
    char text[8];
    for (int i = 0; i < bytes; i++, value >>= 8) text[i] = char(value & 0xff);
    out.append(text, size_t(bytes));
}

inline uint64_t read_le(const char *in, int bytes) {
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | uint8_t(in[i]);
    return value;
}

// LEB128: seven bits per byte, least significant first.
inline void append_varint(std::string &out, uint64_t value) {
    for (; value >= 0x80; value >>= 7) out += char(value | 0x80);
    out += char(value);
}

inline uint64_t zigzag(int64_t v) { return uint64_t(v) << 1 ^ (v < 0 ? ~uint64_t(0) : 0); }
inline int64_t unzigzag(uint64_t v) { return int64_t(v >> 1) ^ -int64_t(v & 1); }

// Reads untrusted bytes. A read past the end, or a varint longer than 64 bits, returns zeros or an
// empty string and sets failed(), which stays set.
class ByteReader {
  public:
    explicit ByteReader(std::string_view in) : at_(in.data()), end_(in.data() + in.size()) {}

    uint64_t varint() {
        uint64_t value = 0;
        for (int shift = 0; shift < 64 && at_ < end_; shift += 7) {
            uint8_t byte = uint8_t(*at_++);
            value |= uint64_t(byte & 0x7f) << shift;
            if (byte < 0x80) return value;
        }
        failed_ = true;
        return 0;
    }
    uint64_t le(int bytes) {
        if (end_ - at_ < bytes) return fail();
        uint64_t value = read_le(at_, bytes);
        at_ += bytes;
        return value;
    }
    std::string_view bytes(size_t n) {
        if (size_t(end_ - at_) < n) {
            fail();
            return {};
        }
        std::string_view result(at_, n);
        at_ += n;
        return result;
    }
    bool failed() const { return failed_; }
    size_t left() const { return size_t(end_ - at_); }
    bool at_end() const { return at_ == end_; }

  private:
    uint64_t fail() {
        failed_ = true;
        at_ = end_;
        return 0;
    }
    const char *at_, *end_;
    bool failed_ = false;
};

}  // namespace scim::store
