#pragma once
// What a worker process has of the stores, from init_process to exit_process. While anything is
// under way a timer keeps the worker from exiting, so that a reload or quit drops no answer.

#include "nginx/conf.h"
#include "nginx/ngx.h"
#include "nginx/store_slot.h"

namespace scim::nginx {

// NULL in processes that serve no requests.
StoreSlot *slot_of(const StoreConf &conf);

// Called by a slot when its work begins and ends.
void update_hold();

// Called by a slot when a request that took much memory has been answered.
void note_large_request();

ngx_int_t init_module(ngx_cycle_t *cycle);
ngx_int_t init_process(ngx_cycle_t *cycle);
void exit_process(ngx_cycle_t *cycle);

}  // namespace scim::nginx
