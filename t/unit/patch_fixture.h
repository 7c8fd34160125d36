#pragma once
// What the tests of PATCH share: the directory of filter_fixture.h, its Group, and words for results
// that read well in a table.

#include "filter_fixture.h"
#include "scim/dialect.h"
#include "scim/patch.h"
#include "scim/resource.h"

namespace fixture {

inline const TypeView &group() {
    static const std::shared_ptr<const Catalog> catalog = make_catalog();
    return *catalog->type_by_name("Group");
}

// "413: …" or "invalidPath: …".
inline std::string words(const Error &error) {
    std::string_view type = to_string(error.type);
    return (type.empty() || error.status != 400 ? std::to_string(error.status)
                                                : std::string(type)) +
           ": " + error.detail;
}

inline bool has(std::string_view text, std::string_view part) {
    return text.find(part) != text.npos;
}

// The ids of the tests: 0…9 and a…f as id_of('3').
inline Id id_of(char digit) {
    std::string text = "0192f7a0-0000-7000-8000-000000000000";
    text.back() = digit;
    return *parse_id(text);
}

inline std::string id_text(char digit) { return to_string(id_of(digit)); }

// The last digits of ids: "13a".
inline std::string digits(const std::vector<Id> &ids) {
    std::string out;
    for (const Id &id : ids) out += to_string(id).back();
    return out;
}

}  // namespace fixture
