// Tests the methods of each endpoint, the status of refused methods, the operation names in the
// log, and that the body of a request that is refused anyway is not read.

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

// Returns the status of each method in the order of `methods`, 0 for accepted ones, and the value
// of Allow.
std::string table(const Target &target) {
    std::string out;
    for (Method method : methods) {
        auto outcome = check_method(method, target);
        out += std::to_string(outcome ? 0 : outcome.error().status()) + " ";
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
    is(table(at("/Users")), "0 0 405 405 405 405 GET, HEAD, POST", "/Users accepts GET and POST");
    const std::string one = "/Users/00000000-0000-4000-8000-000000000001";
    is(table(at(one)), "0 405 0 0 0 405 GET, HEAD, PUT, PATCH, DELETE",
       "/Users/{id} accepts GET, PUT, PATCH and DELETE");
    is(table(at("/Schemas")), "0 405 405 405 405 405 GET, HEAD", "/Schemas accepts GET only");
    is(table(at("/Me")), "501 501 501 501 501 501 GET, HEAD", "/Me refuses every method with 501");
    is(table(at("/Bulk")), "405 0 405 405 405 405 POST", "/Bulk accepts POST only");
    is(table(at("/Users/.search")), "405 0 405 405 405 405 POST",
       "/Users/.search accepts POST only");
    is(table(at("")), "0 405 405 405 405 405 GET, HEAD", "the root accepts GET only");
    auto refused = check_method(Method::put, at("/Users"));
    ok(!refused && refused.error().detail.find("PUT is not allowed") == 0,
       "the error of PUT to /Users names the method");

    is(names(at("/Users")), "list create unknown unknown unknown unknown ",
       "the operations of /Users are list and create");
    is(names(at(one)), "get unknown replace patch delete unknown ",
       "the operations of /Users/{id} are get, replace, patch and delete");
    is(names(at("/Users/.search")), "unknown search unknown unknown unknown unknown ",
       "the operation of /Users/.search is search");
    is(names(at("/Bulk")), "unknown bulk unknown unknown unknown unknown ",
       "the operation of /Bulk is bulk");
    is(operation_name(Method::get, nullptr), "unknown",
       "the operation of a request without a target is unknown");
    const std::pair<const char *, const char *> others[] = {
        {"", "list"},
        {"/Me", "me"},
        {"/Schemas", "discovery"},
        {"/ServiceProviderConfig", "discovery"}};
    for (auto [path, name] : others) {
        Target target = at(path);
        is(operation_name(Method::get, &target), name,
           std::string("the operation of GET '") + path + "' is " + name);
    }
}

void test_writes(const Catalog &catalog) {
    std::string writes;
    for (Method method : methods) writes += is_write(method) ? 'w' : '-';
    is(writes, "-wwww-", "POST, PUT, PATCH and DELETE are writes");

    Actor reader, writer;
    reader.scopes = store::scope_read;
    writer.scopes = store::scope_read | store::scope_write;
    Request request;
    request.method = Method::post;
    request.path = "/Users";
    ok(wants_body(catalog, request, writer), "the body of an acceptable POST is read");
    request.content_type = "text/plain";
    ok(!wants_body(catalog, request, writer),
       "the body of a POST of another media type is not read");
    request.content_type = "";
    request.content_encoding = "gzip";
    ok(!wants_body(catalog, request, writer),
       "the body of a POST with a content encoding is not read");
    request.content_encoding = "";
    ok(!wants_body(catalog, request, reader), "the body of a POST without scope_write is not read");
    request.path = "/Groups/.search";
    ok(wants_body(catalog, request, reader), "the body of a search with scope_read is read");
    reader.scopes = 0;
    ok(!wants_body(catalog, request, reader), "the body of a search without scopes is not read");
    for (const char *path : {"/.search", "/Users/.search", "/v2/Users//.search/"})
        ok(is_search(Method::post, path), std::string("POST ") + path + " is a search");
    ok(!is_search(Method::get, "/.search") && !is_search(Method::post, "/Users") &&
           !is_search(Method::post, ".search") && !is_search(Method::post, "/Users.search"),
       "GET /.search and POST to other paths are not searches");
    request.path = "/Nothing";
    ok(!wants_body(catalog, request, writer),
       "the body of a POST to an unknown endpoint is not read");
    request.path = "/Schemas";
    ok(!wants_body(catalog, request, writer), "the body of a POST to /Schemas is not read");
}

void test_request() {
    std::string names;
    for (Method method : methods) names += std::string(to_string(method)) + " ";
    is(names, "GET POST PUT PATCH DELETE this method ",
       "the methods have their names, other ones 'this method'");

    Response response;
    response.etag = "W/\"1\"";
    response.location = "x";
    Settings settings;
    Request request;
    request.settings = &settings;
    request.id[0] = 0xab;
    request.id[15] = 0x01;
    is(request_text(request.id), "ab000000000000000000000000000001",
       "request_text() writes the id in hexadecimal");
    refuse(response, Error{Refusal::uniqueness_conflict, "taken", 3}, request);
    ok(response.status == 409 && response.retry_after == 3 && response.etag.empty() &&
           response.location.empty() && response.log_fields.scim_type == ScimType::uniqueness &&
           response.log_fields.error_id == "uniqueness-conflict",
       "refuse() replaces status, ETag, Location, scimType and errorId of a response");
    ok(response.body.find("taken (request ab00") != std::string::npos,
       "the body of a refused response has the request id");
    response.log_fields.operation = "create";
    response.clear();
    ok(response.status == 500 && response.retry_after == 0 && response.body.empty() &&
           response.log_fields.operation.empty() && response.log_fields.detail.empty() &&
           response.log_fields.scim_type == ScimType::none && response.log_fields.error_id.empty(),
       "clear() resets status, Retry-After, body and log fields");
}

}  // namespace

int main() {
    auto shared = catalog();
    test_methods(*shared);
    test_writes(*shared);
    test_request();
    return tap::done();
}
