#include "nginx/worker_store.h"

#include <algorithm>

#include "nginx/guard.h"
#include "nginx/status.h"
#include "nginx/worker.h"

namespace scim::nginx {

namespace {

constexpr ngx_msec_t retry_time = 1000, maintenance_pause = 10, notes_pause = 1000;
// How long a write waits for the write lock of all processes, and how often that is checked, in
// milliseconds.
constexpr ngx_msec_t lock_patience = 10000, lock_look = 1000;
// Bytes of responses that are sent before the event loop handles other connections. Sending them
// takes 1 to 2 ms. Each response counts as answer_cost more, whatever its length.
constexpr size_t answer_bytes_a_turn = 1 << 20, answer_cost = 8 << 10;

}  // namespace

WorkerStore::WorkerStore(const StoreConf &conf, const MainConf &main, ngx_cycle_t *cycle)
    : conf_(conf), main_(main), log_(cycle->log), writer_task_(this) {
    owner_.nobody.fd = ngx_socket_t(-1);
    owner_.store = this;
    for (ngx_event_t *event : {&retry_, &maintenance_, &answers_, &lock_}) {
        event->data = &owner_;
        event->log = log_;
        event->cancelable = 1;
    }
    retry_.handler = [](ngx_event_t *ev) { static_cast<TimerOwner *>(ev->data)->store->open(); };
    maintenance_.handler = [](ngx_event_t *ev) {
        WorkerStore &store = *static_cast<TimerOwner *>(ev->data)->store;
        store.maintenance_due_ = true;
        store.proceed();
    };
    lock_.handler = [](ngx_event_t *ev) {
        static_cast<TimerOwner *>(ev->data)->store->look_at_lock();
    };
    answers_.handler = [](ngx_event_t *ev) {
        static_cast<TimerOwner *>(ev->data)->store->send_answers();
    };
}

WorkerStore::~WorkerStore() {
    if (retry_.timer_set) ngx_del_timer(&retry_);
    if (maintenance_.timer_set) ngx_del_timer(&maintenance_);
    if (lock_.timer_set) ngx_del_timer(&lock_);
    if (answers_.posted) {
        ngx_delete_posted_event(&answers_);  // a macro of two statements
    }
    close();
}

bool WorkerStore::idle() const {
    if (work_ != Work::none || !queue_.empty() || !finished_.empty() || !reads_.empty())
        return false;
    if (prepare_.busy() || queue_.has_large()) return false;
    return std::none_of(std::begin(read_threads_), std::end(read_threads_),
                        [](const ReadThread &thread) { return thread.busy(); });
}

std::optional<ngx_msec_t> WorkerStore::oldest_task() const {
    std::optional<ngx_msec_t> oldest;
    auto look = [&](const PoolTask &task) {
        if (!task.under_way()) return;
        if (!oldest || ngx_msec_int_t(task.since() - *oldest) < 0) oldest = task.since();
    };
    look(writer_task_);
    look(prepare_.task());
    for (const ReadThread &thread : read_threads_) look(thread.task());
    return oldest;
}

void WorkerStore::wait_for_threads() {
    for (ReadThread &thread : read_threads_) thread.cancel();
    for (ReadThread &thread : read_threads_) thread.task().wait();
    prepare_.task().wait();
    writer_task_.wait();
}

// ---- Opening and closing ----

void WorkerStore::close() {
    session_.reset();
    gate_.emplace();  // nothing of it is valid for a store that is opened later
    for (ReadThread &thread : read_threads_) thread.close_session();
    prepare_.close_session();
    writer_.reset();
    store_.reset();
}

// Logs a problem once, although the worker tries again every second.
void WorkerStore::log_problem(std::string problem) {
    if (problem == logged_) return;
    logged_ = std::move(problem);
    const ngx_uint_t level = store::is_suspended(conf_.path) ? NGX_LOG_ALERT : NGX_LOG_ERR;
    ngx_log_error(level, log_, 0, "scim: %s; its locations answer 503 until this is fixed",
                  logged_.c_str());
}

// Also in a worker process that is exiting: gate_recheck.cc decides about its open requests. The timer
// is cancelable, so it does not keep the process alive.
void WorkerStore::retry_later() {
    if (!retry_.timer_set) ngx_add_timer(&retry_, retry_time);
}

void WorkerStore::open() noexcept {
    if (guarded(log_, false, [&] { return open_store(), true; })) return;
    drain();
}

void WorkerStore::open_store() {
    service::Store::Options options;
    options.env.directory = conf_.path;
    options.env.map_size = size_t(conf_.size);
    options.env.is_worker = true;
    options.env.may_create = !ngx_exiting && conf_.share != NULL && !conf_.share->is_there;
    options.declaration = conf_.declaration;
    if (conf_.share != NULL) options.generation = &conf_.share->generation;
    options.retention = main_.retention;
    std::string why;
    store_ = service::Store::open(std::move(options), why);
    openings_++;
    if (store_ == nullptr) {
        retry_later();
        log_problem(std::move(why));
    } else if (store_->state() == service::Store::State::undeclared) {
        declare();
    } else {
        serve();
    }
}

// Declares the schemas of the configuration. Runs on a pool thread, because it waits for the write
// lock and init_process must not wait for another process. Meanwhile an existing store serves reads
// with its old schemas, and writes wait. A worker process that is exiting only serves the reads,
// because the wait would keep it alive: the workers of the new configuration declare their schemas.
void WorkerStore::declare() {
    if (store_->readable()) session_ = std::make_unique<service::Session>(*store_);
    if (ngx_exiting) return session_ != nullptr ? proceed() : drain();
    declared_ = false;
    why_not_declared_.clear();
    if (!writer_task_.post(main_.write_pool, step<&WorkerStore::run_declare>,
                           step<&WorkerStore::declared>))
        return drain();
    work_ = Work::declare;
    update_hold();
}

void WorkerStore::run_declare() { declared_ = store_->declare(why_not_declared_); }

void WorkerStore::declared() {
    work_ = Work::none;
    bool served = !closing_ && declared_ && guarded(log_, false, [&] { return serve(), true; });
    if (served) return;
    drain();
    if (!declared_ && !why_not_declared_.empty()) log_problem(std::move(why_not_declared_));
}

void WorkerStore::serve() {
    if (session_ == nullptr) session_ = std::make_unique<service::Session>(*store_);
    writer_ = std::make_unique<service::Writer>(*store_);
    if (!store_->warning().empty())
        ngx_log_error(NGX_LOG_WARN, log_, 0, "scim: %s", store_->warning().c_str());
    if (!store_->hidden().empty())
        ngx_log_error(NGX_LOG_ERR, log_, 0, "scim: %s", store_->hidden().c_str());
    if (!logged_.empty())
        ngx_log_error(NGX_LOG_NOTICE, log_, 0, "scim: store \"%s\" is served again",
                      conf_.path.c_str());
    logged_.clear();
    reopens_at_once_ = true;
    if (conf_.share != NULL) conf_.share->is_there = true;
    plan_maintenance();  // other workers or an earlier run may have left work
    proceed();
}

// After a failed write of a meta page, every LMDB transaction fails until the environment is opened
// again. If a file was replaced, writes to the old file would be lost.
void WorkerStore::reopen() noexcept {
    if (closing_ || store_ == nullptr) return;
    guarded_void(log_, [&] {
        logged_ = "store \"" + conf_.path + "\" is being reopened";
        std::string why = store_->env().displaced();
        if (why.empty()) why = "a write to it failed";
        ngx_log_error(NGX_LOG_CRIT, log_, 0, "scim: store \"%s\" must be reopened: %s",
                      conf_.path.c_str(), why.c_str());
    });
    drain();
}

void WorkerStore::refuse(PendingList list, Refusal refusal, const char *why,
                         uint16_t retry_after) noexcept {
    while (!list.empty()) {
        auto request = list.pop();
        request->refuse(refusal, why, retry_after);
        finished_.push(std::move(request));
    }
}

// Refuses the waiting requests. The store is closed when nothing uses it any more, and is then
// opened again.
void WorkerStore::drain() noexcept {
    closing_ = true;
    session_.reset();
    constexpr const char *why = "the directory cannot be served now";
    refuse(queue_.take_all(), Refusal::store_unavailable, why, 1);
    refuse(std::move(reads_), Refusal::store_unavailable, why, 1);
    proceed();
}

// Reopens the store if its files were replaced or removed. Called by session() at most once a
// second, because a read does not notice it otherwise.
void WorkerStore::look_at_files() noexcept {
    looked_ = ngx_time();
    if (!store_->env().in_place()) reopen();
}

// Starts all work that can be started. To be called whenever work is added or ends.
void WorkerStore::proceed() noexcept {
    const bool only_reads = work_ == Work::none && session_ != nullptr && writer_ == nullptr;
    if (only_reads) refuse(queue_.take_all(), Refusal::store_unavailable, "nginx is exiting", 1);
    const bool can_write = work_ == Work::none && session_ != nullptr && writer_ != nullptr;
    if (can_write && maintenance_due_) start_maintenance();
    while (work_ == Work::none && session_ != nullptr && writer_ != nullptr && !queue_.empty())
        start_batch();
    start_prepare();
    start_reads();
    if (!finished_.empty()) answer_later();
    if (work_ != Work::none && !lock_.timer_set) ngx_add_timer(&lock_, lock_look);
    update_hold();
    if (!closing_ || work_ != Work::none || prepare_.busy()) return;
    for (const ReadThread &thread : read_threads_)
        if (thread.busy()) return;
    closing_ = false;
    close();
    if (!reopens_at_once_) return retry_later();
    reopens_at_once_ = false;
    open();
}

// ---- Writes ----

bool WorkerStore::submit_write(std::unique_ptr<PendingRequest> &request) {
    request->since = ngx_current_msec;
    if (!queue_.push(request)) return false;
    proceed();
    return true;
}

// Prepares large writes on the read pool, because the writer may use the only thread of the write
// pool.
void WorkerStore::start_prepare() noexcept {
    if (prepare_.busy() || session_ == nullptr || writer_ == nullptr) return;
    auto request = queue_.take_large();
    if (request == nullptr || prepare_.start(request, *store_, main_.read_pool)) return;
    // The pool's queue is full: the writer prepares the request.
    queue_.put_prepared(std::move(request));
    if (work_ == Work::none) start_batch();
}

void WorkerStore::prepare_done(std::unique_ptr<PendingRequest> request) noexcept {
    queue_.put_prepared(std::move(request));
    if (closing_) return drain();
    proceed();
}

void WorkerStore::start_batch() noexcept {
    batch_.append(queue_.take_batch());
    writer_->add_refused_tokens(refused_tokens_.take());
    if (writer_task_.post(main_.write_pool, step<&WorkerStore::run_batch>,
                          step<&WorkerStore::batch_done>)) {
        work_ = Work::batch;
        return;
    }
    refuse(std::move(batch_), Refusal::queue_full,
           "the directory cannot be written now: the thread pool's queue is full", 1);
}

// Another process may hold the write lock for any time, for example if it was stopped by a signal.
// The thread that waits for the lock cannot be interrupted, but its requests are refused after
// lock_patience.
void WorkerStore::look_at_lock() noexcept {
    if (work_ == Work::none) {
        lock_logged_ = false;
        return;
    }
    ngx_add_timer(&lock_, lock_look);
    const bool is_given_up = work_ == Work::batch && batch_.empty();
    const bool waits = work_ == Work::declare || is_given_up || writer_->lock_wait().is_waiting();
    const ngx_msec_t since = writer_task_.since(), limit = ngx_current_msec - lock_patience;
    if (!waits || ngx_msec_int_t(since - limit) > 0) {
        if (!waits) lock_logged_ = false;
        return;
    }
    constexpr const char *why =
        "the directory cannot be written now: its write lock has not been free for 10 seconds";
    refuse(queue_.take_older(limit), Refusal::queue_timeout, why, 5);
    if (work_ == Work::batch && writer_->lock_wait().give_up())
        refuse(std::move(batch_), Refusal::queue_timeout, why, 5);
    if (!finished_.empty()) answer_later();
    if (lock_logged_) return;
    lock_logged_ = true;
    guarded_void(log_, [&] {
        auto holder = store_->env().lock_holder();
        std::string name = holder ? store::to_string(*holder) : "an unknown process";
        ngx_log_error(NGX_LOG_CRIT, log_, 0,
                      "scim: store \"%s\" cannot be written: %s has held the write lock (lock.mdb) "
                      "for 10 seconds; writes are answered 503 until it is free",
                      conf_.path.c_str(), name.c_str());
    });
}

// Runs on the writer thread. Requests that it does not reach are refused, because the initial
// outcome of each request is 503.
void WorkerStore::run_batch() {
    batch_outcome_ = service::BatchOutcome::failed;
    std::vector<service::Job *> jobs;
    jobs.reserve(batch_.size());
    for (auto *request = batch_.first(); request != NULL; request = PendingList::after(*request))
        if (request->load()) jobs.push_back(&request->job);
    batch_outcome_ = writer_->run(jobs);
    if (counters() != NULL && writer_->commit_time().count() > 0) {
        counters()->batches.observe(service::batch_bounds, jobs.size());
        counters()->commits.observe(service::duration_bounds,
                                    uint64_t(writer_->commit_time().count()));
    }
    // The event loop has refused the requests and owns batch_.
    if (batch_outcome_ == service::BatchOutcome::given_up) return;
    for (auto *request = batch_.first(); request != NULL; request = PendingList::after(*request))
        if (request->body.error() == 0 && !request->job.is_left()) {
            request->outcome = Done{};
            request->body.drop();
        }
}

void WorkerStore::batch_done() {
    work_ = Work::none;
    PendingList left;
    while (!batch_.empty()) {
        auto request = batch_.pop();
        (request->job.is_left() ? left : finished_).push(std::move(request));
    }
    queue_.put_back(std::move(left));
    if (!writer_->problem().empty())
        ngx_log_error(NGX_LOG_CRIT, log_, 0, "scim: store \"%s\" %s", conf_.path.c_str(),
                      writer_->problem().c_str());
    if (std::string warning = writer_->take_warning(); !warning.empty())
        ngx_log_error(NGX_LOG_WARN, log_, 0, "scim: store \"%s\": %s", conf_.path.c_str(),
                      warning.c_str());
    log_alarms();
    if (batch_outcome_ == service::BatchOutcome::reopen) reopen();
    // Before the next batch, because plan_maintenance() does nothing while a batch runs.
    plan_maintenance();
    // Starts the next batch before the responses of this one are sent.
    proceed();
}

// Level error, because Debian's configuration does not show warnings.
void WorkerStore::log_alarms() noexcept {
    guarded_void(log_, [&] {
        for (const std::string &alarm : writer_->take_alarms())
            ngx_log_error(NGX_LOG_ERR, log_, 0, "scim: %s", alarm.c_str());
    });
}

// ---- Responses ----

// Sends the finished responses in the next turn of the event loop, because the caller may be a
// handler of one of these requests.
void WorkerStore::answer_later() noexcept {
    ngx_post_event(&answers_, &ngx_posted_next_events);  // does nothing if it is posted
}

void WorkerStore::send_answers() noexcept {
    for (size_t sent = 0; !finished_.empty() && sent < answer_bytes_a_turn;) {
        auto request = finished_.pop();
        const service::Response &response = request->job.response;
        sent += answer_cost + response.body.size() + response.in_sink;
        finish(std::move(request));
    }
    if (!finished_.empty()) answer_later();
    update_hold();
}

// Sends a response, or makes it on the read pool if it is unfinished, so that it does not delay the
// writer. The bound of waiting reads does not apply to it, because its write is done. If
// start_reads() has refused it, it is not tried again.
void WorkerStore::finish(std::unique_ptr<PendingRequest> request) noexcept {
    const bool is_unmade = request->job.unfinished && request->outcome;
    if (is_unmade && session_ != nullptr) {
        reads_.push(std::move(request));
        return start_reads();
    }
    if (is_unmade)
        request->refuse(Refusal::store_unavailable, "the directory cannot be served now", 1);
    if (request->is_large()) note_large_request();
    finish_request(std::move(request), log_);
}

// ---- Background work ----

// Schedules maintenance. Notes (refusals, token uses) wait for notes_pause, in which another commit
// may write them.
void WorkerStore::plan_maintenance() noexcept {
    if (work_ != Work::none || session_ == nullptr || writer_ == nullptr) return;
    guarded_void(log_, [&] {
        writer_->add_uses(session_->authenticator.take_uses());
        switch (writer_->maintenance(now())) {
            case service::Writer::Maintenance::none: return;
            case service::Writer::Maintenance::notes: return do_maintenance_after(notes_pause);
            case service::Writer::Maintenance::rows: return do_maintenance_after(maintenance_pause);
        }
    });
}

void WorkerStore::note_uses() noexcept {
    if (session_ != nullptr && session_->authenticator.has_uses()) plan_maintenance();
}

void WorkerStore::do_maintenance_after(ngx_msec_t delay) noexcept {
    if (ngx_exiting) return;
    if (maintenance_.timer_set) {
        if (delay >= notes_pause) return;
        ngx_del_timer(&maintenance_);  // the deletion of rows does not wait for notes_pause
    }
    ngx_add_timer(&maintenance_, delay);
}

// Runs one step of maintenance. maintenance_done() schedules the next step after at least as long a
// pause as the step took, so that writes come between. If the pool's queue is full, tries again
// after notes_pause.
void WorkerStore::start_maintenance() noexcept {
    maintenance_due_ = false;
    if (store_->state() != service::Store::State::ready) return;
    more_maintenance_ = false;
    maintenance_time_ = now();
    if (writer_task_.post(main_.write_pool, step<&WorkerStore::run_maintenance>,
                          step<&WorkerStore::maintenance_done>))
        work_ = Work::maintenance;
    else
        do_maintenance_after(notes_pause);
}

void WorkerStore::run_maintenance() {
    more_maintenance_ = writer_->do_maintenance(maintenance_time_);
}

void WorkerStore::maintenance_done() {
    work_ = Work::none;
    log_alarms();
    if (more_maintenance_)
        do_maintenance_after(std::max(maintenance_pause, ngx_current_msec - writer_task_.since()));
    proceed();
    note_uses();
}

// ---- Long reads ----

bool WorkerStore::submit_read(std::unique_ptr<PendingRequest> &request) {
    if (reads_.size() >= reads_waiting) return false;
    reads_.push(std::move(request));
    proceed();
    return true;
}

void WorkerStore::start_reads() noexcept {
    for (ReadThread &thread : read_threads_) {
        if (session_ == nullptr || reads_.empty()) return;
        if (thread.busy()) continue;
        auto request = reads_.pop();
        if (thread.start(request, *store_, main_.read_pool)) continue;
        request->refuse(Refusal::queue_full, "too many long reads are waiting", 1);
        finished_.push(std::move(request));
    }
}

void WorkerStore::read_done(std::unique_ptr<PendingRequest> request) noexcept {
    // A write whose response was not made gets another one (make_answer()); it is not retried.
    if (request->job.unfinished)
        finish_request(std::move(request), log_);
    else
        finished_.push(std::move(request));
    proceed();
}

void WorkerStore::check_store() {
    if (session_ == nullptr) return;
    int dead = store_->env().check_readers();
    if (dead > 0)
        ngx_log_error(NGX_LOG_NOTICE, log_, 0, "scim: freed %d LMDB reader slots of dead processes",
                      dead);
    if (!store_->env().in_place()) return reopen();
    plan_maintenance();  // scim_log_retention may expire changes without a request
}

}  // namespace scim::nginx
