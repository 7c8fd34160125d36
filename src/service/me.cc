#include "service/me.h"

#include "service/render.h"
#include "store/access.h"

namespace scim::service {

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
    return Error{404, ScimType::none,
                 "the token " + quoted(actor.label) + " is bound to the user " +
                     quoted(actor.subject) + ", which does not exist any more",
                 0};
}

void note_location(Response &response, const Target &target, std::string_view base_url) {
    if (!target.is_me) return;
    response.location.clear();
    append_location(response.location, *target.type, base_url, *target.id);
    response.is_of_me = true;
}

}  // namespace scim::service
