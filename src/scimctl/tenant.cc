// scimctl tenant: adds, lists and removes tenants.

#include <chrono>
#include <thread>

#include "scimctl/administration.h"
#include "scimctl/commands.h"
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

std::string_view to_string(store::TenantState state) {
    return state == store::TenantState::active ? "active" : "removing";
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
    List list;
    for (const store::Tenant &tenant : store::list_tenants(snapshot.txn)) {
        size_t tokens = 0;
        for (const auto &entry : store::list_tokens(snapshot.txn, tenant.number))
            tokens += service::state_of(entry.token, now()) == service::TokenState::live;
        store::Directory directory(snapshot.txn, tenant.number);
        store::RowWriter row, counts;
        row.text("tenant", tenant.name)
            .number("number", tenant.number)
            .text("state", to_string(tenant.state));
        row.text("created", time_text(tenant.created)).number("liveTokens", int64_t(tokens));
        std::string line = tenant.name + "  " + std::string(to_string(tenant.state)) +
                           "  created " + time_text(tenant.created) + "  " +
                           std::to_string(tokens) + " live tokens";
        for (const auto &type : (*snapshot.catalog()).types()) {
            counts.number(type->type.name, int64_t(directory.count(type->number)));
            line += "  " + std::to_string(directory.count(type->number)) + " " + type->type.name;
        }
        row.member("resources") += counts.done();
        if (const int64_t until = active_pause(snapshot.txn, tenant.number); until != 0) {
            row.text("gatePausedUntil", time_text(until));
            line += "  gate paused until " + time_text(until);
        }
        list.add(line, row);
    }
    if (!snapshot.txn.good()) return fail(globals, exit_store, to_string(snapshot.txn.error()));
    return list.print(globals, {}, "tenants", "There are no tenants.");
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
