#include "scim/text/nearest.h"

#include <algorithm>
#include <array>

#include "scim/text/result.h"
#include "scim/text/text.h"

namespace scim {

namespace {

constexpr size_t longest = 64;

// The optimal string alignment distance. Three rows of the table are kept.
size_t distance(std::string_view a, std::string_view b) {
    std::array<size_t, longest + 1> before{}, above{}, row{};
    for (size_t j = 0; j <= b.size(); j++) above[j] = j;
    for (size_t i = 1; i <= a.size(); i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.size(); j++) {
            const bool same = ascii_lower(a[i - 1]) == ascii_lower(b[j - 1]);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
            if (i > 1 && j > 1 && ascii_lower(a[i - 1]) == ascii_lower(b[j - 2]) &&
                ascii_lower(a[i - 2]) == ascii_lower(b[j - 1]))
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
    }
    return above[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view word, const std::vector<std::string_view> &names) {
    if (word.empty() || word.size() > longest) return {};
    size_t best = word.size() < 6 ? 2 : 3;
    std::string_view found;
    for (std::string_view name : names) {
        if (name.size() > longest) continue;
        if (size_t d = distance(word, name); d < best) {
            best = d;
            found = name;
        }
    }
    return found;
}

std::string did_you_mean(std::string_view name) { return "did you mean " + quoted(name) + "?"; }

std::string did_you_mean(std::string_view word, const std::vector<std::string_view> &names) {
    std::string_view name = nearest(word, names);
    return name.empty() ? std::string() : "; " + did_you_mean(name);
}

}  // namespace scim
