#include "service/command.h"
#include "service/routes.h"

namespace scim::service {

namespace {

// Sets `active` to true in a new resource that does not have it: Okta and Entra expect to read it
// back.
void default_active(const TypeView &type, Resource &resource) {
    const Attr *active = type.find_core("active");
    if (active == nullptr || active->def->type != AttrType::boolean ||
        resource.find(active->number) != nullptr)
        return;
    resource.leaves.push_back({active->number, 0, "true"});
    canonical_order(type, resource.leaves);
}

Outcome read_patch(Command &command, const StepContext &context, const StepInput &input,
                   DeviationReport &report) {
    auto patch = Patch::parse(*command.type, input.data, context.settings.patch_limits(),
                              context.settings.strict, report);
    RETURN_IF_ERROR(patch);
    command.patch = std::move(*patch);
    return Done{};
}

Outcome read_data(Command &command, const StepContext &context, const StepInput &input,
                  DeviationReport &report) {
    auto resource = read_resource(*command.type, input.data, context.settings.strict, report,
                                  ReadLimits{context.settings.max_members});
    RETURN_IF_ERROR(resource);
    command.resource = std::move(*resource);
    if (command.operation == store::Operation::create)
        default_active(*command.type, command.resource);
    auto complete = check_required(*command.type, command.resource);
    if (!complete) return complete;
    auto indexable = check_index_work(
        store::index_work(*command.catalog, *command.type, command.resource.leaves));
    if (!indexable) return indexable;
    set_index_values(command);
    return Done{};
}

}  // namespace

void set_index_values(Command &command) {
    const std::vector<Leaf> &leaves = command.resource.leaves;
    command.index = store::index_values(*command.catalog, *command.type, leaves);
    command.trigrams = store::trigram_sets(*command.catalog, *command.type, leaves);
}

Outcome check_index_work(size_t work, size_t most, const char *of) {
    if (work <= most) return Done{};
    return Error{Refusal::indexed_text_too_costly,
                 "the indexed values of " + std::string(of) +
                     " have too much text: their index work would be " + std::to_string(work) +
                     ", at most " + std::to_string(most) +
                     " is possible (3 for each byte of a value with text beyond ASCII, and " +
                     std::to_string(trigram_byte_work) +
                     " for each byte of a value with a substring index)"};
}

Result<Step> prepare_step(const StepContext &context, const StepInput &input, const Id &new_id,
                          DeviationReport &report) {
    const TypeView &type = *input.target.type;
    Command command;
    command.operation = input.operation;
    command.tenant = context.tenant;
    command.actor = context.actor;
    command.request = context.request;
    command.now = context.now;
    command.catalog = context.catalog;
    command.type = &type;
    command.if_match = input.if_match;
    command.if_none_match = input.if_none_match;
    if (input.operation == store::Operation::create) {
        command.id = new_id;
    } else if (input.target.id) {
        command.id = *input.target.id;
    } else {
        return no_such_resource(type, input.target.name);
    }
    const bool is_patch = input.operation == store::Operation::patch;
    if (input.operation != store::Operation::remove) {
        auto read = is_patch ? read_patch(command, context, input, report)
                             : read_data(command, context, input, report);
        RETURN_IF_ERROR(read);
    }
    const Query &query = input.query;
    Dialect dialect(context.settings.strict, report);
    auto projection = Projection::parse(type, query.attributes, query.excluded_attributes, dialect,
                                        is_patch ? command.patch.sent() : command.resource.leaves);
    RETURN_IF_ERROR(projection);
    // RFC 7644 3.5.2 allows 204 for a PATCH unless the request has `attributes`.
    const bool no_content =
        is_patch && type.members != nullptr && !query.attributes && !query.excluded_attributes;
    return Step{std::move(command), std::move(*projection), no_content, undecided()};
}

}  // namespace scim::service
