#include "scim/text/id.h"
#include "scim/text/json.h"
#include "service/gate_decision.h"

namespace scim::service {

namespace {

// `roles.value eq "VALUE"`.
std::string filter_on(std::string_view attribute, std::string_view value) {
    std::string filter(attribute);
    filter += ".value eq ";
    write_string(filter, value);
    return filter;
}

Result<uint16_t> read_status(std::string_view text) {
    uint16_t status = 0;
    if (read_number(text, status) && status >= 400 && status <= 599) return status;
    return Error{Refusal::configuration_invalid,
                 "\"error=" + std::string(text) + "\" must be between 400 and 599"};
}

Result<Condition> read_condition(std::string_view text) {
    const size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals), value = equals == text.npos
                                                                      ? text.substr(0, 0)
                                                                      : text.substr(equals + 1);
    Condition condition;
    condition.text = text;
    condition.value = value;
    if (name == "group") {
        condition.kind = Condition::Kind::group;
    } else if (name == "group_id") {
        condition.kind = Condition::Kind::group_id;
        if (!parse_id(value))
            return Error{
                Refusal::configuration_invalid,
                quoted(text) + " must name the id of a group, as \"scimctl find\" lists it"};
    } else if (name == "role") {
        condition.value = filter_on("roles", value);
    } else if (name == "entitlement") {
        condition.value = filter_on("entitlements", value);
    } else if (name != "filter" || equals == text.npos) {
        return Error{Refusal::configuration_invalid,
                     quoted(text) +
                         " is not a condition, it must be \"active\", \"group=\", \"group_id=\", "
                         "\"role=\", \"entitlement=\" or \"filter=\""};
    }
    if (value.empty()) return Error{Refusal::configuration_invalid, quoted(text) + " has no value"};
    if (!is_utf8(value))
        return Error{Refusal::configuration_invalid, quoted(text) + " is not UTF-8"};
    return condition;
}

// Whether a filter can be evaluated for users of some type.
Outcome check_filter(const Catalog &catalog, const Condition &condition) {
    Error first{Refusal::configuration_invalid, "no resource type has a userName"};
    bool tried = false;
    for (const auto &type : catalog.types()) {
        if (type->user_name == nullptr) continue;
        DeviationReport report;
        Dialect dialect(false, report);
        auto filter = Filter::parse(*type, condition.value, FilterLimits(), dialect);
        if (filter) return Done{};
        if (!tried) first = std::move(filter.error());
        tried = true;
    }
    first.detail = quoted(condition.text) + ": " + first.detail;
    return first;
}

}  // namespace

std::string Requirement::text() const {
    std::string out;
    for (const Condition &condition : conditions) out += (out.empty() ? "" : " ") + condition.text;
    return out;
}

Result<Requirement> parse_requirement(const std::vector<std::string_view> &arguments) {
    Requirement requirement;
    for (std::string_view argument : arguments) {
        constexpr std::string_view error = "error=";
        if (argument.substr(0, error.size()) == error) {
            auto status = read_status(argument.substr(error.size()));
            RETURN_IF_ERROR(status);
            requirement.status = *status;
            continue;
        }
        if (argument == "active" || argument == "off")
            return Error{Refusal::configuration_invalid,
                         "\"" + std::string(argument) +
                             "\" must be the only condition: an active user is always required"};
        auto condition = read_condition(argument);
        RETURN_IF_ERROR(condition);
        requirement.conditions.push_back(std::move(*condition));
    }
    if (!requirement.conditions.empty()) return requirement;
    return Error{Refusal::configuration_invalid, "there is no condition beside \"error=\""};
}

std::vector<std::string> Requirements::group_names() const {
    std::vector<std::string> names;
    for (const Requirement &line : lines_)
        for (const Condition &condition : line.conditions)
            if (condition.kind == Condition::Kind::group) names.push_back(condition.value);
    return names;
}

Outcome Requirements::check(const Catalog &catalog) const {
    for (const Requirement &line : lines_)
        for (const Condition &condition : line.conditions)
            if (condition.kind == Condition::Kind::filter)
                RETURN_IF_ERROR(check_filter(catalog, condition));
    return Done{};
}

}  // namespace scim::service
