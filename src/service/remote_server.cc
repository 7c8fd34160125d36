#include "service/remote_server.h"

#include <algorithm>

#include "scim/text/text.h"

namespace scim::service {

namespace {

constexpr char users[] = "/Users", groups[] = "/Groups";
constexpr char group_schema[] = "urn:ietf:params:scim:schemas:core:2.0:Group";
constexpr char user_schema[] = "urn:ietf:params:scim:schemas:core:2.0:User";
constexpr size_t types_most = 1000;

Error invalid(std::string text) { return {Refusal::import_input, std::move(text)}; }

std::string_view string_of(const json_t *object, std::string_view name) {
    const json_t *value = member_of(object, name);
    return json_is_string(value) ? text_of(value) : std::string_view();
}

// "/Users" from "/Users", "Users" or "https://host/scim/v2/Users".
Result<std::string> endpoint_of(std::string_view text, std::string_view base_url) {
    constexpr std::string_view others = "-._~%/";
    const bool is_below = text.size() > base_url.size() &&
                          text.substr(0, base_url.size()) == base_url &&
                          text[base_url.size()] == '/';
    std::string_view path = is_below ? text.substr(base_url.size()) : text;
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const bool is_path = !path.empty() && std::all_of(path.begin(), path.end(), [&](char c) {
        return is_letter(c) || is_digit(c) || others.find(c) != others.npos;
    });
    if (!is_path)
        return invalid("a resource type has the endpoint " + quoted(text) +
                       ", which is not below the URL of the server");
    return '/' + std::string(path);
}

int rank_of(const RemoteType &type, std::string_view schema) {
    if (schema == user_schema || type.endpoint == users) return 0;
    return type.has_members ? 2 : 1;
}

}  // namespace

// What is parsed is bounded by its bytes: the operator has chosen the server.
Result<Json> parse_remote(std::string_view body) {
    return parse_json(body, JsonLimits{64, remote_body_most, SIZE_MAX});
}

Result<RemotePaging> read_paging(std::string_view body) {
    auto json = parse_remote(body);
    RETURN_IF_ERROR(json);
    const json_t *pagination = member_of(json->get(), "pagination");
    RemotePaging paging;
    paging.by_cursor = json_is_true(member_of(pagination, "cursor"));
    const json_t *most = member_of(pagination, "maxPageSize");
    if (json_is_integer(most) && json_integer_value(most) > 0)
        paging.most = uint64_t(json_integer_value(most));
    return paging;
}

Result<std::vector<RemoteType>> read_types(std::string_view body, std::string_view base_url) {
    auto json = parse_remote(body);
    RETURN_IF_ERROR(json);
    const json_t *resources = member_of(json->get(), "Resources");
    const size_t count = json_array_size(resources);
    if (count == 0 || count > types_most)
        return invalid("\"Resources\" must be an array of 1 to " + std::to_string(types_most) +
                       " resource types");
    std::vector<std::pair<int, RemoteType>> ranked;
    for (size_t i = 0; i < count; i++) {
        const json_t *resource = json_array_get(resources, i);
        const std::string_view schema = string_of(resource, "schema");
        auto endpoint = endpoint_of(string_of(resource, "endpoint"), base_url);
        RETURN_IF_ERROR(endpoint);
        const bool is_known = std::any_of(ranked.begin(), ranked.end(), [&](const auto &other) {
            return other.second.endpoint == *endpoint;
        });
        if (is_known) continue;
        RemoteType type{*endpoint, schema == group_schema || *endpoint == groups, false};
        const int rank = rank_of(type, schema);
        ranked.emplace_back(rank, std::move(type));
    }
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto &a, const auto &b) { return a.first < b.first; });
    std::vector<RemoteType> types;
    types.reserve(ranked.size());
    for (auto &[rank, type] : ranked) types.push_back(std::move(type));
    return types;
}

std::vector<RemoteType> usual_types() { return {{users, false, false}, {groups, true, true}}; }

}  // namespace scim::service
