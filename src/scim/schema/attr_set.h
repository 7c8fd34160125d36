#pragma once
// A set of attributes of one resource type, by rank or by number.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace scim {

class AttrSet {
  public:
    // `end`: greater than every rank (or number) that is added or passed to has().
    explicit AttrSet(size_t end = 0) : words_((end + 63) / 64) {}
    void add(uint16_t n) { words_[n >> 6] |= uint64_t(1) << (n & 63); }
    void remove(uint16_t n) { words_[n >> 6] &= ~(uint64_t(1) << (n & 63)); }
    bool has(uint16_t n) const { return words_[n >> 6] >> (n & 63) & 1; }
    bool empty() const {
        for (uint64_t word : words_)
            if (word != 0) return false;
        return true;
    }
    // has() for any number, also one that is not below `end`.
    bool includes(uint16_t n) const { return size_t(n >> 6) < words_.size() && has(n); }
    // True if all attributes of this set are in `other`. REQUIRES: `other` has the same `end`.
    bool is_within(const AttrSet &other) const {
        for (size_t i = 0; i < words_.size(); i++)
            if ((words_[i] & ~other.words_[i]) != 0) return false;
        return true;
    }

  private:
    std::vector<uint64_t> words_;
};

}  // namespace scim
