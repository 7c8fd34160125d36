// Tests that id_in_uri() returns the last path segment of a resource's URI if it follows the
// endpoint.

#include "scim/resource/reference.h"

#include "tap.h"

using namespace scim;

namespace {

std::string id(std::string_view uri) {
    return std::string(id_in_uri(uri, "/Users").value_or("nothing"));
}

}  // namespace

int main() {
    for (const char *uri : {"https://x.example/scim/v2/Users/26118915", "../Users/26118915",
                            "Users/26118915", "/Users/26118915", "/v2/Users/26118915/",
                            "http://h/Users/26118915?attributes=id", "http://h/Users/26118915#x"})
        is(id(uri), "26118915", std::string("[S-15] the id in ") + uri + " is found");
    is(id("/Users/Users"), "Users", "an id that equals the endpoint's name is found");
    for (const char *uri : {"", "/", "26118915", "/Groups/26118915", "/Users", "/Users/", "Users/",
                            "/users/26118915", "/OtherUsers2/1", "/Users/a/b", "/Users/a%20b"})
        is(id(uri), "nothing", std::string("\"") + uri + "\" has no id of a User");
    return tap::done();
}
