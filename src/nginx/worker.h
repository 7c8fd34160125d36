#pragma once
// The stores of a worker process, from init_process to exit_process. While a request is under way,
// a timer keeps the worker from exiting, so that a reload or quit does not drop a response.

#include "nginx/conf.h"
#include "nginx/ngx.h"
#include "nginx/worker_store.h"

namespace scim::nginx {

class FileCloser;

// Returns NULL in processes that serve no requests, and before the store's WorkerStore exists.
WorkerStore *store_of(const StoreConf &conf);

// Sets or removes the timer that keeps the worker from exiting, and shows how many writes wait. Called by a WorkerStore when its
// work begins and ends.
void update_hold();

// Schedules the return of freed memory to the system. Called by a WorkerStore after the response to
// a request that used much memory.
void note_large_request();

// Closes temporary files on a thread. NULL in processes that serve no requests.
FileCloser *file_closer();

ngx_int_t init_module(ngx_cycle_t *cycle);
ngx_int_t init_process(ngx_cycle_t *cycle);
void exit_process(ngx_cycle_t *cycle);

}  // namespace scim::nginx
