#pragma once
// A reusable task for an nginx thread pool.

#include <atomic>

#include "nginx/ngx.h"

namespace scim::nginx {

// Runs one function on a thread of a pool, then another one on the event loop. At most one run is
// under way. No member function allocates or throws.
class PoolTask {
  public:
    using Step = void (*)(void *owner);

    // `owner` is the argument of both functions.
    explicit PoolTask(void *owner);
    PoolTask(const PoolTask &) = delete;
    PoolTask &operator=(const PoolTask &) = delete;

    // Queues `run` for the pool and `done` for the event loop. Returns false, and runs neither, if
    // the pool's queue is full. Exceptions of `run` and `done` are logged. REQUIRES: !under_way().
    bool post(ngx_thread_pool_t *pool, Step run, Step done);
    // True from post() until `done` is called.
    bool under_way() const { return under_way_; }
    // The time of post(), in milliseconds as ngx_current_msec. REQUIRES: under_way().
    ngx_msec_t since() const { return since_; }
    // Blocks until `run` has ended. For the end of the process: `done` is not called afterwards.
    void wait() const;

  private:
    ngx_thread_task_t task_{};
    void *owner_;
    Step run_ = NULL, done_ = NULL;
    bool under_way_ = false;
    ngx_msec_t since_ = 0;
    std::atomic<bool> running_{false};  // `run` is queued or runs on a thread
};

template <auto member>
struct StepOf;
template <class T, void (T::*member)()>
struct StepOf<member> {
    static void call(void *owner) { (static_cast<T *>(owner)->*member)(); }
};
// Converts a member function of the owner to a Step.
template <auto member>
constexpr PoolTask::Step step = StepOf<member>::call;

}  // namespace scim::nginx
