// scimctl find: lists the resources that a filter matches, as the server would.

#include "scim/text/json.h"
#include "scim/text/percent.h"
#include "scimctl/commands.h"
#include "scimctl/reading.h"
#include "scimctl/table.h"

namespace scim::scimctl {

namespace {

std::string query_of(const FindArguments &arguments) {
    std::string args;
    if (arguments.filter) append_parameter(args, "filter", *arguments.filter);
    append_parameter(args, "count", std::to_string(arguments.count));
    if (!arguments.attributes.empty()) append_parameter(args, "attributes", arguments.attributes);
    return args;
}

std::string name_of(const json_t *resource) {
    for (const char *attribute : {"userName", "displayName"})
        if (const json_t *name = json_object_get(resource, attribute); json_is_string(name))
            return std::string(text_of(name));
    return {};
}

std::string active_of(const json_t *resource) {
    const json_t *active = json_object_get(resource, "active");
    if (active == nullptr) return {};
    return json_is_true(active) ? "true" : "false";
}

// A line for each resource: its id, its name and whether it is active.
int print_table(const Globals &globals, const json_t *resources) {
    Table table({"id", "name", "active"});
    size_t i;
    json_t *resource;
    json_array_foreach(resources, i, resource)
        table.add({std::string(text_of(json_object_get(resource, "id"))), name_of(resource),
                   active_of(resource)},
                  {});
    return table.print(globals, {}, "Resources", "No resource matches.");
}

// A line of JSON for each resource.
int print_resources(const Globals &globals, const json_t *resources) {
    std::string text;
    size_t i;
    json_t *resource;
    json_array_foreach(resources, i, resource) {
        if (i > 0) text += '\n';
        write_value(text, resource);
    }
    return text.empty() || print(globals, text) ? exit_ok : exit_store;
}

}  // namespace

int find(const Globals &globals, const FindArguments &arguments) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    auto answer = list_as_server(
        *store, {arguments.tenant, arguments.type, query_of(arguments), arguments.base_url});
    if (!answer) return fail(globals, with_argument_names(answer.error()));
    const std::string &body = answer->body;
    if (globals.json) return print(globals, body) ? exit_ok : exit_store;
    // The body was written by this process: the limits must not refuse it.
    auto list = parse_json(body, JsonLimits{64, body.size(), SIZE_MAX});
    if (!list)
        return fail(globals, exit_store, "cannot parse the ListResponse: " + list.error().detail);
    const json_t *resources = json_object_get(list->get(), "Resources");
    const int code = arguments.attributes.empty() ? print_table(globals, resources)
                                                  : print_resources(globals, resources);
    if (code != exit_ok) return code;
    const size_t shown = json_array_size(resources);
    auto total = json_integer_value(json_object_get(list->get(), "totalResults"));
    if (uint64_t(total) > shown)
        note(globals, std::to_string(shown) + " of " + std::to_string(total) +
                          " are shown; --count shows more");
    return exit_ok;
}

}  // namespace scim::scimctl
