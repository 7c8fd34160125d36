#include "scim/json.h"
#include "service/command.h"
#include "service/conditions.h"
#include "service/content_type.h"
#include "service/routes.h"

namespace scim::service {

namespace {

// A resource that was never said to be inactive is active: Okta and Entra expect to read it back.
void default_active(const TypeView &type, Resource &resource) {
    const Attr *active = type.find_core("active");
    if (active == nullptr || active->def->type != Type::boolean ||
        resource.find(active->number) != nullptr)
        return;
    resource.leaves.push_back({active->number, 0, "true"});
    canonical_order(type, resource.leaves);
}

Outcome read_body(Command &command, const Request &request, Report &report) {
    auto typed = check_content_type(request);
    if (!typed) return typed;
    auto body = parse_json(request.body, request.settings->json);
    if (!body) return body.error();
    if (command.operation == store::Operation::patch) {
        auto patch = Patch::parse(*command.type, body->get(), request.settings->patch_limits(),
                                  request.settings->strict, report);
        if (!patch) return patch.error();
        command.patch = std::move(*patch);
        return Done{};
    }
    auto resource = read_resource(*command.type, body->get(), request.settings->strict, report,
                                  ReadLimits{request.settings->max_members});
    if (!resource) return resource.error();
    command.resource = std::move(*resource);
    if (command.operation == store::Operation::create)
        default_active(*command.type, command.resource);
    auto complete = check_required(*command.type, command.resource);
    if (!complete) return complete;
    auto indexable = check_index_work(
        store::index_work(*command.catalog, *command.type, command.resource.leaves));
    if (!indexable) return indexable;
    command.index = store::index_values(*command.catalog, *command.type, command.resource.leaves);
    return Done{};
}

store::Operation operation_of(Method method) {
    switch (method) {
        case Method::post: return store::Operation::create;
        case Method::put: return store::Operation::replace;
        case Method::patch: return store::Operation::patch;
        default: return store::Operation::remove;
    }
}

}  // namespace

Outcome check_index_work(size_t work) {
    if (work <= index_work_most) return Done{};
    return Error{413, ScimType::none,
                 "the indexed values of the resource have too much text beyond ASCII: their index "
                 "work would be " +
                     std::to_string(work) + ", at most " + std::to_string(index_work_most) +
                     " is possible (3 for a byte)",
                 0};
}

Result<Prepared> prepare(const std::shared_ptr<const Catalog> &catalog, const Request &request,
                         const Actor &actor, const Id &new_id, Report &report) {
    auto target = parse_target(*catalog, request.path);
    if (!target) return target.error();
    auto allowed = check_method(request.method, *target);
    if (!allowed) return allowed.error();
    if (auto r = check_condition_fields(request); !r) return r.error();
    if (target->endpoint != Endpoint::resource)
        if (auto r = check_unversioned(request); !r) return r.error();
    Dialect dialect(request.settings->strict, report);
    auto query = parse_query(request.args, dialect);
    if (!query) return query.error();

    Command command;
    command.operation = operation_of(request.method);
    command.tenant = actor.tenant;
    command.actor = actor.token;
    command.request = request.id;
    command.now = request.now;
    command.catalog = catalog;
    command.type = target->type;
    command.if_match = request.if_match;
    command.if_none_match = request.if_none_match;
    if (command.operation == store::Operation::create) {
        command.id = new_id;
    } else if (target->id) {
        command.id = *target->id;
    } else {
        return no_such_resource(*target->type, target->name);
    }
    if (command.operation != store::Operation::remove) {
        auto read = read_body(command, request, report);
        if (!read) return read.error();
    }
    auto projection =
        Projection::parse(*target->type, query->attributes, query->excluded_attributes, dialect,
                          command.operation == store::Operation::patch ? command.patch.sent()
                                                                       : command.resource.leaves);
    if (!projection) return projection.error();
    // RFC 7644 3.5.2: 200 with the resource, or 204 unless `attributes` asks for something.
    bool quiet = request.method == Method::patch && target->type->members != nullptr &&
                 !query->attributes && !query->excluded_attributes;
    return Prepared{std::move(command), std::move(*projection), quiet};
}

}  // namespace scim::service
