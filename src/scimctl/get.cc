// scimctl get: one resource as the server would show it.

#include "scim/id.h"
#include "scimctl/commands.h"
#include "service/read.h"

namespace scim::scimctl {

int get(const Globals &globals, const GetArguments &arguments) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    service::Session session(*store);
    service::Snapshot snapshot(session);
    if (auto usable = snapshot.usable(); !usable) return fail(globals, usable.error());
    auto actor = session.authenticator.anonymous(snapshot.txn, arguments.tenant, store::scope_read);
    if (!actor)
        return actor.error().status == 503
                   ? fail(globals, actor.error())
                   : fail(globals, exit_refused, "there is no tenant " + quoted(arguments.tenant));
    const TypeView *type = snapshot.catalog()->type_by_name(arguments.type);
    if (type == nullptr) type = snapshot.catalog()->type_by_endpoint(arguments.type);
    if (type == nullptr)
        return fail(globals, exit_refused, "there is no resource type " + quoted(arguments.type));
    // What is no id would be read as another address.
    if (!parse_id(arguments.id))
        return fail(globals, exit_refused, quoted(arguments.id) + " is not the id of a resource");
    service::Settings settings;
    service::Request request;
    std::string path = type->type.endpoint + "/" + arguments.id;
    std::string_view base_url = arguments.base_url;
    while (!base_url.empty() && base_url.back() == '/') base_url.remove_suffix(1);
    request.method = service::Method::get;
    request.path = path;
    request.base_url = base_url;
    request.settings = &settings;
    request.now = now();
    service::Response response;
    auto outcome = service::read(snapshot, **actor, request, response);
    if (!outcome) return fail(globals, outcome.error());
    return print(globals, response.body) ? exit_ok : exit_store;
}

}  // namespace scim::scimctl
