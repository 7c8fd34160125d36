#pragma once
// What a worker process has of each store, from init_process to exit_process.
//
// A store that cannot be served does not stop a worker: its locations answer 503, and the worker
// tries again every second. Whatever may wait (declaring, writing, long reads) runs on nginx thread
// pools; the event loop only ever renews its own reader. While anything is under way a timer keeps
// the worker from exiting, so that a reload or quit drops no answer.

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nginx/body.h"
#include "nginx/conf.h"
#include "nginx/ngx.h"
#include "nginx/temp_file.h"
#include "service/batch.h"
#include "service/store.h"

namespace scim::nginx {

// A piece of work on a thread pool: `run` there, then `done` on the event loop. One at a time.
class PoolTask {
  public:
    PoolTask();
    // False if the pool's queue is full: nothing will run.
    bool post(ngx_thread_pool_t *pool, std::function<void()> run, std::function<void()> done);

  private:
    ngx_thread_task_t task_{};
    std::function<void()> run_, done_;
};

// A request that has left the event loop: it owns its bytes and outlives its client.
struct PendingRequest {
    PendingRequest(const ngx_path_t &temp_path, Body sent)
        : body(std::move(sent)), file(temp_path) {}

    // Before the job is run, on its thread. False: its body cannot be read.
    bool load() {
        if (!body.load()) return false;
        job.request.body = body.text();
        return true;
    }

    ngx_http_request_t *r = NULL;  // NULL once the client is gone
    std::string bytes;             // what the job's views point into
    Body body;
    service::Job job;
    TempFile file;  // a long answer's body
    bool is_write = true;
    std::atomic<bool> cancelled{false};  // the client is gone: for the thread that reads
    // An error takes the place of the job's answer.
    Outcome outcome = Done{};
};

// The writes of one worker for one store: one batch is under way, the rest waits in order.
class WriteQueue {
  public:
    static constexpr size_t batch_requests = 128, batch_bytes = 4u << 20;
    static constexpr size_t queue_requests = 4096, queue_bytes = 64u << 20;

    // Takes the request, or refuses: 503 beyond the bounds.
    bool push(std::unique_ptr<PendingRequest> &request);
    // The next batch; a request larger than a batch goes alone.
    std::vector<std::unique_ptr<PendingRequest>> take_batch();
    bool empty() const { return waiting_.empty(); }

  private:
    std::deque<std::unique_ptr<PendingRequest>> waiting_;
    size_t bytes_ = 0;
};

class StoreSlot {
  public:
    StoreSlot(const StoreConf &conf, const MainConf &main, ngx_cycle_t *cycle);
    ~StoreSlot();

    // The loop's session, or NULL while the store cannot be served: the log says why.
    service::Session *session() { return session_.get(); }

    // Each answers the request later, or returns false: too much is waiting.
    bool submit_write(std::unique_ptr<PendingRequest> &request);
    bool submit_read(std::unique_ptr<PendingRequest> &request);
    bool read_only() const { return store_ && store_->state() == service::Store::State::read_only; }
    bool idle() const {
        return !declaring_ && !writing_ && queue_.empty() && finished_.empty() && reading_ == 0;
    }

    // True while writes wait for what the configuration declares.
    bool preparing() const { return declaring_; }

    // Sees to it that the uses of tokens that the loop's session has noted are written.
    void note_uses();

    // The environment is unusable: it is opened anew when nothing uses it any more.
    void reopen();
    // Once a minute: dead readers, whether the file is still in place, and what has grown old.
    void tend();
    void open();

  private:
    void declare();
    void declared(bool good, const std::string &why);
    void start_batch();
    void batch_done(service::BatchOutcome outcome);
    void start_read(std::unique_ptr<PendingRequest> request);
    void send_answers();
    void finish(std::unique_ptr<PendingRequest> request);
    void plan_chores();
    void do_chores_after(ngx_msec_t delay);
    void do_chores();
    void shut();
    void close();
    void serve();
    void retry_later();
    void log_problem(std::string problem);

    const StoreConf &conf_;
    const MainConf &main_;
    ngx_log_t *log_;
    std::unique_ptr<service::Store> store_;
    std::unique_ptr<service::Session> session_;
    std::unique_ptr<service::Writer> writer_;
    std::string logged_;  // the problem that the log knows of
    bool declaring_ = false, writing_ = false, closing_ = false;
    bool chores_due_ = false;  // between two batches, so that a busy store is tidied, too

    WriteQueue queue_;
    std::vector<std::unique_ptr<PendingRequest>> batch_;
    PoolTask writer_task_;
    std::deque<std::unique_ptr<PendingRequest>> finished_;  // writes that are to be answered

    // Long reads, and long answers to writes, each with a session of its own.
    static constexpr size_t reads_at_once = 4, reads_waiting = 256;
    struct ReadLane {
        PoolTask task;
        std::unique_ptr<service::Session> session;
        std::unique_ptr<PendingRequest> request;
        bool busy = false;
    };
    ReadLane lanes_[reads_at_once];
    std::deque<std::unique_ptr<PendingRequest>> reads_;
    size_t reading_ = 0;

    // nginx prints the connection of a timer at debug level: it must look like one.
    struct TimerOwner {
        ngx_connection_t nobody;
        StoreSlot *slot;
    };
    TimerOwner owner_{};
    ngx_event_t retry_{}, chores_{}, answers_{};
};

// NULL in processes that serve no requests.
StoreSlot *slot_of(const StoreConf &conf);

// Called by a slot when its work begins and ends.
void worker_busy();
void worker_idle();

ngx_int_t init_module(ngx_cycle_t *cycle);
ngx_int_t init_process(ngx_cycle_t *cycle);
void exit_process(ngx_cycle_t *cycle);

// Sends what a PendingRequest has become, unless its client is gone.
void finish_request(PendingRequest &request, ngx_log_t *log);

}  // namespace scim::nginx
