// scimctl forget: deletes what is left of a deleted user.

#include "scimctl/administration.h"
#include "scimctl/commands.h"
#include "service/block_user.h"

namespace scim::scimctl {

int forget(const Globals &globals, const UserArguments &arguments) {
    auto store = open_store(globals, Access::write);
    if (store == nullptr) return exit_store;
    WriteTxn txn(globals, *store);
    auto place = place_of(txn, arguments.tenant);
    if (!place) return fail(globals, place.error());
    auto result = service::forget_user(txn, *place->catalog, place->tenant, arguments.user, now());
    if (!result) return fail(globals, result.error());
    if (result->tombstones + result->refusals > 0)
        if (int code = commit(globals, txn); code != exit_ok) return code;
    store::RowWriter row;
    row.number("blockedNames", int64_t(result->tombstones))
        .number("refusals", int64_t(result->refusals));
    const std::string text = "Deleted " + std::to_string(result->tombstones) +
                             " blocked names and " + std::to_string(result->refusals) +
                             " refused requests.";
    return print(globals, text, row) ? exit_ok : exit_store;
}

}  // namespace scim::scimctl
