// The id in the URI of a resource is its last segment, behind the endpoint.

#include "scim/reference.h"

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
        is(id(uri), "26118915", std::string("the id in ") + uri);
    is(id("/Users/Users"), "Users", "an id that is called like the endpoint");
    for (const char *uri : {"", "/", "26118915", "/Groups/26118915", "/Users", "/Users/", "Users/",
                            "/users/26118915", "/OtherUsers2/1", "/Users/a/b", "/Users/a%20b"})
        is(id(uri), "nothing", std::string("no id in \"") + uri + "\"");
    return tap::done();
}
