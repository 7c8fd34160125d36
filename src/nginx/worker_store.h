#pragma once
// One store in a worker process, from init_process to exit_process.
//
// A store that cannot be opened does not stop a worker: its locations answer 503, and the worker
// tries again every second. Operations that may block (declaring schemas, writes, long reads) run
// on nginx thread pools. The event loop only renews its own LMDB read transaction.
//
// The state consists of the tasks of the writer thread and of the request threads, and of the
// requests that wait for them. It is updated after a task has been posted, and first of all after a
// task has ended; the updates do not allocate memory. An exception leaves a state in which the next
// request proceeds. Every request that was taken gets a response, and never inside the call that
// took it.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "nginx/conf.h"
#include "nginx/ngx.h"
#include "nginx/pending_request.h"
#include "nginx/pool_task.h"
#include "nginx/request_thread.h"
#include "nginx/write_queue.h"
#include "service/batch.h"
#include "service/gate_cache.h"
#include "service/refused_tokens.h"
#include "service/store.h"

namespace scim::nginx {

class WorkerStore {
  public:
    WorkerStore(const StoreConf &conf, const MainConf &main, ngx_cycle_t *cycle);
    ~WorkerStore();
    WorkerStore(const WorkerStore &) = delete;
    WorkerStore &operator=(const WorkerStore &) = delete;

    // Opens the store. If that fails, tries again later. Never throws.
    void open() noexcept;
    const std::string &path() const { return conf_.path; }

    // The event loop's session. NULL while the store cannot be served; the reason is in the error
    // log.
    service::Session *session() {
        if (session_ != nullptr && looked_ != ngx_time()) look_at_files();
        return session_.get();
    }
    // The number of the last transaction that any process has committed. REQUIRES: session() is not
    // NULL.
    uint64_t last_txn() const { return store_->env().info().last_txn; }
    // How often the store has been opened. A store that is opened again may be another one, restored
    // from a backup, so that numbers of transactions of two openings cannot be compared.
    uint64_t openings() const { return openings_; }
    // Decides by snapshots of session().
    service::CachingGate &gate() { return *gate_; }
    // NULL while the store is not open.
    const store::Env *env() const { return store_ != nullptr ? &store_->env() : NULL; }
    bool read_only() const { return store_ && store_->state() == service::Store::State::read_only; }
    // True while the schemas of the configuration are being declared; writes wait for that.
    bool preparing() const { return work_ == Work::declare; }

    // Each takes the request, responds later and returns true. If too many requests are waiting, it
    // returns false and does not take the request.
    bool submit_write(std::unique_ptr<PendingRequest> &request);
    bool submit_read(std::unique_ptr<PendingRequest> &request);

    size_t waiting_writes() const { return queue_.size(); }

    // True if no task runs and no request waits.
    bool idle() const;
    // The time at which the oldest task under way was posted, in milliseconds as ngx_current_msec.
    std::optional<ngx_msec_t> oldest_task() const;
    // Blocks until no thread uses the store. For the end of the process.
    void wait_for_threads();

    // Refused tokens that the next commit writes to the change log.
    service::RefusedTokens &refused_tokens() { return refused_tokens_; }

    // Schedules the recording of the token uses that the event loop's session has noted.
    void note_uses() noexcept;
    // Closes the unusable LMDB environment when nothing uses it any more, and opens it again.
    void reopen() noexcept;
    // To be called once a minute. Frees reader slots of dead processes, reopens the store if its
    // files were replaced, and schedules maintenance.
    void check_store();

    // Called by a RequestThread after a run, on the event loop.
    void read_done(std::unique_ptr<PendingRequest> request) noexcept;
    void prepare_done(std::unique_ptr<PendingRequest> request) noexcept;

  private:
    void open_store();
    void declare();
    void run_declare();
    void declared();
    void serve();

    void proceed() noexcept;
    void start_prepare() noexcept;
    void start_batch() noexcept;
    void run_batch();
    void batch_done();
    void log_alarms() noexcept;
    void start_reads() noexcept;

    void answer_later() noexcept;
    void send_answers() noexcept;
    void finish(std::unique_ptr<PendingRequest> request) noexcept;

    void plan_maintenance() noexcept;
    void do_maintenance_after(ngx_msec_t delay) noexcept;
    void start_maintenance() noexcept;
    void run_maintenance();
    void maintenance_done();

    void look_at_files() noexcept;
    void look_at_lock() noexcept;
    void refuse(PendingList list, Refusal refusal, const char *why, uint16_t retry_after) noexcept;
    void drain() noexcept;
    void close();
    void retry_later();
    void log_problem(std::string problem);

    const StoreConf &conf_;
    const MainConf &main_;
    ngx_log_t *log_;
    std::unique_ptr<service::Store> store_;
    std::unique_ptr<service::Session> session_;
    std::optional<service::CachingGate> gate_{std::in_place};
    service::RefusedTokens refused_tokens_;
    std::unique_ptr<service::Writer> writer_;
    std::string logged_;  // the problem that was logged last, so that it is not repeated
    uint64_t openings_ = 0;
    time_t looked_ = 0;             // the second in which the files were last checked
    bool reopens_at_once_ = false;  // false after an immediate reopen, until the store is served
    bool lock_logged_ = false;      // the held write lock was logged
    bool closing_ = false;          // the store is closed as soon as nothing uses it

    // The task of the writer thread, and its result.
    enum class Work : uint8_t { none, declare, batch, maintenance };
    Work work_ = Work::none;
    PoolTask writer_task_;
    bool declared_ = false;
    std::string why_not_declared_;
    service::BatchOutcome batch_outcome_ = service::BatchOutcome::ok;
    bool maintenance_due_ = false;  // runs before the next batch, so that a busy store gets it, too
    bool more_maintenance_ = false;
    int64_t maintenance_time_ = 0;  // milliseconds since 1970

    WriteQueue queue_;
    RequestThread prepare_{*this, prepare_on_thread, &WorkerStore::prepare_done};
    PendingList batch_;
    PendingList finished_;  // requests whose response is to be sent

    // Long reads, and long responses to writes.
    static constexpr size_t reads_waiting = 256;
    struct ReadThread : RequestThread {
        explicit ReadThread(WorkerStore &owner)
            : RequestThread(owner, read_on_thread, &WorkerStore::read_done) {}
    };
    ReadThread read_threads_[4]{ReadThread(*this), ReadThread(*this), ReadThread(*this),
                                ReadThread(*this)};
    PendingList reads_;

    // Data of the timers. It begins with a dummy connection, because nginx logs the connection of a
    // timer's event.
    struct TimerOwner {
        ngx_connection_t nobody;
        WorkerStore *store;
    };
    TimerOwner owner_{};
    ngx_event_t retry_{}, maintenance_{}, answers_{}, lock_{};
};

}  // namespace scim::nginx
