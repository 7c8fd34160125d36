// scimctl forget: deletes what is left of a deleted user.

#include "scimctl/administration.h"
#include "scimctl/commands.h"
#include "service/block_user.h"

namespace scim::scimctl {

namespace {

// Forgets in one transaction and adds what it has deleted to `sum`. Returns an exit code.
int forget_some(const Globals &globals, service::Store &store, const UserArguments &arguments,
                service::ForgetResult &sum) {
    WriteTxn txn(globals, store);
    auto place = place_of(txn, arguments.tenant);
    if (!place) return fail(globals, place.error());
    auto result = service::forget_user(txn, *place->catalog, place->tenant, arguments.user, now());
    if (!result) return fail(globals, result.error());
    if (result->any())
        if (int code = commit(globals, txn); code != exit_ok) return code;
    sum.tombstones += result->tombstones;
    sum.names += result->names;
    sum.refusals += result->refusals;
    sum.is_complete = result->is_complete;
    return exit_ok;
}

}  // namespace

int forget(const Globals &globals, const UserArguments &arguments) {
    auto store = open_store(globals, Access::write);
    if (store == nullptr) return exit_store;
    service::ForgetResult sum;
    do {
        if (int code = forget_some(globals, *store, arguments, sum); code != exit_ok) return code;
    } while (!sum.is_complete);
    store::RowWriter row;
    row.number("blockedNames", int64_t(sum.tombstones))
        .number("loggedNames", int64_t(sum.names))
        .number("refusals", int64_t(sum.refusals));
    const std::string text = "Deleted " + std::to_string(sum.tombstones) + " blocked names, " +
                             std::to_string(sum.names) + " names in the log and " +
                             std::to_string(sum.refusals) + " refused requests.";
    return print(globals, text, row) ? exit_ok : exit_store;
}

}  // namespace scim::scimctl
