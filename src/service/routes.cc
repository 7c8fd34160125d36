#include "service/routes.h"

#include "service/content_type.h"

namespace scim::service {

namespace {

Error not_implemented(std::string detail) { return Error{Refusal::me_unbound, std::move(detail)}; }

// True for all methods of /Me, which check_method() refuses with 501.
bool has_method(Endpoint endpoint, Method method) {
    switch (endpoint) {
        case Endpoint::me: return true;
        case Endpoint::bulk:
        case Endpoint::search: return method == Method::post;
        case Endpoint::resources: return method == Method::get || method == Method::post;
        case Endpoint::resource: return method != Method::post && method != Method::other;
        default: return method == Method::get;
    }
}

}  // namespace

std::string_view allowed_methods(const Target &target) {
    switch (target.endpoint) {
        case Endpoint::resources: return "GET, HEAD, POST";
        case Endpoint::resource: return "GET, HEAD, PUT, PATCH, DELETE";
        case Endpoint::search:
        case Endpoint::bulk: return "POST";
        default: return "GET, HEAD";
    }
}

Outcome check_method(Method method, const Target &target) {
    if (target.endpoint == Endpoint::me)
        return not_implemented(
            "the token is not bound to a user, so there is no /Me: create it with scimctl "
            "token create --subject, or address users by /Users/{id}");
    if (has_method(target.endpoint, method)) return Done{};
    return Error{Refusal::method_not_allowed, std::string(to_string(method)) +
                                                  " is not allowed; this endpoint supports " +
                                                  std::string(allowed_methods(target))};
}

bool is_write(Method method) { return method != Method::get && method != Method::other; }

bool is_search(Method method, std::string_view path) {
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    constexpr std::string_view search = "/.search";
    return method == Method::post && path.size() >= search.size() &&
           path.substr(path.size() - search.size()) == search;
}

bool is_public(Method method, std::string_view path) {
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    constexpr std::string_view version = "/v2/";  // parse_target() accepts it, too
    if (path.substr(0, version.size()) == version) path.remove_prefix(version.size() - 1);
    return method == Method::get && path == "/ServiceProviderConfig";
}

bool wants_body(const Catalog &catalog, const Request &request, const Actor &actor) {
    bool reads = is_search(request.method, request.path);
    if (!actor.may(reads ? store::scope_read : store::scope_write)) return false;
    auto target = parse_target(catalog, request.path);
    if (target && target->endpoint == Endpoint::me && !actor.subject.empty())
        target->endpoint = Endpoint::resource;
    return target && check_method(request.method, *target) && check_content_type(request);
}

std::string_view operation_name(Method method, const Target *target) {
    if (target == nullptr || !has_method(target->endpoint, method)) return "unknown";
    switch (target->endpoint) {
        case Endpoint::resources: return method == Method::post ? "create" : "list";
        case Endpoint::resource:
            switch (method) {
                case Method::put: return "replace";
                case Method::patch: return "patch";
                case Method::del: return "delete";
                default: return "get";
            }
        case Endpoint::root: return "list";
        case Endpoint::search: return "search";
        case Endpoint::bulk: return "bulk";
        case Endpoint::me: return "me";
        default: return "discovery";
    }
}

Error no_such_resource(const TypeView &type, std::string_view id) {
    return Error{Refusal::resource_unknown,
                 "there is no " + type.type.name + " with the id " + quoted(id)};
}

}  // namespace scim::service
