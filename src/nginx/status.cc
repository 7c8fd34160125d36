#include "nginx/status.h"

#include <chrono>
#include <optional>
#include <unordered_map>
#include <vector>

#include "nginx/directive.h"
#include "nginx/guard.h"
#include "nginx/handler.h"
#include "nginx/worker.h"
#include "service/content_type.h"
#include "service/status.h"

namespace scim::nginx {

namespace {

service::Counters *in_this_worker;

// The counters of the zone; NULL before nginx has created it.
service::Counters *counters_of(const MainConf &mcf) {
    return mcf.status_zone == NULL ? NULL : static_cast<service::Counters *>(mcf.status_zone->data);
}

// nginx calls this for a new zone, and for one whose name and size are those of the configuration
// before, with the data of that one.
ngx_int_t init_zone(ngx_shm_zone_t *zone, void *before) {
    if (before != NULL) {
        zone->data = before;
        return NGX_OK;
    }
    auto *pool = reinterpret_cast<ngx_slab_pool_t *>(zone->shm.addr);
    const size_t size = pool->pfree * ngx_pagesize;
    void *memory = ngx_slab_calloc(pool, size);
    zone->data = memory == NULL ? NULL : service::Counters::create(memory, size);
    if (zone->data != NULL) return NGX_OK;
    ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "scim_status_zone \"%V\" is too small",
                  &zone->shm.name);
    return NGX_ERROR;
}

// Counters of a tenant, whose place in the zone does not change.
service::TenantCounters &tenant_counters(const StoreConf &store, const service::Actor *actor) {
    service::Counters &all = *in_this_worker;
    if (actor == nullptr) return all.tenant(0);
    constexpr size_t known_most = 4096;
    static auto *known = new std::unordered_map<uint64_t, service::TenantCounters *>;
    const uint64_t key = uint64_t(store.index) << 32 | actor->tenant;
    if (const auto found = known->find(key); found != known->end()) return *found->second;
    if (known->size() >= known_most) known->clear();
    auto *pool = reinterpret_cast<ngx_slab_pool_t *>(
        main_conf(const_cast<ngx_cycle_t *>(ngx_cycle))->status_zone->shm.addr);
    ngx_shmtx_lock(&pool->mutex);
    service::TenantCounters &counters = all.find_or_add(store.name, actor->tenant_name);
    ngx_shmtx_unlock(&pool->mutex);
    known->emplace(key, &counters);
    return counters;
}

void count(ngx_http_request_t *r, const LocConf &lcf, const EndpointCtx &ctx) {
    service::Counters &all = *in_this_worker;
    const ngx_uint_t status = r->err_status != 0 ? r->err_status : r->headers_out.status;
    const service::Actor *actor = ctx.actor ? ctx.actor.get() : ctx.refused.get();
    const service::LogFields &fields = ctx.log_fields;
    service::TenantCounters &tenant = tenant_counters(*lcf.store, actor);
    count_request(tenant, fields.operation, uint16_t(status));
    if (!ctx.actor && ctx.refused) count_refused_token(tenant, fields.error_id);
    if (fields.scim_type != ScimType::none) service::add_to(all.errors[size_t(fields.scim_type)]);
    if (!fields.dialect.empty()) all.count_rewrites(fields.dialect);
    if (ctx.started == 0) return;
    auto &durations = ctx.is_write ? all.writes : all.reads;
    durations.observe(service::duration_bounds, counting_time() - ctx.started);
}

bool wants_json(ngx_http_request_t *r) {
    return accepted_type(r, "text/plain", "application/json") == "application/json";
}

// A view of each store, with its snapshot in `places`.
std::vector<service::StoreView> stores_of(const MainConf &mcf,
                                          std::vector<std::optional<service::Snapshot>> &places) {
    std::vector<service::StoreView> views;
    for (size_t i = 0; i < mcf.stores.size(); i++) {
        service::StoreView view{mcf.stores[i]->name, nullptr, nullptr};
        WorkerStore *store = store_of(*mcf.stores[i]);
        if (store != NULL && store->session() != NULL) {
            view.env = store->env();
            view.snapshot = &places[i].emplace(*store->session());
        }
        views.push_back(view);
    }
    return views;
}

ngx_int_t send_status(ngx_http_request_t *r) {
    const MainConf &mcf = *main_conf(const_cast<ngx_cycle_t *>(ngx_cycle));
    std::string text;
    const bool json = wants_json(r);
    {
        std::vector<std::optional<service::Snapshot>> places(mcf.stores.size());
        const auto writer = json ? service::json_writer() : service::prometheus_writer();
        service::write_status(*writer, in_this_worker, stores_of(mcf, places), now());
        text = writer->finish();
    }
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = off_t(text.size());
    const ngx_str_t type = json ? ngx_str_t ngx_string("application/json")
                                : ngx_str_t ngx_string("text/plain; version=0.0.4; charset=utf-8");
    r->headers_out.content_type = type;
    r->headers_out.content_type_len = type.len;
    ngx_buf_t *b = ngx_create_temp_buf(r->pool, text.size());
    if (b == NULL) return NGX_ERROR;
    b->last = ngx_cpymem(b->pos, text.data(), text.size());
    b->last_buf = r == r->main;
    b->last_in_chain = 1;
    const ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
    ngx_chain_t out = {b, NULL};
    return ngx_http_output_filter(r, &out);
}

ngx_int_t status_handler(ngx_http_request_t *r) {
    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) return NGX_HTTP_NOT_ALLOWED;
    const ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) return rc;
    return guarded(r, [&] { return send_status(r); });
}

}  // namespace

service::Counters *counters() { return in_this_worker; }

void start_counting(ngx_cycle_t *cycle) { in_this_worker = counters_of(*main_conf(cycle)); }

uint64_t counting_time() {
    if (in_this_worker == NULL) return 0;
    return uint64_t(std::chrono::steady_clock::now().time_since_epoch() /
                    std::chrono::nanoseconds(1));
}

ngx_int_t count_handler(ngx_http_request_t *r) {
    const LocConf &lcf = loc_conf(r);
    if (in_this_worker == NULL || !lcf.enabled()) return NGX_OK;
    const EndpointCtx *ctx = ctx_if_any(r);
    if (ctx == NULL) return NGX_OK;
    return guarded(r->connection->log, ngx_int_t(NGX_OK), [&]() -> ngx_int_t {
        count(r, lcf, *ctx);
        return NGX_OK;
    });
}

void count_decision(service::GateOutcome outcome, service::Reason reason) {
    if (in_this_worker != NULL)
        service::add_to(in_this_worker->gate[size_t(outcome)][size_t(reason)]);
}

char *set_status_zone(ngx_conf_t *cf, ngx_command_t *, void *) {
    return guarded_slot(cf, [&]() -> char * {
        MainConf &mcf = *main_conf(cf);
        if (mcf.status_zone != NULL)
            return fail(cf,
                        "duplicate \"scim_status_zone\" directive, there is one for all stores");
        const std::string text = arg(cf, 2);
        auto *args = static_cast<ngx_str_t *>(cf->args->elts);
        const ssize_t size = ngx_parse_size(&args[2]);
        constexpr ssize_t least = 64 << 10, most = 1 << 30;
        if (size == NGX_ERROR || size < least || size > most)
            return fail(cf, "invalid size \"" + text +
                                "\" in \"scim_status_zone\" directive, it must be a size such as "
                                "256k, at least 64k and at most 1g");
        mcf.status_zone = ngx_shared_memory_add(cf, &args[1], size_t(size), &ngx_http_scim_module);
        if (mcf.status_zone == NULL) return static_cast<char *>(NGX_CONF_ERROR);
        mcf.status_zone->init = init_zone;
        return NGX_CONF_OK;
    });
}

char *set_status(ngx_conf_t *cf, ngx_command_t *, void *) {
    auto *core = static_cast<ngx_http_core_loc_conf_t *>(
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    core->handler = status_handler;
    return NGX_CONF_OK;
}

}  // namespace scim::nginx
