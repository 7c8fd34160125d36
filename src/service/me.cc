#include "service/me.h"

#include "service/render.h"
#include "store/access.h"

namespace scim::service {

namespace {

Error refused(const Actor &actor, std::string_view why) {
    return {Refusal::token_user_refused, "the token " + quoted(actor.label) +
                                             " is bound to the user " + quoted(actor.subject) +
                                             ", which " + std::string(why)};
}

// The actor's subject.
struct User {
    const TypeView *type;
    Id id;
    store::RecordView record;
};

Result<User> find_subject(const Actor &actor, const Catalog &catalog, store::Txn &txn) {
    const auto id = parse_id(actor.subject);
    store::Directory directory(txn, actor.tenant);
    for (const auto &type : catalog.types()) {
        if (!id || !store::has_users(*type)) continue;
        if (auto record = directory.record(type->number, *id))
            return User{type.get(), *id, *record};
    }
    if (!txn.good()) return unreadable(txn.error());
    return refused(actor, "does not exist any more");
}

}  // namespace

Outcome check_subject(const Actor &actor, const Catalog &catalog, store::Txn &txn) {
    if (actor.subject.empty()) return Done{};
    const auto user = find_subject(actor, catalog, txn);
    RETURN_IF_ERROR(user);
    const Attr *active = user->type->active;
    if (active != nullptr && user->record.first(active->number) != "true")
        return refused(actor, "is not active");
    if (store::access_of(txn, actor.tenant, user->id).blocked != 0)
        return refused(actor, "is blocked");
    return Done{};
}

Outcome resolve_me(Target &target, const Actor &actor, const Catalog &catalog, store::Txn &txn) {
    if (target.endpoint != Endpoint::me || actor.subject.empty()) return Done{};
    const auto user = find_subject(actor, catalog, txn);
    RETURN_IF_ERROR(user);
    target.endpoint = Endpoint::resource;
    target.type = user->type;
    target.id = user->id;
    target.name = actor.subject;
    target.is_me = true;
    return Done{};
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
