#include "service/status.h"

#include <array>
#include <cstdio>

#include "service/admin.h"
#include "service/gate_decision.h"
#include "service/store_status.h"
#include "store/directory.h"
#include "store/tenants.h"

namespace scim::service {

namespace {

Metric counter(std::string_view name, std::string_view help) { return {name, "counter", help}; }
Metric gauge(std::string_view name, std::string_view help) { return {name, "gauge", help}; }
Metric histogram(std::string_view name, std::string_view help) { return {name, "histogram", help}; }

double value_of(const Counter &counter) { return double(counter.load(std::memory_order_relaxed)); }

// The label `le` of each bucket. `unit`: how many units of the bounds are one of the metric.
template <size_t bounds>
std::array<std::string, bounds + 1> bucket_labels(const std::array<uint64_t, bounds> &upper,
                                                  double unit) {
    std::array<std::string, bounds + 1> labels;
    for (size_t i = 0; i < bounds; i++) {
        char text[32];
        std::snprintf(text, sizeof text, "%g", double(upper[i]) / unit);
        labels[i] = text;
    }
    labels[bounds] = "+Inf";
    return labels;
}

// `le` and `unit`: of bucket_labels().
template <size_t bounds>
void add_histogram(MetricsWriter &out, const Labels &labels, const Histogram<bounds> &histogram,
                   const std::array<std::string, bounds + 1> &le, double unit) {
    double count = 0;
    for (size_t i = 0; i <= bounds; i++) {
        count += value_of(histogram.counts[i]);
        out.add(labels.with("le", le[i]), count, "_bucket");
    }
    out.add(labels, value_of(histogram.sum) / unit, "_sum");
    out.add(labels, count, "_count");
}

void write_requests(MetricsWriter &out, const Counters &counters) {
    static const auto &code_texts = *new auto([] {
        std::array<std::string, codes.size()> texts;
        for (size_t i = 0; i < codes.size(); i++) texts[i] = std::to_string(codes[i]);
        return texts;
    }());
    out.begin(counter("nginx_scim_requests_total",
                      "Requests by store, tenant, operation and status code; code 0 stands "
                      "for rare codes, an empty tenant for requests without a known token."));
    for (uint32_t i = 0; i < counters.used; i++) {
        const TenantCounters &tenant = counters.tenant(i);
        for (size_t operation = 0; operation < operations.size(); operation++)
            for (size_t code = 0; code < codes.size(); code++)
                if (const double value = value_of(tenant.requests[operation][code]); value > 0)
                    out.add({{"store", tenant.store},
                             {"tenant", tenant.tenant},
                             {"operation", operations[operation]},
                             {"code", code_texts[code]}},
                            value);
    }
}

void write_refused_tokens(MetricsWriter &out, const Counters &counters) {
    out.begin(counter("nginx_scim_refused_tokens_total",
                      "Requests with a token that the tenant has, but that is refused, by "
                      "store, tenant and id of the refusal (docs/errors.md)."));
    for (uint32_t i = 1; i < counters.used; i++) {
        const TenantCounters &tenant = counters.tenant(i);
        for (size_t reason = 0; reason < token_refusals.size(); reason++)
            if (const double value = value_of(tenant.refused_tokens[reason]); value > 0)
                out.add({{"store", tenant.store},
                         {"tenant", tenant.tenant},
                         {"reason", row_of(token_refusals[reason]).id}},
                        value);
    }
}

void write_durations(MetricsWriter &out, const Counters &counters) {
    constexpr double second = 1e9;
    static const auto &seconds = *new auto(bucket_labels(duration_bounds, second));
    static const auto &requests = *new auto(bucket_labels(batch_bounds, 1));
    out.begin(histogram("nginx_scim_request_duration_seconds",
                        "Time from the beginning of a request's handling to its end."));
    add_histogram(out, {{"kind", "read"}}, counters.reads, seconds, second);
    add_histogram(out, {{"kind", "write"}}, counters.writes, seconds, second);
    out.begin(histogram("nginx_scim_commit_duration_seconds",
                        "Time that the commit of a batch of writes takes."));
    add_histogram(out, {}, counters.commits, seconds, second);
    out.begin(histogram("nginx_scim_batch_requests", "Requests in one commit."));
    add_histogram(out, {}, counters.batches, requests, 1);
}

void write_gate(MetricsWriter &out, const Counters &counters) {
    constexpr std::array<std::string_view, gate_outcomes> outcomes = {"allow", "deny",
                                                                      "dry_run_deny", "ended"};
    out.begin(counter("nginx_scim_gate_decisions_total",
                      "Decisions of the gate by outcome and reason (docs/gateway.md)."));
    for (size_t outcome = 0; outcome < gate_outcomes; outcome++)
        for (size_t reason = 0; reason < gate_reasons; reason++)
            if (const double value = value_of(counters.gate[outcome][reason]); value > 0)
                out.add({{"decision", outcomes[outcome]}, {"reason", to_string(Reason(reason))}},
                        value);
}

void write_counters(MetricsWriter &out, const Counters &counters) {
    write_requests(out, counters);
    write_refused_tokens(out, counters);

    out.begin(counter("nginx_scim_errors_total", "Refused requests by scimType."));
    for (size_t i = 1; i < error_types; i++)
        if (const auto name = to_string(ScimType(i)); !name.empty())
            out.add({{"type", name}}, value_of(counters.errors[i]));

    write_durations(out, counters);

    out.begin(gauge("nginx_scim_waiting_writes", "Writes that wait in the workers."));
    int64_t writes = 0;
    for (const auto &each : counters.waiting) writes += each.load(std::memory_order_relaxed);
    out.add({}, double(writes));

    out.begin(counter("nginx_scim_rewrites_total",
                      "Accepted deviations from RFC 7644 by name (docs/deviations.md)."));
    for (size_t i = 0; i < rewrites_most && !rewrites[i].empty(); i++)
        out.add({{"name", rewrites[i]}}, value_of(counters.rewrites[i]));

    write_gate(out, counters);
}

// What the metrics show of a token that expires, of a tenant and of a store.
struct TokenFigures {
    std::string number, label;
    int64_t expires;  // milliseconds since 1970
};

struct TenantFigures {
    std::string name;
    std::vector<std::pair<std::string, uint64_t>> resources;  // their type and number
    int64_t last_write;                                       // milliseconds; 0: never
    std::vector<TokenFigures> tokens;
};

struct StoreFigures {
    std::string_view name;
    store::EnvInfo info;
    size_t readers, jobs;
    uint64_t oldest_reader;  // commits since its snapshot
    std::vector<TenantFigures> tenants;
};

TenantFigures figures_of(Snapshot &snapshot, const store::Tenant &tenant, int64_t now) {
    store::Directory directory(snapshot.txn, tenant.number);
    TenantFigures figures{tenant.name, {}, directory.position().time, {}};
    for (const auto &type : snapshot.catalog()->types())
        figures.resources.emplace_back(type->type.name, directory.count(type->number));
    for (auto &entry : store::list_tokens(snapshot.txn, tenant.number, tokens_shown))
        if (entry.token.expires != 0 && state_of(entry.token, now) == TokenState::live)
            figures.tokens.push_back({std::to_string(entry.token.number),
                                      std::move(entry.token.label), entry.token.expires});
    return figures;
}

StoreFigures figures_of(const StoreView &store, int64_t now) {
    store::Txn &txn = store.snapshot->txn;
    StoreFigures figures{store.name, store.env->info(), 0, txn.entries(store::Db::jobs), 0, {}};
    const auto readers = store.env->readers();
    figures.readers = readers.size();
    // This request reads a snapshot, too. A commit may have come since `info`.
    const store::ReaderSlot *oldest = oldest_of(readers);
    if (oldest != nullptr && oldest->txn < figures.info.last_txn)
        figures.oldest_reader = figures.info.last_txn - oldest->txn;
    for (const store::Tenant &tenant : store::list_tenants(txn, tenants_shown))
        if (tenant.state == store::TenantState::active)
            figures.tenants.push_back(figures_of(*store.snapshot, tenant, now));
    return figures;
}

using AllFigures = std::vector<StoreFigures>;

template <class ValueOf>
void write_each_store(MetricsWriter &out, const Metric &metric, const AllFigures &stores,
                      ValueOf value_of) {
    out.begin(metric);
    for (const StoreFigures &store : stores)
        out.add({{"store", store.name}}, double(value_of(store)));
}

void write_store_figures(MetricsWriter &out, const AllFigures &stores) {
    using Store = const StoreFigures &;
    write_each_store(out,
                     gauge("nginx_scim_store_map_bytes", "Size of the store's memory map (size=)."),
                     stores, [](Store s) { return s.info.map_size; });
    write_each_store(out, gauge("nginx_scim_store_used_bytes", "Bytes of the map that are in use."),
                     stores, [](Store s) { return s.info.used; });
    write_each_store(out,
                     counter("nginx_scim_store_commits_total",
                             "Commits of all processes since the store exists."),
                     stores, [](Store s) { return s.info.last_txn; });
    write_each_store(out, gauge("nginx_scim_store_readers", "Slots of LMDB's reader table in use."),
                     stores, [](Store s) { return s.readers; });
    write_each_store(out, gauge("nginx_scim_store_reader_slots", "Slots of LMDB's reader table."),
                     stores, [](Store s) { return s.info.max_readers; });
    write_each_store(out,
                     gauge("nginx_scim_store_oldest_reader_commits",
                           "Commits since the oldest snapshot that is read; their pages are not "
                           "used again."),
                     stores, [](Store s) { return s.oldest_reader; });
    write_each_store(out,
                     gauge("nginx_scim_store_jobs",
                           "Removed members of groups whose rows wait for the maintenance."),
                     stores, [](Store s) { return s.jobs; });
}

template <class Add>
void write_each_tenant(MetricsWriter &out, const Metric &metric, const AllFigures &stores,
                       Add add) {
    out.begin(metric);
    for (const StoreFigures &store : stores)
        for (const TenantFigures &tenant : store.tenants)
            add(Labels{{"store", store.name}, {"tenant", tenant.name}}, tenant);
}

void write_tenant_figures(MetricsWriter &out, const AllFigures &stores) {
    constexpr double second = 1000;
    write_each_tenant(out, gauge("nginx_scim_resources", "Resources by store, tenant and type."),
                      stores, [&](const Labels &labels, const TenantFigures &tenant) {
                          for (const auto &[type, count] : tenant.resources)
                              out.add(labels.with("type", type), double(count));
                      });
    write_each_tenant(out,
                      gauge("nginx_scim_last_write_timestamp_seconds",
                            "Time of the last change of a tenant's resources."),
                      stores, [&](const Labels &labels, const TenantFigures &tenant) {
                          if (tenant.last_write != 0)
                              out.add(labels, double(tenant.last_write) / second);
                      });
    write_each_tenant(out,
                      gauge("nginx_scim_token_expiry_timestamp_seconds",
                            "When a live token expires; absent if it never does."),
                      stores, [&](const Labels &labels, const TenantFigures &tenant) {
                          for (const TokenFigures &token : tenant.tokens)
                              out.add(labels.with("token", token.number).with("label", token.label),
                                      double(token.expires) / second);
                      });
}

}  // namespace

void write_status(MetricsWriter &out, const Counters *counters,
                  const std::vector<StoreView> &stores, int64_t now) {
    if (counters != nullptr) write_counters(out, *counters);
    AllFigures figures;
    out.begin(gauge("nginx_scim_store_up", "1 if the store is served, otherwise 0."));
    for (const StoreView &store : stores) {
        const bool is_up = store.snapshot != nullptr && store.snapshot->usable();
        out.add({{"store", store.name}}, is_up ? 1 : 0);
        if (is_up) figures.push_back(figures_of(store, now));
    }
    write_store_figures(out, figures);
    write_tenant_figures(out, figures);
}

}  // namespace scim::service
