#include "service/store_status.h"

#include <unistd.h>

#include <algorithm>

#include "service/admin.h"
#include "service/map_space.h"
#include "service/request.h"
#include "store/import_position.h"

namespace scim::service {

namespace {

// A snapshot that is this many transactions old keeps many pages from being used again.
constexpr uint64_t lag_most = 10000;
constexpr unsigned readers_percent_most = 90;

void read_tenants(Snapshot &snapshot, StoreStatus &status) {
    for (const store::Tenant &tenant : store::list_tenants(snapshot.txn)) {
        store::Directory directory(snapshot.txn, tenant.number);
        TenantStatus one{tenant, {}, false};
        for (const auto &type : snapshot.catalog()->types())
            one.resources.emplace_back(type->type.name, directory.count(type->number));
        one.has_import = store::find_import_position(snapshot.txn, tenant.number).has_value();
        status.tenants.push_back(std::move(one));
    }
}

}  // namespace

const store::ReaderSlot *oldest_of(const std::vector<store::ReaderSlot> &slots) {
    const store::ReaderSlot *found = nullptr;
    for (const store::ReaderSlot &slot : slots)
        if (slot.txn != 0 && (found == nullptr || slot.txn < found->txn)) found = &slot;
    return found;
}

uint64_t StoreStatus::oldest_lag() const {
    const store::ReaderSlot *slot = oldest_of(readers);
    return slot != nullptr ? env.last_txn - std::min(env.last_txn, slot->txn) : 0;
}

int64_t StoreStatus::oldest_reader() const {
    const store::ReaderSlot *slot = oldest_of(readers);
    return slot != nullptr ? slot->process : 0;
}

Result<StoreStatus> read_status(store::Env &env, Snapshot &snapshot) {
    StoreStatus status;
    store::Txn &txn = snapshot.txn;
    status.env = env.info();
    status.free_bytes = env.free_bytes();
    for (const store::ReaderSlot &slot : env.readers())
        if (slot.process != getpid()) status.readers.push_back(slot);
    status.is_suspended = store::is_suspended(env.directory());
    status.changes = txn.entries(store::Db::changes);
    status.changes_bytes = txn.bytes(store::Db::changes);
    status.refusals = txn.entries(store::Db::refusals);
    status.jobs = txn.entries(store::Db::jobs);
    read_tenants(snapshot, status);
    status.catalog = snapshot.catalog();
    status.indexes = index_states(txn, *status.catalog);
    if (!txn.good()) return unreadable(txn.error());
    return status;
}

std::vector<std::string> problems_of(const StoreStatus &status) {
    std::vector<std::string> problems;
    auto add = [&](std::string text) { problems.push_back(std::move(text)); };
    const store::EnvInfo &env = status.env;
    if (status.is_suspended)
        add("the store is suspended, because worker processes crashed in it: run scimctl verify, "
            "then scimctl store resume");
    if (env.map_size - std::min(env.map_size, status.bytes_in_use()) <
        Reserve(env.map_size).changes)
        add("the map is almost full, and creates are refused: raise size= of scim_store and reload "
            "nginx");
    if (status.oldest_lag() > lag_most)
        add("process " + std::to_string(status.oldest_reader()) + " reads a snapshot that is " +
            std::to_string(status.oldest_lag()) +
            " transactions old: pages that were freed since are not used again, and the file "
            "grows");
    if (status.readers.size() * 100 > size_t(env.max_readers) * readers_percent_most)
        add(std::to_string(status.readers.size()) + " of " + std::to_string(env.max_readers) +
            " reader slots are in use");
    for (const IndexStatus &index : status.indexes)
        if (index.index->state == IndexState::conflict)
            add(index.type + " " + index.attribute +
                " is declared unique, but values are stored twice: see scimctl duplicates");
    for (const TenantStatus &one : status.tenants)
        if (one.tenant.state == store::TenantState::removing)
            add("the removal of tenant " + one.tenant.name +
                " was interrupted, or is under way: scimctl tenant remove --resume finishes it");
    return problems;
}

}  // namespace scim::service
