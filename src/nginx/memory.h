#pragma once
// Returns memory that large requests have freed from malloc's arenas to the system, one second
// after the first of them. Every thread of a pool may fill an arena.

#include "nginx/ngx.h"
#include "nginx/pool_task.h"

namespace scim::nginx {

// Limits malloc to 4 arenas and lets it map blocks of 256 KiB and more, which return to the system
// as soon as they are freed. Applies to the whole process. REQUIRES: no other thread has allocated.
void limit_arenas();

class MemoryTrim {
  public:
    MemoryTrim(ngx_thread_pool_t *pool, ngx_log_t *log);
    ~MemoryTrim();
    MemoryTrim(const MemoryTrim &) = delete;
    MemoryTrim &operator=(const MemoryTrim &) = delete;

    // Schedules a trim in one second, unless one is scheduled. To be called after the response to a
    // large request.
    void later() noexcept;
    // Blocks until no thread runs the trim. For the end of the process.
    void wait() const { task_.wait(); }

  private:
    void start() noexcept;
    void run();
    void done();

    ngx_thread_pool_t *pool_;
    PoolTask task_;
    ngx_connection_t nobody_{};  // dummy, because nginx logs the connection of a timer's event
    ngx_event_t timer_{};
};

}  // namespace scim::nginx
