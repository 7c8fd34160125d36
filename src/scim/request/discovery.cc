#include "scim/request/discovery.h"

#include "scim/request/list.h"
#include "scim/schema/schema.h"
#include "scim/text/json.h"

namespace scim {

namespace {

// The features of this server. Set one to true only together with the code that implements it:
// clients rely on these values.
constexpr bool supports_patch = true;
constexpr bool supports_bulk = true;
constexpr bool supports_filter = true;
constexpr bool supports_change_password = false;
constexpr bool supports_sort = true;
constexpr bool supports_etag = true;
constexpr bool supports_cursor_pagination = true;
constexpr bool supports_index_pagination = true;

std::string_view to_text(bool value) { return value ? "true" : "false"; }

// Writes `meta` and the closing brace of the resource.
void write_meta(std::string &out, std::string_view resource_type, std::string_view base_url,
                std::string_view path, std::string_view name) {
    out += R"(,"meta":{"resourceType":)";
    write_string(out, resource_type);
    out += R"(,"location":)";
    write_string(out, std::string(base_url).append(path).append(name));
    out += "}}";
}

void write_one(std::string &out, const ResourceType &type, std::string_view base_url) {
    write_resource_type(out, type);
    write_meta(out, "ResourceType", base_url, "/ResourceTypes/", type.name);
}

void write_one(std::string &out, const Schema &schema, std::string_view base_url) {
    write_schema(out, schema);
    write_meta(out, "Schema", base_url, "/Schemas/", schema.id);
}

// Leaves the object of the feature open.
void write_supported(std::string &out, std::string_view feature, bool supported) {
    out += ",\"";
    out += feature;
    out += R"(":{"supported":)";
    out += to_text(supported);
}

void write_count(std::string &out, std::string_view name, uint64_t value) {
    out += ",\"";
    out += name;
    out += "\":";
    out += std::to_string(value);
}

void write_authentication_schemes(std::string &out, bool bearer_token) {
    out += R"(,"authenticationSchemes":[)";
    if (bearer_token)
        out += R"({"type":"oauthbearertoken","name":"OAuth Bearer Token",)"
               R"("description":"A bearer token in the Authorization header of every request.",)"
               R"("specUri":"https://www.rfc-editor.org/info/rfc6750","primary":true})";
    out += ']';
}

// RFC 9865 4.
void write_pagination(std::string &out, const Features &features) {
    out += R"(,"pagination":{"cursor":)";
    out += to_text(supports_cursor_pagination);
    out += R"(,"index":)";
    out += to_text(supports_index_pagination);
    out += R"(,"defaultPaginationMethod":"index")";
    write_count(out, "defaultPageSize", page_of(Query(), features.max_results).count);
    write_count(out, "maxPageSize", features.max_results);
    write_count(out, "cursorTimeout", uint64_t(features.cursor_timeout));
    out += '}';
}

Error not_found(std::string_view what, std::string_view name, std::string_view list) {
    std::string detail = "there is no " + std::string(what) + ' ' + quoted(name) + "; ";
    detail += list;
    detail += " lists all of them";
    return Error{Refusal::discovery_unknown, std::move(detail)};
}

void separate(std::string &list) {
    if (!list.empty()) list += ',';
}

}  // namespace

void write_service_provider_config(std::string &out, const Features &features,
                                   std::string_view base_url) {
    out += R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"])";
    write_supported(out, "patch", supports_patch);
    out += '}';
    write_supported(out, "bulk", supports_bulk);
    write_count(out, "maxOperations", features.bulk_max_operations);
    write_count(out, "maxPayloadSize", features.bulk_max_payload);
    out += '}';
    write_supported(out, "filter", supports_filter);
    write_count(out, "maxResults", features.max_results);
    out += '}';
    write_supported(out, "changePassword", supports_change_password);
    out += '}';
    write_supported(out, "sort", supports_sort);
    out += '}';
    write_supported(out, "etag", supports_etag);
    out += '}';
    write_authentication_schemes(out, features.bearer_token);
    write_pagination(out, features);
    write_meta(out, "ServiceProviderConfig", base_url, "/ServiceProviderConfig", "");
}

void write_resource_types(std::string &out, const Catalog &catalog, std::string_view base_url) {
    std::string all;
    for (const auto &view : catalog.types()) {
        separate(all);
        write_one(all, view->type, base_url);
    }
    write_list(out, catalog.types().size(), 1, catalog.types().size(), all);
}

void write_schemas(std::string &out, const Catalog &catalog, std::string_view base_url) {
    std::string all;
    for (const Schema *schema : catalog.schemas()) {
        separate(all);
        write_one(all, *schema, base_url);
    }
    write_list(out, catalog.schemas().size(), 1, catalog.schemas().size(), all);
}

Outcome write_resource_type(std::string &out, const Catalog &catalog, std::string_view name,
                            std::string_view base_url) {
    const TypeView *view = catalog.type_by_name(name);
    if (!view) return not_found("resource type", name, "/ResourceTypes");
    write_one(out, view->type, base_url);
    return Done{};
}

Outcome write_schema(std::string &out, const Catalog &catalog, std::string_view urn,
                     std::string_view base_url) {
    const Schema *schema = catalog.schema(urn);
    if (!schema) return not_found("schema", urn, "/Schemas");
    write_one(out, *schema, base_url);
    return Done{};
}

}  // namespace scim
