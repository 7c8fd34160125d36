#include "nginx/memory.h"

#include <malloc.h>

namespace scim::nginx {

namespace {

constexpr ngx_msec_t delay = 1000;
constexpr int arenas = 4, mapped_bytes = 256 << 10, top_bytes = 4 << 20;

}  // namespace

void limit_arenas() {
    mallopt(M_ARENA_MAX, arenas);
    mallopt(M_MMAP_THRESHOLD, mapped_bytes);
    mallopt(M_TRIM_THRESHOLD, top_bytes);
}

MemoryTrim::MemoryTrim(ngx_thread_pool_t *pool, ngx_log_t *log) : pool_(pool), task_(this) {
    nobody_.fd = ngx_socket_t(-1);
    nobody_.data = this;
    timer_.data = &nobody_;
    timer_.handler = [](ngx_event_t *ev) {
        static_cast<MemoryTrim *>(static_cast<ngx_connection_t *>(ev->data)->data)->start();
    };
    timer_.log = log;
    timer_.cancelable = 1;
}

MemoryTrim::~MemoryTrim() {
    if (timer_.timer_set) ngx_del_timer(&timer_);
}

void MemoryTrim::later() noexcept {
    if (!ngx_exiting && !timer_.timer_set) ngx_add_timer(&timer_, delay);
}

// If a trim is running or the pool's queue is full, tries again in a second.
void MemoryTrim::start() noexcept {
    if (task_.under_way() || !task_.post(pool_, step<&MemoryTrim::run>, step<&MemoryTrim::done>))
        later();
}

void MemoryTrim::run() { malloc_trim(0); }

void MemoryTrim::done() {}

}  // namespace scim::nginx
