#pragma once
// Which methods an endpoint has (RFC 7644 table 2), and what is said about those it has not.

#include <string_view>

#include "service/request.h"

namespace scim::service {

// 405 for a method that can never apply, 501 for an optional feature that is not there (S-46).
Outcome check_method(Method method, const Target &target);

// The methods of an endpoint for an Allow header: a literal.
std::string_view allowed_methods(const Target &target);

// True if the request is for the writer.
bool is_write(Method method);

// True for a POST that only reads: /.search, /Users/.search.
bool is_search(Method method, std::string_view path);

// True for a GET of ServiceProviderConfig: it is answered without authentication (RFC 7643 5), because
// it says how to authenticate. It says nothing of a tenant.
bool is_public(Method method, std::string_view path);

// False if a request is refused whatever its body says: then the client need not send it.
bool wants_body(const Catalog &catalog, const Request &request, const Actor &actor);

// "create", "get", "list", "replace", "patch", "delete", "search", "discovery", "bulk", "me",
// "unknown": a literal.
std::string_view operation_name(Method method, const Target *target);

Error no_such_resource(const TypeView &type, std::string_view id);

}  // namespace scim::service
