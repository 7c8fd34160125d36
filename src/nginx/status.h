#pragma once
// The directives scim_status_zone and scim_status: counters in memory that all workers share and
// that survives reloads, and the location that shows them.

#include "nginx/endpoint_ctx.h"
#include "nginx/ngx.h"
#include "service/counters.h"
#include "service/gate_decision.h"

namespace scim::nginx {

// NULL without scim_status_zone, and in processes that serve no requests.
service::Counters *counters();

// scim_status_zone NAME SIZE;
char *set_status_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
// scim_status;
char *set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

// To be called when a worker starts.
void start_counting(ngx_cycle_t *cycle);

// The log phase: counts a request of a location with the directive `scim`.
ngx_int_t count_handler(ngx_http_request_t *r);

// Counts a decision of the gate.
void count_decision(service::GateOutcome outcome, service::Reason reason);

// Nanoseconds of a clock that never goes back; 0 without counters.
uint64_t counting_time();

}  // namespace scim::nginx
