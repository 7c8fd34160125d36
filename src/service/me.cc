#include "service/me.h"

#include "service/render.h"
#include "store/access.h"

namespace scim::service {

namespace {

Error refused_subject(const Actor &actor, std::string_view why) {
    return Error{Refusal::token_user_refused, "the token " + quoted(actor.label) +
                                                  " is bound to the user " + quoted(actor.subject) +
                                                  ", which " + std::string(why)};
}

}  // namespace

Outcome check_subject(const Actor &actor, const Catalog &catalog, store::Txn &txn) {
    if (actor.subject.empty()) return Done{};
    const auto id = parse_id(actor.subject);
    store::Directory directory(txn, actor.tenant);
    for (const auto &type : catalog.types()) {
        if (!id || !store::has_users(*type)) continue;
        const auto record = directory.record(type->number, *id);
        if (!record) continue;
        if (type->active != nullptr && record->first(type->active->number) != "true")
            return refused_subject(actor, "is not active");
        if (store::access_of(txn, actor.tenant, *id).blocked != 0)
            return refused_subject(actor, "is blocked");
        return Done{};
    }
    if (!txn.good()) return unreadable(txn.error());
    return refused_subject(actor, "does not exist any more");
}

Outcome resolve_me(Target &target, const Actor &actor, const Catalog &catalog, store::Txn &txn) {
    if (target.endpoint != Endpoint::me || actor.subject.empty()) return Done{};
    const auto id = parse_id(actor.subject);
    store::Directory directory(txn, actor.tenant);
    for (const auto &type : catalog.types()) {
        if (!id || !store::has_users(*type) || !directory.exists(type->number, *id)) continue;
        target.endpoint = Endpoint::resource;
        target.type = type.get();
        target.id = id;
        target.name = actor.subject;
        target.is_me = true;
        return Done{};
    }
    if (!txn.good()) return unreadable(txn.error());
    return refused_subject(actor, "does not exist any more");
}

void note_location(Response &response, const Target &target, std::string_view base_url) {
    if (!target.is_me) return;
    response.location.clear();
    append_location(response.location, *target.type, base_url, *target.id);
    response.is_of_me = true;
}

void note_location(Response &response, const Request &request, const Actor &actor,
                   Snapshot &snapshot) {
    if (!snapshot.usable()) return;
    auto target = parse_target(*snapshot.catalog(), request.path);
    if (target && resolve_me(*target, actor, *snapshot.catalog(), snapshot.txn))
        note_location(response, *target, request.base_url);
}

}  // namespace scim::service
