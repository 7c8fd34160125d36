// Tests that `schemas` lists an extension exactly when the resource has a value of it that can be
// returned, and that a filter on `schemas` finds what is listed. This holds with values that are
// never returned and after attributes are undeclared and declared again.

#include "client.h"

using namespace scim;
using namespace scim::service;
using fixture::Client;

namespace {

const std::string urn = "urn:example:acme:2.0:User";

// Returns the extension with `pin`, which is never returned, and if `whole` with `badge`, which is.
Definition acme(bool whole) {
    const std::string_view shown = R"({"name":"badge","type":"string","multiValued":false},)";
    return *load_definition(
        R"({"id":")" + urn + R"(","name":"Acme","attributes":[)" + std::string(whole ? shown : "") +
        R"({"name":"pin","type":"string","multiValued":false,"returned":"never"}]})");
}

std::string body_of(const std::string &name, const std::string &values) {
    return R"({"userName":")" + name + R"(",")" + urn + R"(":{)" + values + "}}";
}

bool lists(const Response &response) {
    return response.body.find("\"" + urn + "\"") < response.body.find(']');
}

// A user in a store whose configuration changes.
struct User {
    std::string name, values, id;

    void create(Client &client) { id = client.create("/Users", body_of(name, values)); }
    void check(Client &client, bool is_listed, const std::string &when) const {
        const std::string path = "/Users/" + id;
        const std::string verb = is_listed ? "lists" : "does not list";
        const std::string of = " of user '" + name + "'" + when;
        is(lists(client.get(path)), is_listed,
           "[S-31] schemas" + of + " " + verb + " the extension");
        is(lists(client.get(path, "attributes=userName")), is_listed,
           "schemas" + of + " " + verb + " the extension, with attributes=userName");
        for (const char *op : {"eq", "sw", "co"}) {
            std::string filter = "filter=userName+eq+%22" + name + "%22+and+schemas+";
            Response found = client.get("/Users", filter + op + "+%22" + urn + "%22");
            is(found.body.find("\"totalResults\":1,") != std::string::npos, is_listed,
               std::string("schemas ") + op + (is_listed ? " matches" : " does not match") +
                   " the extension" + of);
        }
    }
};

User shown{"shown", R"("badge":"7")", {}}, hidden{"hidden", R"("pin":"1")", {}},
    both{"both", R"("badge":"7","pin":"1")", {}}, neither{"neither", "", {}};

// Opens the store with the extension as declared in this generation and tests all users.
void test(const std::string &path, const store::Tenant &tenant, uint64_t generation, bool whole,
          const std::string &when) {
    auto store = fixture::open_store(path, size_t(64) << 20, {acme(whole)}, generation);
    Client client(*store, tenant);
    if (generation == 1)
        for (User *user : {&shown, &hidden, &both, &neither}) user->create(client);
    shown.check(client, whole, when);
    both.check(client, whole, when);
    hidden.check(client, false, when);
    neither.check(client, false, when);
    // A PATCH rewrites the record; it keeps the values of undeclared attributes.
    std::string patch = R"({"Operations":[{"op":"add","path":"title","value":"t)" +
                        std::to_string(generation) + "\"}]}";
    is(client.send(Method::patch, "/Users/" + shown.id, patch).status, 200,
       "PATCH of a user" + when + " is answered with 200");
    shown.check(client, whole, when);
}

}  // namespace

int main() {
    fixture::TempDir dir;
    auto tenant = fixture::add_tenant(fixture::open_store(dir.path)->env(), "one");
    test(dir.path, tenant, 1, true, "");
    test(dir.path, tenant, 2, false, " after its attribute is undeclared");
    test(dir.path, tenant, 3, true, " after its attribute is declared again");
    return tap::done();
}
