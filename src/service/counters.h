#pragma once
// Counters of all workers in memory that they share: of requests, commits, rewrites and decisions of
// the gate.
//
// Each counter only grows. Adding is an atomic addition without a lock, from any process and thread.
// A reader sees each counter as it is at some moment, not all at the same moment.
//
//     memory  := Counters tenant*
//     tenant  := TenantCounters; the first one counts the requests of all tenants that have none
//
// A change of this layout needs another counters_layout.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "scim/text/result.h"

namespace scim::service {

constexpr uint32_t counters_layout = 2;

using Counter = std::atomic<uint64_t>;

inline void add_to(Counter &counter, uint64_t value = 1) {
    counter.fetch_add(value, std::memory_order_relaxed);
}

// A histogram as Prometheus defines it: how many values were at most each bound, and their sum.
template <size_t bounds>
struct Histogram {
    Counter counts[bounds + 1];  // of values above the bound before and up to this one; no bound
    Counter sum;

    void observe(const std::array<uint64_t, bounds> &upper, uint64_t value) {
        size_t i = 0;
        while (i < bounds && value > upper[i]) i++;
        add_to(counts[i]);
        add_to(sum, value);
    }
};

// Bounds in nanoseconds: 100 µs to 10 s.
constexpr std::array<uint64_t, 15> duration_bounds = {
    100'000,     250'000,     500'000,       1'000'000,     2'500'000,
    5'000'000,   10'000'000,  25'000'000,    50'000'000,    100'000'000,
    250'000'000, 500'000'000, 1'000'000'000, 2'500'000'000, 10'000'000'000};
constexpr std::array<uint64_t, 8> batch_bounds = {1, 2, 4, 8, 16, 32, 64, 128};  // requests
using DurationHistogram = Histogram<duration_bounds.size()>;
using BatchHistogram = Histogram<batch_bounds.size()>;

// The values of $scim_operation; "none" for a request that was refused before it had one.
constexpr std::array<std::string_view, 12> operations = {
    "none",  "get",    "list", "search", "create",    "replace",
    "patch", "delete", "bulk", "me",     "discovery", "unknown"};
// Status codes; 0 stands for all others.
constexpr std::array<uint16_t, 20> codes = {0,   200, 201, 204, 304, 400, 401, 403, 404, 405,
                                            409, 412, 413, 415, 429, 499, 500, 501, 503, 507};
// Names of rewrites (docs/deviations.md); "other" stands for all others.
constexpr size_t rewrites_most = 64;
extern const std::array<std::string_view, rewrites_most> rewrites;  // empty: not used

constexpr size_t workers_most = 1024;  // NGX_MAX_PROCESSES
constexpr size_t error_types = 16;     // of ScimType
constexpr size_t gate_reasons = 32;    // of Reason
// Why a token that the store knows is refused.
constexpr std::array<Refusal, 4> token_refusals = {Refusal::token_expired, Refusal::token_revoked,
                                                   Refusal::token_not_yet_valid,
                                                   Refusal::token_user_refused};
enum class GateOutcome : uint8_t { allow, deny, dry_run_deny, ended };  // ended: scim_recheck
constexpr size_t gate_outcomes = 4;

struct TenantCounters {
    char store[64];    // with a terminating zero, cut off; empty: not used
    char tenant[256];  // the same
    Counter requests[operations.size()][codes.size()];
    Counter refused_tokens[token_refusals.size()];
};

struct Counters {
    uint32_t layout;
    uint32_t tenants;                 // number of TenantCounters behind this object
    std::atomic<uint32_t> used;       // of them
    DurationHistogram reads, writes;  // time that a request takes
    DurationHistogram commits;        // time that a commit takes
    BatchHistogram batches;           // requests of a commit
    Counter errors[error_types];
    Counter rewrites[rewrites_most];
    Counter gate[gate_outcomes][gate_reasons];
    std::atomic<int64_t> waiting[workers_most];  // writes that wait in each worker

    // Makes a Counters of `size` bytes, all zero, at `memory`. Returns nullptr if they are too few.
    static Counters *create(void *memory, size_t size);
    static constexpr size_t size_least();

    TenantCounters &tenant(size_t i) { return first_tenant()[i]; }
    const TenantCounters &tenant(size_t i) const {
        return const_cast<Counters *>(this)->first_tenant()[i];
    }
    // The counters of this tenant of this store; new ones on the first call, or those of all others
    // if none are left. REQUIRES: no other process or thread calls it.
    TenantCounters &find_or_add(std::string_view store, std::string_view tenant);

    void count_rewrites(std::string_view summary);  // DeviationReport::summary()

  private:
    TenantCounters *first_tenant() { return reinterpret_cast<TenantCounters *>(this + 1); }
};

constexpr size_t Counters::size_least() { return sizeof(Counters) + 2 * sizeof(TenantCounters); }

// Counts the refusal of a token that belongs to the tenant, unless the id is of another refusal.
void count_refused_token(TenantCounters &tenant, std::string_view error_id);
void count_request(TenantCounters &tenant, std::string_view operation, uint16_t status);

}  // namespace scim::service
