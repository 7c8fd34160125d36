#pragma once
// Removes and adds header fields of a request, for the applications behind the proxy.
//
// CGI, FastCGI, WSGI and PHP make one variable of X-User, x_user and X_User. Names are therefore
// compared by header_form().

#include <string>
#include <string_view>

#include "nginx/ngx.h"

namespace scim::nginx {

// The name in lower case, with "-" for every character that is neither a letter nor a digit.
std::string header_form(std::string_view name);

// True if the field name has this form.
bool has_form(std::string_view name, std::string_view form);

// The fields of the request whose names have a form.
struct HeaderCount {
    size_t all = 0;
    size_t other_spellings = 0;  // with another character than "-" in the name
};
HeaderCount count_headers(ngx_http_request_t *r, std::string_view form);

// Gives a subrequest a list of header fields of its own: nginx shares the parts of the list with the
// main request. Pointers of nginx to the fields stay valid. Throws std::bad_alloc.
void copy_headers(ngx_http_request_t *r);

// Removes the fields whose names have this form. Pointers of nginx to the other fields stay valid.
void remove_headers(ngx_http_request_t *r, std::string_view form);

// The member of headers_in that nginx keeps for fields of this name, in lower case; NULL if there is
// none.
const ngx_http_header_t *known_header(const ngx_http_core_main_conf_t &cmcf, std::string_view name);

// Adds a field. `lowcase`, `hash` and `known` (known_header()) are those of the name. The strings
// must live as long as the request. Throws std::bad_alloc.
void add_header(ngx_http_request_t *r, ngx_str_t name, ngx_str_t lowcase, ngx_uint_t hash,
                const ngx_http_header_t *known, ngx_str_t value);

}  // namespace scim::nginx
