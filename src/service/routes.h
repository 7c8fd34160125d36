#pragma once
// The HTTP methods of each endpoint (RFC 7644 3.2), and the errors for other methods.

#include <string_view>

#include "service/request.h"

namespace scim::service {

// 405 for a method that the endpoint does not have, 501 for an optional SCIM feature that is not
// supported (RFC 7644 3.12).
Outcome check_method(Method method, const Target &target);

// The methods of an endpoint, as the value of an Allow header. A literal.
std::string_view allowed_methods(const Target &target);

// True if the method writes. POST .search is an exception, see is_search().
bool is_write(Method method);

// True for a POST that only reads: /.search, /Users/.search (RFC 7644 3.4.3).
bool is_search(Method method, std::string_view path);

// True for GET of ServiceProviderConfig, which is served without authentication (RFC 7643 5),
// because it tells how to authenticate. It contains no data of a tenant.
bool is_public(Method method, std::string_view path);

// False if the request is refused whatever its body is, so that the client need not send the body.
bool wants_body(const Catalog &catalog, const Request &request, const Actor &actor);

// "create", "get", "list", "replace", "patch", "delete", "search", "discovery", "bulk", "me"; or
// "unknown" without a target and for a method that the target does not have. A literal.
std::string_view operation_name(Method method, const Target *target);

Error no_such_resource(const TypeView &type, std::string_view id);

}  // namespace scim::service
