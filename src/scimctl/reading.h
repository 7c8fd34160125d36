#pragma once
// Functions for the commands that show resources.

#include <string>
#include <string_view>

#include "service/read.h"
#include "service/store.h"

namespace scim::scimctl {

// An actor that may read all resources of this tenant.
Result<service::ActorPtr> reader_of(service::Snapshot &snapshot, const std::string &tenant);

// A resource type by its name ("User") or its endpoint ("Users"), up to ASCII case.
Result<const TypeView *> type_named(const Catalog &catalog, const std::string &name);

// The body of the server's answer to a GET of `path` and `args` (as in a URL) with this base URL.
Result<std::string> read_as_server(service::Snapshot &snapshot, const service::Actor &actor,
                                   std::string_view path, std::string_view args,
                                   std::string_view base_url);

// What the server would answer to a GET of the list of a type. `explains`: also how the list was
// made. The snapshot is closed before the function returns.
struct ListQuery {
    const std::string &tenant, &type;
    std::string args;  // as in a URL
    std::string_view base_url;
    bool explains = false;
};
Result<service::Response> list_as_server(service::Store &store, const ListQuery &query);

// Replaces the names of query parameters and directives in an error message by those of the
// command's arguments.
Error with_argument_names(Error error);

// The maximum number of resources of one read: the maximum of scim_max_results.
constexpr uint64_t most_results = 100000;

}  // namespace scim::scimctl
