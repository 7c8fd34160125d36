#pragma once
// The texts of an attribute, and the joined value of some texts, for tests.

#include <string>
#include <vector>

#include "service/gate_values.h"
#include "service/header_value.h"

namespace fixture {

// `*complete` is set to false if groups are missing.
inline std::vector<std::string> texts(const scim::service::UserAttribute &attribute,
                                      const scim::service::GateUser &user,
                                      scim::service::Snapshot *snapshot,
                                      scim::service::GateOptions options = {},
                                      bool *complete = nullptr) {
    std::vector<std::string> out;
    const bool all = attribute.each_text(user, snapshot, options, [&](std::string_view text) {
        out.emplace_back(text);
        return true;
    });
    if (complete != nullptr) *complete = all;
    return out;
}

inline scim::service::UserValue join_values(const std::vector<std::string> &elements,
                                            const scim::service::ValueFormat &format, bool is_list,
                                            const std::vector<std::string> &required = {}) {
    scim::service::ValueJoiner joiner(format, is_list, required);
    for (const std::string &element : elements)
        if (!joiner.add(element)) break;
    return joiner.finish();
}

}  // namespace fixture
