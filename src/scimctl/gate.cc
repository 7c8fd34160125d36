// scimctl gate: pauses and resumes the gate of a tenant.

#include "scimctl/administration.h"
#include "scimctl/commands.h"
#include "service/admin.h"
#include "service/block_user.h"

namespace scim::scimctl {

Result<Place> place_of(store::WriteTxn &txn, const std::string &tenant) {
    service::CatalogCache cache;
    auto catalog = cache.at(txn);
    RETURN_IF_ERROR(catalog);
    auto found = service::tenant_named(txn, tenant);
    RETURN_IF_ERROR(found);
    return Place{*catalog, std::move(*found)};
}

int64_t active_pause(store::Txn &txn, store::TenantNumber tenant) {
    const int64_t until = store::gate_paused_until(txn, tenant);
    return until > now() ? until : 0;
}

int gate_pause(const Globals &globals, const std::string &tenant, const std::string &length) {
    auto duration = parse_duration(length);
    if (!duration)
        return fail(globals, exit_usage,
                    "--for: " + quoted(length) + " is not a duration, expected 30m or 2h");
    auto store = open_store(globals, Access::write);
    if (store == nullptr) return exit_store;
    WriteTxn txn(globals, *store);
    auto place = place_of(txn, tenant);
    if (!place) return fail(globals, place.error());
    auto until = service::pause_gate(txn, place->tenant, *duration, now());
    if (!until) return fail(globals, until.error());
    if (int code = commit(globals, txn); code != exit_ok) return code;
    store::RowWriter row;
    row.text("tenant", tenant).text("pausedUntil", time_text(*until));
    return print(globals,
                 "The gate of tenant " + tenant + " is paused until " + time_text(*until) +
                     ": active users pass whatever their groups.",
                 row)
               ? exit_ok
               : exit_store;
}

int gate_resume(const Globals &globals, const std::string &tenant) {
    auto store = open_store(globals, Access::write);
    if (store == nullptr) return exit_store;
    WriteTxn txn(globals, *store);
    auto place = place_of(txn, tenant);
    if (!place) return fail(globals, place.error());
    auto resumed = service::resume_gate(txn, place->tenant, now());
    if (!resumed) return fail(globals, resumed.error());
    if (*resumed)
        if (int code = commit(globals, txn); code != exit_ok) return code;
    store::RowWriter row;
    row.text("tenant", tenant).boolean("existed", !*resumed);
    return print(globals,
                 "The gate of tenant " + tenant + (*resumed ? " is resumed." : " is not paused."),
                 row)
               ? exit_ok
               : exit_store;
}

}  // namespace scim::scimctl
