// Each endpoint takes its methods, refuses others by the right status, and is named in the log;
// what is refused without its body need not be sent.

#include "service/routes.h"

#include "fixture.h"

using namespace scim;
using namespace scim::service;

namespace {

const Method methods[] = {Method::get,   Method::post, Method::put,
                          Method::patch, Method::del,  Method::other};

std::shared_ptr<const Catalog> catalog() {
    auto rows = declare({}, *make_declaration(1, {}));
    return *Catalog::build(std::move(**rows));
}

// The status of each method in the order of `methods`, 0 for one that is taken, and Allow.
std::string table(const Target &target) {
    std::string out;
    for (Method method : methods) {
        auto outcome = check_method(method, target);
        out += std::to_string(outcome ? 0 : outcome.error().status) + " ";
    }
    return out + std::string(allowed_methods(target));
}

std::string names(const Target &target) {
    std::string out;
    for (Method method : methods) out += std::string(operation_name(method, &target)) + " ";
    return out;
}

void test_methods(const Catalog &catalog) {
    auto at = [&](std::string_view path) { return *parse_target(catalog, path); };
    is(table(at("/Users")), "0 0 405 405 405 405 GET, HEAD, POST", "a collection");
    const std::string one = "/Users/00000000-0000-4000-8000-000000000001";
    is(table(at(one)), "0 405 0 0 0 405 GET, HEAD, PUT, PATCH, DELETE", "a resource");
    is(table(at("/Schemas")), "0 405 405 405 405 405 GET, HEAD", "discovery");
    is(table(at("/Me")), "501 501 501 501 501 501 GET, HEAD", "/Me");
    is(table(at("/Bulk")), "501 501 501 501 501 501 POST", "/Bulk");
    is(table(at("/Users/.search")), "405 0 405 405 405 405 POST", "/.search");
    is(table(at("")), "0 405 405 405 405 405 GET, HEAD", "the root");
    auto refused = check_method(Method::put, at("/Users"));
    ok(!refused && refused.error().detail.find("PUT is not possible here") == 0, "in words");

    is(names(at("/Users")), "list create list list list list ", "operations of a collection");
    is(names(at(one)), "get get replace patch delete get ", "of a resource");
    is(operation_name(Method::get, nullptr), "unknown", "of nothing");
    const std::pair<const char *, const char *> others[] = {
        {"", "list"},  {"/.search", "search"},    {"/Bulk", "bulk"},
        {"/Me", "me"}, {"/Schemas", "discovery"}, {"/ServiceProviderConfig", "discovery"}};
    for (auto [path, name] : others) {
        Target target = at(path);
        is(operation_name(Method::get, &target), name, std::string("of ") + path);
    }
}

void test_writes(const Catalog &catalog) {
    std::string writes;
    for (Method method : methods) writes += is_write(method) ? 'w' : '-';
    is(writes, "-wwww-", "what goes to the writer");

    Actor reader, writer;
    reader.scopes = store::scope_read;
    writer.scopes = store::scope_read | store::scope_write;
    Request request;
    request.method = Method::post;
    request.path = "/Users";
    ok(wants_body(catalog, request, writer), "a body is asked for");
    request.content_type = "text/plain";
    ok(!wants_body(catalog, request, writer), "not of another type");
    request.content_type = "";
    request.content_encoding = "gzip";
    ok(!wants_body(catalog, request, writer), "not of another encoding");
    request.content_encoding = "";
    ok(!wants_body(catalog, request, reader), "not of one who may not write");
    request.path = "/Groups/.search";
    ok(wants_body(catalog, request, reader), "a search only reads");
    reader.scopes = 0;
    ok(!wants_body(catalog, request, reader), "but that it must be allowed to");
    for (const char *path : {"/.search", "/Users/.search", "/v2/Users//.search/"})
        ok(is_search(Method::post, path), path);
    ok(!is_search(Method::get, "/.search") && !is_search(Method::post, "/Users") &&
           !is_search(Method::post, ".search") && !is_search(Method::post, "/Users.search"),
       "what is no search");
    request.path = "/Nothing";
    ok(!wants_body(catalog, request, writer), "not for no endpoint");
    request.path = "/Schemas";
    ok(!wants_body(catalog, request, writer), "not for an endpoint without the method");
}

void test_request() {
    std::string names;
    for (Method method : methods) names += std::string(to_string(method)) + " ";
    is(names, "GET POST PUT PATCH DELETE this method ", "methods in words");

    Response response;
    response.etag = "W/\"1\"";
    response.location = "x";
    store::RequestId id{};
    id[0] = 0xab;
    id[15] = 0x01;
    is(request_text(id), "ab000000000000000000000000000001", "a request's number");
    refuse(response, Error{409, ScimType::uniqueness, "taken", 3}, id);
    ok(response.status == 409 && response.retry_after == 3 && response.etag.empty() &&
           response.location.empty() && response.facts.scim_type == ScimType::uniqueness,
       "a refusal takes the place of an answer");
    ok(response.body.find("taken (request ab00") != std::string::npos, "and names the request");
    response.facts.operation = "create";
    response.clear();
    ok(response.status == 500 && response.retry_after == 0 && response.body.empty() &&
           response.facts.operation.empty() && response.facts.detail.empty() &&
           response.facts.scim_type == ScimType::none,
       "a cleared answer says nothing");
}

}  // namespace

int main() {
    auto shared = catalog();
    test_methods(*shared);
    test_writes(*shared);
    test_request();
    return tap::done();
}
