// scimctl tenant: adds, lists, disables, enables and removes tenants.

#include <chrono>
#include <thread>

#include "scimctl/administration.h"
#include "scimctl/commands.h"
#include "scimctl/table.h"
#include "service/admin.h"
#include "service/token.h"

namespace scim::scimctl {

namespace {

using Clock = std::chrono::steady_clock;

int64_t microseconds_since(Clock::time_point start) {
    return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count();
}

// Deletes all rows of a tenant in steps. After each step the write lock is left free for nginx's
// writers for as long as the step held it.
int sweep(const Globals &globals, service::Store &store, const store::Tenant &tenant) {
    size_t rows = service::first_sweep_rows;
    for (bool done = false; !done;) {
        Clock::time_point start;
        {
            WriteTxn txn(globals, store);
            start = Clock::now();  // the lock is held from here on
            // Another scimctl may have completed the removal.
            if (!store::find_tenant(txn, tenant.number) && txn.good()) return exit_ok;
            done = store::sweep_tenant(txn, tenant, rows);
            if (int code = commit(globals, txn); code != exit_ok) return code;
        }
        int64_t held = microseconds_since(start);
        rows = service::next_sweep_rows(rows, held);
        if (!done) std::this_thread::sleep_for(std::chrono::microseconds(held));
    }
    return exit_ok;
}

std::string_view state_of(const store::Tenant &tenant) {
    if (tenant.state == store::TenantState::removing) return "removing";
    return tenant.disabled ? "disabled" : "active";
}

size_t live_tokens(store::Txn &txn, const store::Tenant &tenant) {
    size_t live = 0;
    for (const auto &entry : store::list_tokens(txn, tenant.number))
        live += service::state_of(entry.token, now()) == service::TokenState::live;
    return live;
}

// Adds a tenant with the numbers of its live tokens and of its resources of each type.
void add_tenant(Table &table, service::Snapshot &snapshot, const store::Tenant &tenant) {
    store::Directory directory(snapshot.txn, tenant.number);
    const auto tokens = int64_t(live_tokens(snapshot.txn, tenant));
    store::RowWriter row, counts;
    row.text("tenant", tenant.name)
        .number("number", tenant.number)
        .text("state", state_of(tenant))
        .text("created", time_text(tenant.created))
        .number("liveTokens", tokens);
    std::vector<std::string> cells = {tenant.name, std::string(state_of(tenant)),
                                      time_text(tenant.created), std::to_string(tokens)};
    for (const auto &type : snapshot.catalog()->types()) {
        const auto count = int64_t(directory.count(type->number));
        counts.number(type->type.name, count);
        cells.push_back(std::to_string(count));
    }
    row.member("resources") += counts.done();
    std::string gate = "open";
    if (const int64_t until = active_pause(snapshot.txn, tenant.number); until != 0) {
        row.text("gatePausedUntil", time_text(until));
        gate = "paused until " + time_text(until);
    }
    cells.push_back(std::move(gate));
    table.add(std::move(cells), row);
}

}  // namespace

int tenant_add(const Globals &globals, const std::string &name) {
    auto store = open_store(globals, Access::create);
    if (store == nullptr) return exit_store;
    std::array<uint8_t, 32> random;
    service::fill_random(random.data(), random.size());
    WriteTxn txn(globals, *store);
    auto result = service::create_tenant(txn, name, now(), random);
    if (!result) return fail(globals, result.error());
    if (!result->existed)
        if (int code = commit(globals, txn); code != exit_ok) return code;
    store::RowWriter row;
    row.text("tenant", name)
        .number("number", result->tenant.number)
        .boolean("existed", result->existed);
    bool said =
        print(globals, "Tenant " + name + (result->existed ? " exists already." : " added."), row);
    return said ? exit_ok : exit_store;
}

int tenant_list(const Globals &globals) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    service::Session session(*store);
    service::Snapshot snapshot(session);
    if (auto usable = snapshot.usable(); !usable) return fail(globals, usable.error());
    std::vector<std::string> columns = {"name", "state", "created", "live tokens"};
    for (const auto &type : snapshot.catalog()->types()) columns.push_back(type->type.name);
    columns.emplace_back("gate");
    Table table(std::move(columns));
    for (const store::Tenant &tenant : store::list_tenants(snapshot.txn))
        add_tenant(table, snapshot, tenant);
    if (!snapshot.txn.good()) return fail(globals, exit_store, to_string(snapshot.txn.error()));
    return table.print(globals, {}, "tenants", "There are no tenants.");
}

int tenant_disable(const Globals &globals, const std::string &name, bool disabled) {
    auto store = open_store(globals, Access::write);
    if (store == nullptr) return exit_store;
    WriteTxn txn(globals, *store);
    auto result = service::disable_tenant(txn, name, disabled);
    if (!result) return fail(globals, result.error());
    if (!result->existed)
        if (int code = commit(globals, txn); code != exit_ok) return code;
    const std::string state = disabled ? "disabled" : "enabled";
    store::RowWriter row;
    row.text("tenant", name).text("state", state_of(result->tenant));
    row.boolean("changed", !result->existed);
    return print(globals,
                 "Tenant " + name + (result->existed ? " was " : " is ") + state +
                     (result->existed ? " already." : "."),
                 row)
               ? exit_ok
               : exit_store;
}

int tenant_remove(const Globals &globals, const std::string &name, bool resume) {
    auto store = open_store(globals, Access::write);
    if (store == nullptr) return exit_store;
    std::vector<store::Tenant> tenants;
    {
        WriteTxn txn(globals, *store);
        auto marked = resume ? service::unswept_tenants(txn) : service::begin_removal(txn, name);
        if (!marked) return fail(globals, marked.error());
        if (int code = commit(globals, txn); code != exit_ok) return code;
        tenants = std::move(*marked);
    }
    std::vector<std::string> names;
    for (const store::Tenant &tenant : tenants) {
        if (int code = sweep(globals, *store, tenant); code != exit_ok) return code;
        names.push_back(tenant.name);
    }
    std::string text;
    for (const auto &removed : names)
        text += (text.empty() ? "Tenant " : "\nTenant ") + removed + " removed.";
    if (text.empty()) text = "No tenant is being removed.";
    return print(globals, text, store::RowWriter().texts("removed", names)) ? exit_ok : exit_store;
}

}  // namespace scim::scimctl
