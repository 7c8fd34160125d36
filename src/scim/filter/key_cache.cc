#include "scim/filter/key_cache.h"

namespace scim {

const std::string &KeyCache::key(const char *place, std::string_view text, Matching matching) {
    Made &made = made_[place];
    if (made.text != text || made.matching != matching) {
        made.matching = matching;
        made.text = text;
        made.key.clear();
        append_key(made.key, matching, text);
    }
    return made.key;
}

void KeyCache::clear() {
    // Clearing takes time for all buckets: a table that one resource has made large is freed.
    constexpr size_t keep = 1024;  // buckets
    if (made_.bucket_count() > keep)
        std::unordered_map<const char *, Made>().swap(made_);
    else if (!made_.empty())
        made_.clear();
}

}  // namespace scim
