#pragma once
// What the commands that show resources have in common.

#include <string>
#include <string_view>

#include "service/read.h"
#include "service/store.h"

namespace scim::scimctl {

// The tenant of this name, as one who may read all of it.
Result<service::ActorPtr> reader_of(service::Session &session, service::Snapshot &snapshot,
                                    const std::string &tenant);

// By its name ("User") or its endpoint ("Users").
Result<const TypeView *> type_named(const Catalog &catalog, const std::string &name);

// A GET of `path` and `args` (as in a URL) with this base URL: the body that a server would send.
Result<std::string> read_as_server(service::Snapshot &snapshot, const service::Actor &actor,
                                   std::string_view path, std::string_view args,
                                   std::string_view base_url);

// The most resources that one read may ask for: what scim_max_results may be at most.
constexpr uint64_t most_results = 100000;

}  // namespace scim::scimctl
