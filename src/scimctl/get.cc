// scimctl get: shows one resource as the server would.

#include "scim/text/id.h"
#include "scim/text/json.h"
#include "scim/text/percent.h"
#include "scimctl/commands.h"
#include "scimctl/reading.h"

namespace scim::scimctl {

namespace {

// The id of the only resource whose userName, or displayName if the type has no userName, is `name`.
// 404 if there is none; 409 if there are several.
Result<std::string> id_of(service::Snapshot &snapshot, const service::Actor &actor,
                          const TypeView &type, const std::string &name,
                          const std::string &tenant) {
    const Attr *attr = type.user_name != nullptr ? type.user_name : type.display_name;
    const std::string see = "; scimctl find --tenant " + tenant + " --type " + type.type.name +
                            " lists them with their ids";
    const std::string resource = type.type.name + " " + quoted(name);
    if (attr == nullptr) return Error{Refusal::name_unknown, resource + " is not an id" + see};
    std::string filter = attr->path + " eq ", args;
    write_string(filter, name);
    append_parameter(args, "filter", filter);
    append_parameter(args, "attributes", "id");
    auto body = read_as_server(snapshot, actor, type.type.endpoint, args, {});
    RETURN_IF_ERROR(body);
    auto list = parse_json(*body, JsonLimits{64, body->size(), SIZE_MAX});
    RETURN_IF_ERROR(list);
    const json_t *found = json_object_get(list->get(), "Resources");
    if (json_array_size(found) == 0)
        return Error{Refusal::name_unknown, "there is no " + resource + see};
    if (json_array_size(found) > 1)
        return Error{Refusal::name_ambiguous, "several resources are " + resource + see};
    return std::string(text_of(json_object_get(json_array_get(found, 0), "id")));
}

Result<std::string> resource_of(service::Snapshot &snapshot, const GetArguments &arguments) {
    auto actor = reader_of(snapshot, arguments.tenant);
    RETURN_IF_ERROR(actor);
    auto type = type_named(*snapshot.catalog(), arguments.type);
    RETURN_IF_ERROR(type);
    // An id becomes part of a path, so it must not contain "/" or "..".
    std::string id = arguments.which;
    if (!parse_id(id)) {
        auto named = id_of(snapshot, **actor, **type, arguments.which, arguments.tenant);
        RETURN_IF_ERROR(named);
        id = std::move(*named);
    }
    return read_as_server(snapshot, **actor, (*type)->type.endpoint + "/" + id, {},
                          arguments.base_url);
}

}  // namespace

int get(const Globals &globals, const GetArguments &arguments) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    service::Session session(*store);
    service::Snapshot snapshot(session);
    auto body = resource_of(snapshot, arguments);
    if (!body) return fail(globals, body.error());
    return print(globals, *body) ? exit_ok : exit_store;
}

}  // namespace scim::scimctl
