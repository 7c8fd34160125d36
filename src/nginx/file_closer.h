#pragma once
// Closes temporary files on a pool thread. They are unlinked, so that closing one frees its pages
// and blocks, which takes 0.3 ms for each MB.

#include <vector>

#include "nginx/ngx.h"
#include "nginx/pool_task.h"

namespace scim::nginx {

class FileCloser {
  public:
    explicit FileCloser(ngx_thread_pool_t *pool) : pool_(pool), task_(this) {}
    ~FileCloser() { close_all(waiting_); }
    FileCloser(const FileCloser &) = delete;
    FileCloser &operator=(const FileCloser &) = delete;

    // Takes over `fd`. Closes it on the calling thread, the event loop, if it has less than 128 KiB,
    // if memory is short, if the pool's queue is full, and after stop().
    void close(ngx_fd_t fd) noexcept;
    // Blocks until no thread closes files. For the end of the process, when the pool is destroyed.
    void stop() {
        task_.wait();
        pool_ = NULL;
    }

  private:
    static void close_all(std::vector<ngx_fd_t> &files) noexcept;
    void start() noexcept;
    void run() { close_all(closing_); }
    void done();

    ngx_thread_pool_t *pool_;
    PoolTask task_;
    std::vector<ngx_fd_t> waiting_, closing_;  // the task uses only closing_
};

// Closes a temporary file, by the FileCloser of this worker process if it has one. To be called on
// the event loop.
void close_temp_file(ngx_fd_t fd) noexcept;

// Closes the file of the request's body in this way when nginx destroys the request. To be called
// before nginx reads the body. Returns false if an allocation fails.
bool close_body_file_later(ngx_http_request_t *r) noexcept;

}  // namespace scim::nginx
