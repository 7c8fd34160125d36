#include "service/status.h"

#include <cstdio>

#include "service/admin.h"
#include "service/gate_decision.h"
#include "service/store_status.h"
#include "store/directory.h"
#include "store/tenants.h"

namespace scim::service {

namespace {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

Metric counter(std::string_view name, std::string_view help) { return {name, "counter", help, {}}; }
Metric gauge(std::string_view name, std::string_view help) { return {name, "gauge", help, {}}; }

double value_of(const Counter &counter) { return double(counter.load(std::memory_order_relaxed)); }

// `unit`: how many units of the histogram are one of the metric.
template <size_t bounds>
void add_histogram(Metric &metric, const Labels &labels, const Histogram<bounds> &histogram,
                   const std::array<uint64_t, bounds> &upper, double unit) {
    double count = 0;
    for (size_t i = 0; i <= bounds; i++) {
        count += value_of(histogram.counts[i]);
        Labels with_bound = labels;
        char bound[32] = "+Inf";
        if (i < bounds) std::snprintf(bound, sizeof bound, "%g", double(upper[i]) / unit);
        with_bound.emplace_back("le", bound);
        metric.add(std::move(with_bound), count, "_bucket");
    }
    metric.add(labels, value_of(histogram.sum) / unit, "_sum");
    metric.add(labels, count, "_count");
}

Metric requests_of(const Counters &counters) {
    Metric metric = counter("nginx_scim_requests_total",
                            "Requests by store, tenant, operation and status code; code 0 stands "
                            "for rare codes, an empty tenant for requests without a known token.");
    for (uint32_t i = 0; i < counters.used; i++) {
        const TenantCounters &tenant = counters.tenant(i);
        for (size_t operation = 0; operation < operations.size(); operation++)
            for (size_t code = 0; code < codes.size(); code++)
                if (const double value = value_of(tenant.requests[operation][code]); value > 0)
                    metric.add({{"store", tenant.store},
                                {"tenant", tenant.tenant},
                                {"operation", std::string(operations[operation])},
                                {"code", std::to_string(codes[code])}},
                               value);
    }
    return metric;
}

Metric refused_tokens_of(const Counters &counters) {
    Metric metric = counter("nginx_scim_refused_tokens_total",
                            "Requests with a token that the tenant has, but that is refused, by "
                            "store, tenant and id of the refusal (docs/errors.md).");
    for (uint32_t i = 1; i < counters.used; i++) {
        const TenantCounters &tenant = counters.tenant(i);
        for (size_t reason = 0; reason < token_refusals.size(); reason++)
            if (const double value = value_of(tenant.refused_tokens[reason]); value > 0)
                metric.add({{"store", tenant.store},
                            {"tenant", tenant.tenant},
                            {"reason", std::string(row_of(token_refusals[reason]).id)}},
                           value);
    }
    return metric;
}

void add_counters(std::vector<Metric> &metrics, const Counters &counters) {
    constexpr double second = 1e9;
    metrics.push_back(requests_of(counters));
    metrics.push_back(refused_tokens_of(counters));

    Metric errors = counter("nginx_scim_errors_total", "Refused requests by scimType.");
    for (size_t i = 1; i < error_types; i++)
        if (const auto name = to_string(ScimType(i)); !name.empty())
            errors.add({{"type", std::string(name)}}, value_of(counters.errors[i]));
    metrics.push_back(std::move(errors));

    Metric durations = {"nginx_scim_request_duration_seconds",
                        "histogram",
                        "Time from the beginning of a request's handling to its end.",
                        {}};
    add_histogram(durations, {{"kind", "read"}}, counters.reads, duration_bounds, second);
    add_histogram(durations, {{"kind", "write"}}, counters.writes, duration_bounds, second);
    metrics.push_back(std::move(durations));

    Metric commits = {"nginx_scim_commit_duration_seconds",
                      "histogram",
                      "Time that the commit of a batch of writes takes.",
                      {}};
    add_histogram(commits, {}, counters.commits, duration_bounds, second);
    metrics.push_back(std::move(commits));

    Metric batches = {"nginx_scim_batch_requests", "histogram", "Requests in one commit.", {}};
    add_histogram(batches, {}, counters.batches, batch_bounds, 1);
    metrics.push_back(std::move(batches));

    Metric waiting = gauge("nginx_scim_waiting_writes", "Writes that wait in the workers.");
    double writes = 0;
    for (const auto &each : counters.waiting) writes += double(each.load());
    waiting.add({}, writes);
    metrics.push_back(std::move(waiting));

    Metric rewritten = counter("nginx_scim_rewrites_total",
                               "Accepted deviations from RFC 7644 by name (docs/deviations.md).");
    for (size_t i = 0; i < rewrites_most; i++)
        if (!rewrites[i].empty())
            rewritten.add({{"name", std::string(rewrites[i])}}, value_of(counters.rewrites[i]));
    metrics.push_back(std::move(rewritten));

    Metric gate = counter("nginx_scim_gate_decisions_total",
                          "Decisions of the gate by outcome and reason (docs/gateway.md).");
    constexpr std::array<std::string_view, gate_outcomes> outcomes = {"allow", "deny",
                                                                      "dry_run_deny", "ended"};
    for (size_t outcome = 0; outcome < gate_outcomes; outcome++)
        for (size_t reason = 0; reason < gate_reasons; reason++)
            if (const double value = value_of(counters.gate[outcome][reason]); value > 0)
                gate.add({{"decision", std::string(outcomes[outcome])},
                          {"reason", std::string(to_string(Reason(reason)))}},
                         value);
    metrics.push_back(std::move(gate));
}

// The metrics of all stores: each has a sample for each store or tenant.
struct StoreMetrics {
    Metric up = gauge("nginx_scim_store_up", "1 if the store is served, otherwise 0.");
    Metric map_size =
        gauge("nginx_scim_store_map_bytes", "Size of the store's memory map (size=).");
    Metric used = gauge("nginx_scim_store_used_bytes", "Bytes of the map that are in use.");
    Metric transactions = counter("nginx_scim_store_commits_total",
                                  "Commits of all processes since the store exists.");
    Metric readers = gauge("nginx_scim_store_readers", "Slots of LMDB's reader table in use.");
    Metric slots = gauge("nginx_scim_store_reader_slots", "Slots of LMDB's reader table.");
    Metric oldest = gauge("nginx_scim_store_oldest_reader_commits",
                          "Commits since the oldest snapshot that is read; their pages are not "
                          "used again.");
    Metric jobs = gauge("nginx_scim_store_jobs",
                        "Removed members of groups whose rows wait for the maintenance.");
    Metric resources = gauge("nginx_scim_resources", "Resources by store, tenant and type.");
    Metric last_write = gauge("nginx_scim_last_write_timestamp_seconds",
                              "Time of the last change of a tenant's resources.");
    Metric expiry = gauge("nginx_scim_token_expiry_timestamp_seconds",
                          "When a live token expires; absent if it never does.");

    void add(const StoreView &store);
    void add_tenant(const StoreView &store, const store::Tenant &tenant, int64_t now);
};

void StoreMetrics::add_tenant(const StoreView &store, const store::Tenant &tenant, int64_t now) {
    store::Txn &txn = store.snapshot->txn;
    store::Directory directory(txn, tenant.number);
    const Labels labels = {{"store", std::string(store.name)}, {"tenant", tenant.name}};
    for (const auto &type : store.snapshot->catalog()->types()) {
        Labels with_type = labels;
        with_type.emplace_back("type", type->type.name);
        resources.add(std::move(with_type), double(directory.count(type->number)));
    }
    if (const int64_t time = directory.position().time; time != 0)
        last_write.add(labels, double(time) / 1000);
    for (const auto &entry : store::list_tokens(txn, tenant.number, tokens_shown)) {
        if (entry.token.expires == 0 || state_of(entry.token, now) != TokenState::live) continue;
        Labels with_token = labels;
        with_token.emplace_back("token", std::to_string(entry.token.number));
        with_token.emplace_back("label", entry.token.label);
        expiry.add(std::move(with_token), double(entry.token.expires) / 1000);
    }
}

void StoreMetrics::add(const StoreView &store) {
    const Labels labels = {{"store", std::string(store.name)}};
    const bool is_up = store.snapshot != nullptr && store.snapshot->usable();
    up.add(labels, is_up ? 1 : 0);
    if (!is_up) return;
    store::Txn &txn = store.snapshot->txn;
    const store::EnvInfo info = store.env->info();
    map_size.add(labels, double(info.map_size));
    used.add(labels, double(info.used));
    transactions.add(labels, double(info.last_txn));
    const auto in_use = store.env->readers();
    readers.add(labels, double(in_use.size()));
    slots.add(labels, double(info.max_readers));
    // This request reads a snapshot, too. A commit may have come since `info`.
    const store::ReaderSlot *slot = oldest_of(in_use);
    oldest.add(labels, slot != nullptr && slot->txn < info.last_txn
                           ? double(info.last_txn - slot->txn)
                           : 0);
    jobs.add(labels, double(txn.entries(store::Db::jobs)));
}

}  // namespace

std::vector<Metric> status_of(const Counters *counters, const std::vector<StoreView> &stores,
                              int64_t now) {
    std::vector<Metric> metrics;
    if (counters != nullptr) add_counters(metrics, *counters);
    StoreMetrics all;
    for (const StoreView &store : stores) {
        all.add(store);
        if (store.snapshot == nullptr || !store.snapshot->usable()) continue;
        for (const store::Tenant &tenant : store::list_tenants(store.snapshot->txn, tenants_shown))
            if (tenant.state == store::TenantState::active) all.add_tenant(store, tenant, now);
    }
    for (Metric *metric :
         {&all.up, &all.map_size, &all.used, &all.transactions, &all.readers, &all.slots,
          &all.oldest, &all.jobs, &all.resources, &all.last_write, &all.expiry})
        metrics.push_back(std::move(*metric));
    return metrics;
}

}  // namespace scim::service
