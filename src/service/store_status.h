#pragma once
// What a store contains and how it does: for `scimctl stats` and `scimctl check`.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "service/index_builder.h"
#include "service/store.h"
#include "store/tenants.h"

namespace scim::service {

// The slot that reads the oldest snapshot; nullptr if none reads one.
const store::ReaderSlot *oldest_of(const std::vector<store::ReaderSlot> &slots);

struct TenantStatus {
    store::Tenant tenant;
    std::vector<std::pair<std::string, uint64_t>> resources;  // by the name of their type
    bool has_import = false;  // an import is under way or was interrupted
};

struct StoreStatus {
    store::EnvInfo env;
    size_t free_bytes = 0;  // of pages that can be used again
    uint64_t changes = 0, changes_bytes = 0, refusals = 0;
    uint64_t jobs = 0;                       // groups whose dead rows are being deleted
    std::vector<store::ReaderSlot> readers;  // of other processes
    std::vector<TenantStatus> tenants;
    std::shared_ptr<const Catalog> catalog;  // of `indexes`
    std::vector<IndexStatus> indexes;
    bool is_suspended = false;

    size_t bytes_in_use() const { return env.used - std::min(env.used, free_bytes); }
    // How many transactions have been committed since the oldest snapshot; 0 if there is none.
    uint64_t oldest_lag() const;
    // The process that reads it; 0 if there is none.
    int64_t oldest_reader() const;
};

// 503 if the store cannot be read. REQUIRES: snapshot.usable().
Result<StoreStatus> read_status(store::Env &env, Snapshot &snapshot);

// What an operator must attend to, a sentence each.
std::vector<std::string> problems_of(const StoreStatus &status);

}  // namespace scim::service
