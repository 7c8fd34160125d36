#pragma once
// The keys of a resource's strings that are more than their lower case. To make one takes 30 to
// 200 ns a byte, so it is made once, however many terms ask for it.

#include <string>
#include <string_view>
#include <unordered_map>

#include "scim/text.h"

namespace scim {

// True for a text, or its JSON, whose key takes that long.
inline bool is_key_made(std::string_view text, Matching matching) {
    return matching != Matching::exact && !is_ascii(text);
}

class MadeKeys {
  public:
    // The key of the text that lies, as JSON, at `place`. Good until the next call.
    const std::string &key(const char *place, std::string_view text, Matching matching);
    // For another resource: nothing that was made is kept.
    void clear();

  private:
    // What lies at a place changes (leaves of computed attributes): the text tells.
    struct Made {
        Matching matching = Matching::exact;  // of no key that is made
        std::string text, key;
    };
    std::unordered_map<const char *, Made> made_;  // by place
};

}  // namespace scim
