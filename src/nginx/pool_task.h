#pragma once
// A piece of work on a thread pool of nginx.

#include <atomic>

#include "nginx/ngx.h"

namespace scim::nginx {

// Runs one function on a thread of a pool, then another one on the event loop. One at a time.
// Nothing here allocates or throws.
class PoolTask {
  public:
    using Step = void (*)(void *owner);

    // `owner` is what the functions are called with.
    explicit PoolTask(void *owner);
    PoolTask(const PoolTask &) = delete;
    PoolTask &operator=(const PoolTask &) = delete;

    // False if the pool's queue is full: then nothing will run. What `run` or `done` throws is
    // logged. REQUIRES: !under_way().
    bool post(ngx_thread_pool_t *pool, Step run, Step done);
    // From post() until `done` is called.
    bool under_way() const { return under_way_; }
    // When it was posted, as ngx_current_msec. REQUIRES: under_way().
    ngx_msec_t since() const { return since_; }
    // Blocks until no thread runs it. For the end of the process: `done` is never called then.
    void wait() const;

  private:
    ngx_thread_task_t task_{};
    void *owner_;
    Step run_ = NULL, done_ = NULL;
    bool under_way_ = false;
    ngx_msec_t since_ = 0;
    std::atomic<bool> running_{false};  // on the thread, or in the pool's queue
};

template <auto member>
struct StepOf;
template <class T, void (T::*member)()>
struct StepOf<member> {
    static void call(void *owner) { (static_cast<T *>(owner)->*member)(); }
};
// A member function of the owner as a Step.
template <auto member>
constexpr PoolTask::Step step = StepOf<member>::call;

}  // namespace scim::nginx
