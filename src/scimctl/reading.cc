#include "scimctl/reading.h"

#include <cstring>

#include "scim/text/nearest.h"
#include "scimctl/context.h"
#include "service/admin.h"

namespace scim::scimctl {

Result<service::ActorPtr> reader_of(service::Snapshot &snapshot, const std::string &tenant) {
    RETURN_IF_ERROR(snapshot.usable());
    auto found = service::tenant_named(snapshot.txn, tenant);
    RETURN_IF_ERROR(found);
    auto actor = std::make_shared<service::Actor>();
    actor->tenant = found->number;
    actor->tenant_name = std::move(found->name);
    actor->cursor_key = std::move(found->cursor_key);
    actor->scopes = store::scope_read;
    return service::ActorPtr(actor);
}

Result<const TypeView *> type_named(const Catalog &catalog, const std::string &name) {
    const TypeView *type = catalog.type_by_name(name);
    if (type == nullptr) type = catalog.type_by_endpoint(name);
    for (const auto &known : catalog.types())
        if (type == nullptr && (ascii_iequals(known->type.name, name) ||
                                ascii_iequals(known->type.endpoint, "/" + name)))
            type = known.get();
    if (type != nullptr) return type;
    std::vector<std::string_view> names;
    std::string all;
    for (const auto &known : catalog.types()) {
        names.push_back(known->type.name);
        all += (all.empty() ? "" : ", ") + known->type.name;
    }
    std::string meant = did_you_mean(name, names);
    return Error{Refusal::type_unknown, "there is no resource type " + quoted(name) +
                                            (meant.empty() ? "; the types are " + all : meant)};
}

namespace {

Result<service::Response> answer_as_server(service::Snapshot &snapshot, const service::Actor &actor,
                                           std::string_view path, std::string_view args,
                                           std::string_view base_url, bool explains) {
    service::Settings settings;
    settings.explains = explains;
    settings.max_results = most_results;
    settings.max_scan = INT64_MAX;  // no limit: the user can interrupt the command
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
    RETURN_IF_ERROR(outcome);
    return response;
}

}  // namespace

Result<std::string> read_as_server(service::Snapshot &snapshot, const service::Actor &actor,
                                   std::string_view path, std::string_view args,
                                   std::string_view base_url) {
    auto answer = answer_as_server(snapshot, actor, path, args, base_url, false);
    RETURN_IF_ERROR(answer);
    return std::move(answer->body);
}

Result<service::Response> list_as_server(service::Store &store, const ListQuery &query) {
    service::Session session(store);
    service::Snapshot snapshot(session);
    auto actor = reader_of(snapshot, query.tenant);
    RETURN_IF_ERROR(actor);
    auto type = type_named(*snapshot.catalog(), query.type);
    RETURN_IF_ERROR(type);
    return answer_as_server(snapshot, **actor, (*type)->type.endpoint, query.args, query.base_url,
                            query.explains);
}

Error with_argument_names(Error error) {
    for (auto [theirs, ours] : {std::pair("query parameter \"filter\"", "FILTER"),
                                std::pair("query parameter \"attributes\"", "--attributes"),
                                std::pair("scim_max_filter_depth", "the limit")})
        if (size_t at = error.detail.find(theirs); at != std::string::npos)
            error.detail.replace(at, std::strlen(theirs), ours);
    return error;
}

}  // namespace scim::scimctl
