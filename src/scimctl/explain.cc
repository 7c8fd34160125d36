// scimctl explain: how the server evaluates a filter.

#include <cstdio>

#include "scim/text/percent.h"
#include "scimctl/commands.h"
#include "scimctl/reading.h"

namespace scim::scimctl {

namespace {

std::string query_of(const QueryArguments &arguments) {
    std::string args;
    append_parameter(args, "filter", arguments.filter);
    append_parameter(args, "count", std::to_string(arguments.count));
    if (!arguments.sort_by.empty()) append_parameter(args, "sortBy", arguments.sort_by);
    if (arguments.descending) append_parameter(args, "sortOrder", "descending");
    return args;
}

std::string milliseconds(int64_t microseconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", double(microseconds) / 1000);
    return text;
}

}  // namespace

int explain(const Globals &globals, const QueryArguments &arguments) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    auto answer =
        list_as_server(*store, {arguments.tenant, arguments.type, query_of(arguments), {}, true});
    if (!answer) return fail(globals, with_argument_names(answer.error()));
    const auto &explanation = answer->explanation;
    store::RowWriter row;
    row.text("plan", explanation->plan)
        .number("examined", explanation->resources)
        .number("rows", explanation->rows)
        .number("returned", explanation->returned)
        .number("microseconds", uint64_t(explanation->microseconds));
    std::string text = "Plan: " + explanation->plan +
                       "\nExamined: " + std::to_string(explanation->resources) + " resources, " +
                       std::to_string(explanation->rows) + " rows of indexes and memberships" +
                       "\nReturned: " + std::to_string(explanation->returned) + " resources" +
                       "\nTime: " + milliseconds(explanation->microseconds) + " ms";
    if (!explanation->advice.empty()) {
        row.text("advice", explanation->advice);
        text += "\nFewer resources are examined with: " + explanation->advice;
    }
    return print(globals, text, row) ? exit_ok : exit_store;
}

}  // namespace scim::scimctl
