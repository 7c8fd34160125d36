#include "service/me.h"

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
        return Done{};
    }
    if (!txn.good()) return unreadable(txn.error());
    return Error{404, ScimType::none,
                 "the token " + quoted(actor.label) + " is bound to the user " +
                     quoted(actor.subject) + ", which does not exist any more",
                 0};
}

}  // namespace scim::service
