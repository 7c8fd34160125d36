// scimctl get: shows one resource as the server would.

#include "scim/text/id.h"
#include "scimctl/commands.h"
#include "scimctl/reading.h"

namespace scim::scimctl {

int get(const Globals &globals, const GetArguments &arguments) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    service::Session session(*store);
    service::Snapshot snapshot(session);
    auto actor = reader_of(session, snapshot, arguments.tenant);
    if (!actor) return fail(globals, actor.error());
    auto type = type_named(*snapshot.catalog(), arguments.type);
    if (!type) return fail(globals, type.error());
    // The id becomes part of a path, so it must not contain "/" or "..".
    if (!parse_id(arguments.id))
        return fail(globals, exit_refused,
                    quoted(arguments.id) + " is not the id of a resource; scimctl find --tenant " +
                        arguments.tenant + " prints ids, for example of 'userName eq \"ada\"'");
    auto body = read_as_server(snapshot, **actor, (*type)->type.endpoint + "/" + arguments.id, {},
                               arguments.base_url);
    if (!body) return fail(globals, body.error());
    return print(globals, *body) ? exit_ok : exit_store;
}

}  // namespace scim::scimctl
