#pragma once
// One store in a worker process, from init_process to exit_process.
//
// A store that cannot be served does not stop a worker: its locations answer 503, and the worker
// tries again every second. Whatever may wait (declaring, writing, long reads) runs on nginx thread
// pools; the event loop only ever renews its own reader.
//
// The state is what the writer's thread and the read lanes do, and what waits for them. It changes
// after a task has been posted and before anything else once it has ended; those changes allocate
// nothing. What an exception ends leaves a state from which the next request goes on, and every
// request that was taken gets an answer, never inside the call that took it.

#include <memory>
#include <optional>
#include <string>

#include "nginx/conf.h"
#include "nginx/ngx.h"
#include "nginx/pending_request.h"
#include "nginx/pool_task.h"
#include "nginx/prepare_lane.h"
#include "nginx/read_lane.h"
#include "nginx/write_queue.h"
#include "service/batch.h"
#include "service/refused_tokens.h"
#include "service/store.h"

namespace scim::nginx {

class StoreSlot {
  public:
    StoreSlot(const StoreConf &conf, const MainConf &main, ngx_cycle_t *cycle);
    ~StoreSlot();
    StoreSlot(const StoreSlot &) = delete;
    StoreSlot &operator=(const StoreSlot &) = delete;

    // Never throws: a store that cannot be opened is tried again later.
    void open() noexcept;
    const std::string &path() const { return conf_.path; }

    // The loop's session, or NULL while the store cannot be served: the log says why.
    service::Session *session() {
        if (session_ != nullptr && looked_ != ngx_time()) look_at_files();
        return session_.get();
    }
    bool read_only() const { return store_ && store_->state() == service::Store::State::read_only; }
    // True while writes wait for what the configuration declares.
    bool preparing() const { return work_ == Work::declare; }

    // Each takes the request and answers it later, or leaves it to the caller: too much is waiting.
    bool submit_write(std::unique_ptr<PendingRequest> &request);
    bool submit_read(std::unique_ptr<PendingRequest> &request);

    // Nothing runs on a thread and no request waits.
    bool idle() const;
    // When the oldest task that is under way was posted, as ngx_current_msec.
    std::optional<ngx_msec_t> oldest_task() const;
    // For the end of the process: blocks until no thread uses the store.
    void wait_for_threads();

    // Refusals that the next commit takes along.
    service::RefusedTokens &refused_tokens() { return refused_tokens_; }

    // Sees to it that the uses of tokens that the loop's session has noted are written.
    void note_uses() noexcept;
    // The environment is unusable: it is opened anew when nothing uses it any more.
    void reopen() noexcept;
    // Once a minute: dead readers, whether the file is still in place, and what has grown old.
    void tend();

    // Called by a lane when its thread has ended.
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
    void start_reads() noexcept;

    void answer_later() noexcept;
    void send_answers() noexcept;
    void finish(std::unique_ptr<PendingRequest> request) noexcept;

    void plan_chores() noexcept;
    void do_chores_after(ngx_msec_t delay);
    void start_chores() noexcept;
    void run_chores();
    void chores_done();

    void look_at_files() noexcept;
    void look_at_lock() noexcept;
    void refuse(PendingList list, const char *why, uint16_t retry_after) noexcept;
    void shut() noexcept;
    void close();
    void retry_later();
    void log_problem(std::string problem);

    const StoreConf &conf_;
    const MainConf &main_;
    ngx_log_t *log_;
    std::unique_ptr<service::Store> store_;
    std::unique_ptr<service::Session> session_;
    service::RefusedTokens refused_tokens_;
    std::unique_ptr<service::Writer> writer_;
    std::string logged_;            // the problem that the log knows of
    time_t looked_ = 0;             // the second in which the files were last found in place
    bool reopens_at_once_ = false;  // unless the last open was such an attempt and served nothing
    bool lock_logged_ = false;      // the log knows that the write lock is not free
    bool closing_ = false;          // the store is closed as soon as nothing uses it

    // What the writer's thread does, and what it has come to.
    enum class Work : uint8_t { none, declare, batch, chores };
    Work work_ = Work::none;
    PoolTask writer_task_;
    bool declared_ = false;
    std::string why_not_declared_;
    service::BatchOutcome batch_outcome_ = service::BatchOutcome::ok;
    bool chores_due_ = false;  // between two batches, so that a busy store is tidied, too
    bool more_chores_ = false;
    int64_t chores_time_ = 0;  // milliseconds since 1970

    WriteQueue queue_;
    PrepareLane prepare_;
    PendingList batch_;
    PendingList finished_;  // requests that are to be answered

    // Long reads, and long answers to writes.
    static constexpr size_t reads_at_once = 4, reads_waiting = 256;
    ReadLane lanes_[reads_at_once];
    PendingList reads_;

    // nginx prints the connection of a timer at debug level: it must look like one.
    struct TimerOwner {
        ngx_connection_t nobody;
        StoreSlot *slot;
    };
    TimerOwner owner_{};
    ngx_event_t retry_{}, chores_{}, answers_{}, lock_{};
};

}  // namespace scim::nginx
