#pragma once
// Memory that large requests leave free in malloc's arenas, one of which each thread of a pool may
// fill, goes back to the system a second after the last of them.

#include "nginx/ngx.h"
#include "nginx/pool_task.h"

namespace scim::nginx {

// Few arenas, and blocks of 256 KiB and more are mapped: those go back as soon as they are free. For
// the whole process, before threads allocate.
void limit_arenas();

class MemoryTrim {
  public:
    MemoryTrim(ngx_thread_pool_t *pool, ngx_log_t *log);
    ~MemoryTrim();
    MemoryTrim(const MemoryTrim &) = delete;
    MemoryTrim &operator=(const MemoryTrim &) = delete;

    // A large request has been answered.
    void later() noexcept;
    // For the end of the process: blocks until no thread runs it.
    void wait() const { task_.wait(); }

  private:
    void start() noexcept;
    void run();
    void done();

    ngx_thread_pool_t *pool_;
    PoolTask task_;
    ngx_connection_t nobody_{};  // nginx prints the connection of a timer at debug level
    ngx_event_t timer_{};
};

}  // namespace scim::nginx
