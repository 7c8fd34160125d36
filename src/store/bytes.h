#pragma once
// Encoding of numbers on disk: big-endian in keys, so that LMDB's byte order is the numeric order;
// little-endian or variable-length in values.

#include <endian.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace scim::store {

// In each function `bytes` is at most 8.

inline void append_be(std::string &out, uint64_t value, int bytes) {
    value = htobe64(value);
    out.append(reinterpret_cast<const char *>(&value) + sizeof value - bytes, size_t(bytes));
}

// REQUIRES: `in` has `bytes` bytes.
inline uint64_t read_be(const char *in, int bytes) {
    uint64_t value = 0;
    std::memcpy(reinterpret_cast<char *>(&value) + sizeof value - bytes, in, size_t(bytes));
    return be64toh(value);
}

inline void append_le(std::string &out, uint64_t value, int bytes) {
    value = htole64(value);
    out.append(reinterpret_cast<const char *>(&value), size_t(bytes));
}

// REQUIRES: `in` has `bytes` bytes.
inline uint64_t read_le(const char *in, int bytes) {
    uint64_t value = 0;
    std::memcpy(&value, in, size_t(bytes));
    return le64toh(value);
}

// LEB128: seven bits per byte, least significant first.
inline void append_varint(std::string &out, uint64_t value) {
    for (; value >= 0x80; value >>= 7) out += char(value | 0x80);
    out += char(value);
}

inline uint64_t zigzag(int64_t v) { return uint64_t(v) << 1 ^ (v < 0 ? ~uint64_t(0) : 0); }
constexpr int64_t unzigzag(uint64_t v) { return int64_t(v >> 1) ^ -int64_t(v & 1); }

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
