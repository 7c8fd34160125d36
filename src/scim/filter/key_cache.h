#pragma once
// A cache of the keys of one resource's strings. It holds only keys that differ from the lower-case
// text: making one takes 30 to 200 ns per byte, and more than one term of a filter may need it.

#include <string>
#include <string_view>
#include <unordered_map>

#include "scim/text/matching_key.h"
#include "scim/text/text.h"

namespace scim {

// True for a text, or its JSON, whose key is worth caching.
inline bool is_key_made(std::string_view text, Matching matching) {
    return matching != Matching::exact && !is_ascii(text);
}

class KeyCache {
  public:
    // The key of `text`, whose JSON is at the address `place`. Valid until the next call.
    const std::string &key(const char *place, std::string_view text, Matching matching);
    // Called before another resource: forgets all keys.
    void clear();

  private:
    // The text at an address may change (leaves of computed attributes), so it is compared.
    struct Made {
        Matching matching = Matching::exact;  // exact: no key was made yet
        std::string text, key;
    };
    std::unordered_map<const char *, Made> made_;  // by address
};

}  // namespace scim
