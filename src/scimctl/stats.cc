// scimctl stats: what the store contains. scimctl check: whether it needs attention.

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "scimctl/commands.h"
#include "scimctl/progress.h"
#include "service/store_status.h"

namespace scim::scimctl {

namespace {

using service::StoreStatus;

constexpr auto watch_interval = std::chrono::seconds(2);

std::string size_text(uint64_t bytes) {
    const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double size = double(bytes) / 1024;
    size_t unit = 0;
    for (; size >= 1024 && unit < 3; unit++) size /= 1024;
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %s", size, units[unit]);
    return text;
}

std::string map_text(const StoreStatus &status) {
    const double part = double(status.bytes_in_use()) / double(status.env.map_size);
    return size_text(status.bytes_in_use()) + " in use of " + size_text(status.env.map_size) +
           " (" + std::to_string(int(part * 100)) + " %); file " + size_text(status.env.used) +
           ", of it free " + size_text(status.free_bytes);
}

std::string readers_text(const StoreStatus &status) {
    std::string text = std::to_string(status.readers.size()) + " of " +
                       std::to_string(status.env.max_readers) + " slots of other processes";
    if (status.oldest_reader() != 0)
        text += "; oldest snapshot: process " + std::to_string(status.oldest_reader()) + ", " +
                with_commas(status.oldest_lag()) + " transactions old";
    return text;
}

std::string log_text(const StoreStatus &status) {
    return with_commas(status.changes) + " changes, " + size_text(status.changes_bytes) + "; " +
           with_commas(status.refusals) + " refusals";
}

std::string jobs_text(const StoreStatus &status) {
    std::string text;
    auto add = [&](const std::string &job) { text += (text.empty() ? "" : "; ") + job; };
    if (status.jobs > 0)
        add("dead members of " + with_commas(status.jobs) + " groups are being deleted");
    for (const auto &index : status.indexes)
        if (index.index->state == IndexState::building)
            add("the index of " + index.name + " is being built: " + with_commas(index.done) +
                " of " + with_commas(index.total) + " resources");
        else if (index.index->state == IndexState::dropping)
            add("the rows of the index of " + index.name + " are being deleted" +
                (index.index->declared ? ", and it is built again afterwards" : ""));
    for (const auto &one : status.tenants)
        if (one.has_import) add("an import into tenant " + one.tenant.name + " is not finished");
    return text.empty() ? "none" : text;
}

// The state that both commands show.
std::string store_lines(const StoreStatus &status) {
    return "Map:      " + map_text(status) + "\nLog:      " + log_text(status) +
           "\nReaders:  " + readers_text(status) + "\nJobs:     " + jobs_text(status) +
           "\nliblmdb:  " + store::lmdb_version();
}

std::string tenant_lines(const StoreStatus &status) {
    std::string text;
    for (const auto &one : status.tenants) {
        text += "\nTenant " + one.tenant.name + ":";
        for (const auto &[type, count] : one.resources)
            text += "  " + with_commas(count) + " " + type;
        if (one.tenant.state == store::TenantState::removing) text += "  (is being removed)";
    }
    return text;
}

std::string index_lines(const StoreStatus &status) {
    std::string text;
    for (const auto &index : status.indexes)
        text += "\nIndex " + index.name + ": " + std::string(to_string(index.index->state)) +
                (index.index->unique ? ", unique" : "");
    return text;
}

store::RowWriter store_row(const StoreStatus &status) {
    store::RowWriter row;
    row.number("mapSize", int64_t(status.env.map_size))
        .number("fileSize", int64_t(status.env.used))
        .number("freeBytes", int64_t(status.free_bytes));
    row.number("lastTransaction", int64_t(status.env.last_txn))
        .number("changes", int64_t(status.changes))
        .number("changesBytes", int64_t(status.changes_bytes));
    row.number("refusals", int64_t(status.refusals))
        .number("groupsToSweep", int64_t(status.jobs))
        .number("readers", int64_t(status.readers.size()));
    row.number("maxReaders", status.env.max_readers);
    if (status.oldest_reader() != 0)
        row.number("oldestReader", status.oldest_reader())
            .number("oldestReaderLag", int64_t(status.oldest_lag()));
    return row.text("liblmdb", store::lmdb_version());
}

store::RowWriter stats_row(const StoreStatus &status) {
    std::vector<store::RowWriter> tenants, indexes;
    for (const auto &one : status.tenants) {
        store::RowWriter row, counts;
        for (const auto &[type, count] : one.resources) counts.number(type, int64_t(count));
        row.text("tenant", one.tenant.name).member("resources") += counts.done();
        row.boolean("unfinishedImport", one.has_import);
        tenants.push_back(std::move(row));
    }
    for (const auto &index : status.indexes) {
        store::RowWriter row;
        row.text("type", index.type).text("attribute", index.attribute);
        row.text("kind", to_string(index.index->kind));
        row.text("state", to_string(index.index->state)).boolean("unique", index.index->unique);
        indexes.push_back(std::move(row));
    }
    return store_row(status).rows("tenants", tenants).rows("indexes", indexes);
}

Result<StoreStatus> status_of(service::Store &store, service::Session &session) {
    store.env().check_readers();
    service::Snapshot snapshot(session);
    RETURN_IF_ERROR(snapshot.usable());
    return service::read_status(store.env(), snapshot);
}

}  // namespace

int stats(const Globals &globals, bool watch) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    service::Session session(*store);
    for (;;) {
        auto status = status_of(*store, session);
        if (!status) return fail(globals, status.error());
        // A terminal shows one page, which is replaced.
        if (watch && !globals.json && isatty(STDOUT_FILENO) != 0)
            std::fputs("\033[H\033[J", stdout);
        if (!print(globals, store_lines(*status) + tenant_lines(*status) + index_lines(*status),
                   stats_row(*status)))
            return exit_store;
        if (!watch) return exit_ok;
        std::this_thread::sleep_for(watch_interval);
    }
}

int check(const Globals &globals) {
    auto store = open_store(globals, Access::read);
    if (store == nullptr) return exit_store;
    service::Session session(*store);
    auto status = status_of(*store, session);
    if (!status) return fail(globals, status.error());
    const auto problems = service::problems_of(*status);
    std::string text = store_lines(*status);
    for (const std::string &problem : problems) text += "\nProblem: " + problem;
    if (problems.empty()) text += "\nNo problem found. scimctl verify checks the data itself.";
    if (!print(globals, text, store_row(*status).texts("problems", problems))) return exit_store;
    return problems.empty() ? exit_ok : exit_refused;
}

}  // namespace scim::scimctl
