#include "scim/made_keys.h"

namespace scim {

const std::string &MadeKeys::key(const char *place, std::string_view text, Matching matching) {
    Made &made = made_[place];
    if (made.text != text || made.matching != matching) {
        made.matching = matching;
        made.text = text;
        made.key.clear();
        append_key(made.key, matching, text);
    }
    return made.key;
}

void MadeKeys::clear() {
    // One resource of many values must not make this slow for all that follow.
    constexpr size_t keep = 1024;
    if (made_.bucket_count() > keep)
        std::unordered_map<const char *, Made>().swap(made_);
    else if (!made_.empty())
        made_.clear();
}

}  // namespace scim
