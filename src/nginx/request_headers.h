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

// The number of fields of the request whose name has this form.
size_t count_headers(ngx_http_request_t *r, std::string_view form);

// True if a field has this form, but another character than "-" in its name.
bool has_other_spelling(ngx_http_request_t *r, std::string_view form);

// Gives a subrequest a list of header fields of its own: nginx shares the parts of the list with the
// main request. Pointers of nginx to the fields stay valid. Throws std::bad_alloc.
void copy_headers(ngx_http_request_t *r);

// Removes the fields whose names have this form. Pointers of nginx to the other fields stay valid.
void remove_headers(ngx_http_request_t *r, std::string_view form);

// Adds a field. `lowcase` and `hash` are those of the name. The strings must live as long as the
// request. Throws std::bad_alloc.
void add_header(ngx_http_request_t *r, ngx_str_t name, ngx_str_t lowcase, ngx_uint_t hash,
                ngx_str_t value);

}  // namespace scim::nginx
