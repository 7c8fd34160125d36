#include "scimctl/reading.h"

#include "scimctl/context.h"

namespace scim::scimctl {

Result<service::ActorPtr> reader_of(service::Session &session, service::Snapshot &snapshot,
                                    const std::string &tenant) {
    if (auto usable = snapshot.usable(); !usable) return usable.error();
    auto actor = session.authenticator.anonymous(snapshot.txn, tenant, store::scope_read);
    if (actor || actor.error().status == 503) return actor;
    return Error{404, ScimType::none, "there is no tenant " + quoted(tenant), 0};
}

Result<const TypeView *> type_named(const Catalog &catalog, const std::string &name) {
    const TypeView *type = catalog.type_by_name(name);
    if (type == nullptr) type = catalog.type_by_endpoint(name);
    if (type == nullptr)
        return Error{404, ScimType::none, "there is no resource type " + quoted(name), 0};
    return type;
}

Result<std::string> read_as_server(service::Snapshot &snapshot, const service::Actor &actor,
                                   std::string_view path, std::string_view args,
                                   std::string_view base_url) {
    service::Settings settings;
    settings.max_results = most_results;
    settings.max_scan = INT64_MAX;  // whoever types it can interrupt it
    service::Request request;
    while (!base_url.empty() && base_url.back() == '/') base_url.remove_suffix(1);
    request.method = service::Method::get;
    request.path = path;
    request.args = args;
    request.base_url = base_url;
    request.settings = &settings;
    request.now = now();
    service::Response response;
    auto outcome = service::read(snapshot, actor, request, response);
    if (!outcome) return outcome.error();
    return std::move(response.body);
}

}  // namespace scim::scimctl
