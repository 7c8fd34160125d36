#include "nginx/client_variables.h"

namespace scim::nginx {

bool is_chosen_by_client(std::string_view variable) {
    constexpr std::string_view prefixes[] = {"http_", "cookie_", "arg_"};
    constexpr std::string_view names[] = {
        "args",           "query_string",    "uri",
        "document_uri",   "request_uri",     "request",
        "host",           "remote_user",     "request_body",
        "content_type",   "content_length",  "request_filename",
        "request_method", "ssl_server_name", "proxy_add_x_forwarded_for"};
    // $1 is a capture, most often of the path.
    if (is_capture(variable)) return true;
    return std::any_of(std::begin(prefixes), std::end(prefixes),
                       [&](std::string_view prefix) { return begins_with(variable, prefix); }) ||
           std::find(std::begin(names), std::end(names), variable) != std::end(names);
}

}  // namespace scim::nginx
