#include "service/ignored.h"

#include <algorithm>

namespace scim::service {

std::string ignored_sentence(std::string_view summary) {
    constexpr std::string_view mark = "unknown-attribute:";
    std::string names;
    size_t count = 0;
    while (!summary.empty()) {
        const size_t end = std::min(summary.find(','), summary.size());
        std::string_view note = summary.substr(0, end);
        summary.remove_prefix(std::min(end + 1, summary.size()));
        if (note.substr(0, mark.size()) != mark) continue;
        note.remove_prefix(mark.size());
        note = note.substr(0, note.find('*'));  // removes the count
        names += count++ > 0 ? ", \"" : "\"";
        names.append(note) += '"';
    }
    if (count == 0) return {};
    return names + (count == 1
                        ? " was ignored: no schema declares it; correct the name, or declare it "
                          "with scim_schema"
                        : " were ignored: no schema declares them; correct the names, or declare "
                          "them with scim_schema");
}

}  // namespace scim::service
