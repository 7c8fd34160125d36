#include "scim/request/search.h"

#include "scim/text/text.h"

namespace scim {

namespace {

Error wrong(std::string_view name, std::string_view expected, const json_t *got) {
    return Error(name == "filter" ? Refusal::filter_empty : Refusal::parameter_type,
                 "\"" + std::string(name) + "\" of a SearchRequest must be " +
                     std::string(expected) + ", not " + std::string(kind_of(got)));
}

Outcome read_text(const json_t *body, std::string_view name, std::optional<std::string> &out) {
    const json_t *value = member_of(body, name);
    if (!value || json_is_null(value)) return Done{};
    if (!json_is_string(value)) return wrong(name, "a string", value);
    out = text_of(value);
    return Done{};
}

Outcome read_number(const json_t *body, std::string_view name, std::optional<int64_t> &out,
                    Dialect &dialect) {
    const json_t *value = member_of(body, name);
    if (!value || json_is_null(value)) return Done{};
    if (json_is_string(value) && json_string_length(value) == 0 &&
        dialect.accepts("empty-parameter"))
        return Done{};
    const Json number = dialect.number(AttrType::integer, value);
    if (number) value = number.get();
    if (!json_is_integer(value)) return wrong(name, "an integer", value);
    out = json_integer_value(value);
    return Done{};
}

// The names, comma-separated as in a query string.
Outcome read_names(const json_t *body, std::string_view name, std::optional<std::string> &out,
                   Dialect &dialect) {
    const json_t *value = member_of(body, name);
    if (!value || json_is_null(value)) return Done{};
    const auto elements =
        json_is_array(value) || json_is_string(value) ? dialect.elements(value) : std::nullopt;
    if (!elements) return wrong(name, "an array of names", value);
    std::string names;
    for (size_t i = 0; i < elements->size(); i++) {
        const json_t *one = (*elements)[i];
        if (!json_is_string(one)) return wrong(name, "an array of names", one);
        names += names.empty() ? "" : ",";
        names += text_of(one);
    }
    out = std::move(names);
    return Done{};
}

Outcome check_schemas(const json_t *body) {
    const json_t *schemas = member_of(body, "schemas");
    for (size_t i = 0; i < json_array_size(schemas); i++) {
        const json_t *one = json_array_get(schemas, i);
        if (json_is_string(one) && ascii_iequals(text_of(one), search_request_urn)) return Done{};
    }
    return Error{Refusal::search_schemas,
                 "\"schemas\" of the body must be [\"" + std::string(search_request_urn) + "\"]"};
}

}  // namespace

Result<Query> read_search(const json_t *body, Dialect &dialect) {
    Query query;
    RETURN_IF_ERROR(check_schemas(body));
    RETURN_IF_ERROR(read_text(body, "filter", query.filter));
    RETURN_IF_ERROR(read_text(body, "sortBy", query.sort_by));
    RETURN_IF_ERROR(read_text(body, "sortOrder", query.sort_order));
    RETURN_IF_ERROR(read_text(body, "cursor", query.cursor));
    RETURN_IF_ERROR(read_number(body, "startIndex", query.start_index, dialect));
    RETURN_IF_ERROR(read_number(body, "count", query.count, dialect));
    RETURN_IF_ERROR(read_names(body, "attributes", query.attributes, dialect));
    RETURN_IF_ERROR(read_names(body, "excludedAttributes", query.excluded_attributes, dialect));
    if (query.filter && query.filter->find_first_not_of(' ') == query.filter->npos)
        return Error{Refusal::filter_empty,
                     "\"filter\" of a SearchRequest is empty, expected a filter such as "
                     "userName eq \"bjensen\""};
    return query;
}

}  // namespace scim
