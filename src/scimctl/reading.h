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

// What the server would answer to a GET of `path` and `args` (as in a URL) with this base URL.
// `explains`: also how a list was made.
Result<service::Response> answer_as_server(service::Snapshot &snapshot, const service::Actor &actor,
                                           std::string_view path, std::string_view args,
                                           std::string_view base_url, bool explains = false);
// The body of this answer.
Result<std::string> read_as_server(service::Snapshot &snapshot, const service::Actor &actor,
                                   std::string_view path, std::string_view args,
                                   std::string_view base_url);

// Appends a query parameter. Percent-encodes all but unreserved characters (RFC 3986, section 2.3).
void append_parameter(std::string &args, std::string_view name, std::string_view value);

// Replaces the names of query parameters and directives in an error message by those of the
// command's arguments.
Error with_argument_names(Error error);

// The maximum number of resources of one read: the maximum of scim_max_results.
constexpr uint64_t most_results = 100000;

}  // namespace scim::scimctl
