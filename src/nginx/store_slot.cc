#include "nginx/store_slot.h"

#include <algorithm>

#include "nginx/guard.h"
#include "nginx/worker.h"

namespace scim::nginx {

namespace {

constexpr ngx_msec_t retry_time = 1000, chores_pause = 10, notes_pause = 1000;
// How long a write waits for the write lock of all processes, and how often that is looked at.
constexpr ngx_msec_t lock_patience = 10000, lock_look = 1000;
// Of answers that are sent before other connections have their turn: a millisecond or two.
constexpr size_t answer_bytes_a_turn = 1 << 20;

}  // namespace

StoreSlot::StoreSlot(const StoreConf &conf, const MainConf &main, ngx_cycle_t *cycle)
    : conf_(conf), main_(main), log_(cycle->log), writer_task_(this) {
    owner_.nobody.fd = ngx_socket_t(-1);
    owner_.slot = this;
    for (ngx_event_t *event : {&retry_, &chores_, &answers_, &lock_}) {
        event->data = &owner_;
        event->log = log_;
        event->cancelable = 1;
    }
    retry_.handler = [](ngx_event_t *ev) { static_cast<TimerOwner *>(ev->data)->slot->open(); };
    chores_.handler = [](ngx_event_t *ev) {
        StoreSlot &slot = *static_cast<TimerOwner *>(ev->data)->slot;
        slot.chores_due_ = true;
        slot.proceed();
    };
    lock_.handler = [](ngx_event_t *ev) {
        static_cast<TimerOwner *>(ev->data)->slot->look_at_lock();
    };
    answers_.handler = [](ngx_event_t *ev) {
        static_cast<TimerOwner *>(ev->data)->slot->send_answers();
    };
}

StoreSlot::~StoreSlot() {
    if (retry_.timer_set) ngx_del_timer(&retry_);
    if (chores_.timer_set) ngx_del_timer(&chores_);
    if (lock_.timer_set) ngx_del_timer(&lock_);
    if (answers_.posted) {
        ngx_delete_posted_event(&answers_);  // two statements
    }
    close();
}

bool StoreSlot::idle() const {
    if (work_ != Work::none || !queue_.empty() || !finished_.empty() || !reads_.empty())
        return false;
    if (prepare_.busy() || queue_.has_large()) return false;
    return std::none_of(std::begin(lanes_), std::end(lanes_),
                        [](const ReadLane &lane) { return lane.busy(); });
}

std::optional<ngx_msec_t> StoreSlot::oldest_task() const {
    std::optional<ngx_msec_t> oldest;
    auto look = [&](const PoolTask &task) {
        if (!task.under_way()) return;
        if (!oldest || ngx_msec_int_t(task.since() - *oldest) < 0) oldest = task.since();
    };
    look(writer_task_);
    look(prepare_.task());
    for (const ReadLane &lane : lanes_) look(lane.task());
    return oldest;
}

void StoreSlot::wait_for_threads() {
    for (ReadLane &lane : lanes_) lane.cancel();
    for (ReadLane &lane : lanes_) lane.task().wait();
    prepare_.task().wait();
    writer_task_.wait();
}

// ---- Opening and closing ----

void StoreSlot::close() {
    session_.reset();
    for (ReadLane &lane : lanes_) lane.close_session();
    prepare_.close_session();
    writer_.reset();
    store_.reset();
}

// Once a sentence, not once a second.
void StoreSlot::log_problem(std::string problem) {
    if (problem == logged_) return;
    logged_ = std::move(problem);
    const ngx_uint_t level = store::is_suspended(conf_.path) ? NGX_LOG_ALERT : NGX_LOG_ERR;
    ngx_log_error(level, log_, 0, "scim: %s; its locations answer 503 until this is mended",
                  logged_.c_str());
}

void StoreSlot::retry_later() {
    if (!ngx_exiting && !retry_.timer_set) ngx_add_timer(&retry_, retry_time);
}

void StoreSlot::open() noexcept {
    if (guarded(log_, false, [&] { return open_store(), true; })) return;
    shut();
}

void StoreSlot::open_store() {
    service::Store::Options options;
    options.env.directory = conf_.path;
    options.env.map_size = size_t(conf_.size);
    options.env.is_worker = true;
    options.env.may_create = conf_.share != NULL && !conf_.share->is_there;
    options.declaration = conf_.declaration;
    if (conf_.share != NULL) options.generation = &conf_.share->generation;
    options.retention = main_.retention;
    std::string why;
    store_ = service::Store::open(std::move(options), why);
    if (store_ == nullptr) {
        retry_later();
        log_problem(std::move(why));
    } else if (store_->state() == service::Store::State::undeclared) {
        declare();
    } else {
        serve();
    }
}

// Waits for the write lock, so not here: init_process must not wait for another process. Meanwhile
// a store that is not new is read as it is, and writes wait for what is declared.
void StoreSlot::declare() {
    if (store_->readable()) session_ = std::make_unique<service::Session>(*store_);
    declared_ = false;
    why_not_declared_.clear();
    if (!writer_task_.post(main_.write_pool, step<&StoreSlot::run_declare>,
                           step<&StoreSlot::declared>))
        return shut();
    work_ = Work::declare;
    update_hold();
}

void StoreSlot::run_declare() { declared_ = store_->declare(why_not_declared_); }

void StoreSlot::declared() {
    work_ = Work::none;
    bool served = !closing_ && declared_ && guarded(log_, false, [&] { return serve(), true; });
    if (served) return;
    shut();
    if (!declared_ && !why_not_declared_.empty()) log_problem(std::move(why_not_declared_));
}

void StoreSlot::serve() {
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
    plan_chores();  // what another worker, or the time before, has left
    proceed();
}

// LMDB after a failed meta page write: every transaction says so until the environment is opened
// anew. And what is written into a file that was replaced is lost.
void StoreSlot::reopen() noexcept {
    if (closing_ || store_ == nullptr) return;
    guarded_void(log_, [&] {
        logged_ = "store \"" + conf_.path + "\" is being reopened";
        std::string why = store_->env().displaced();
        if (why.empty()) why = "a write to it failed";
        ngx_log_error(NGX_LOG_CRIT, log_, 0, "scim: store \"%s\" must be reopened: %s",
                      conf_.path.c_str(), why.c_str());
    });
    shut();
}

void StoreSlot::refuse(PendingList list, const char *why, uint16_t retry_after) noexcept {
    while (!list.empty()) {
        auto request = list.pop();
        request->refuse(why, retry_after);
        finished_.push(std::move(request));
    }
}

// Refuses what waits; closes the store when nothing uses it any more, and opens it again.
void StoreSlot::shut() noexcept {
    closing_ = true;
    session_.reset();
    constexpr const char *why = "the directory cannot be served now";
    refuse(queue_.take_all(), why, 1);
    refuse(std::move(reads_), why, 1);
    proceed();
}

// Once a second, if there are requests: a read has no other way to find out.
void StoreSlot::look_at_files() noexcept {
    looked_ = ngx_time();
    if (!store_->env().in_place()) reopen();
}

// Starts what can be started. Whatever adds work or ends some comes here.
void StoreSlot::proceed() noexcept {
    const bool can_write = work_ == Work::none && session_ != nullptr && writer_ != nullptr;
    if (can_write && chores_due_) start_chores();
    while (work_ == Work::none && session_ != nullptr && writer_ != nullptr && !queue_.empty())
        start_batch();
    start_prepare();
    start_reads();
    if (!finished_.empty()) answer_later();
    if (work_ != Work::none && !lock_.timer_set) ngx_add_timer(&lock_, lock_look);
    update_hold();
    if (!closing_ || work_ != Work::none || prepare_.busy()) return;
    for (const ReadLane &lane : lanes_)
        if (lane.busy()) return;
    closing_ = false;
    close();
    if (!reopens_at_once_ || ngx_exiting) return retry_later();
    reopens_at_once_ = false;
    open();
}

// ---- Writes ----

bool StoreSlot::submit_write(std::unique_ptr<PendingRequest> &request) {
    request->since = ngx_current_msec;
    if (!queue_.push(request)) return false;
    proceed();
    return true;
}

// On the read pool: a write pool of one thread has that for the writer.
void StoreSlot::start_prepare() noexcept {
    if (prepare_.busy() || session_ == nullptr || writer_ == nullptr) return;
    auto request = queue_.take_large();
    if (request == nullptr || prepare_.start(request, *store_, *this, main_.read_pool)) return;
    // A pool that is full leaves it to the writer.
    queue_.put_prepared(std::move(request));
    if (work_ == Work::none) start_batch();
}

void StoreSlot::prepare_done(std::unique_ptr<PendingRequest> request) noexcept {
    queue_.put_prepared(std::move(request));
    if (closing_) return shut();
    proceed();
}

void StoreSlot::start_batch() noexcept {
    batch_.append(queue_.take_batch());
    writer_->add_refused_tokens(refused_tokens_.take());
    if (writer_task_.post(main_.write_pool, step<&StoreSlot::run_batch>,
                          step<&StoreSlot::batch_done>)) {
        work_ = Work::batch;
        return;
    }
    refuse(std::move(batch_),
           "the directory cannot be written now: the thread pool's queue is full", 1);
}

// Another process may hold the write lock for as long as it likes: it was stopped, for example. The
// thread that waits for the lock cannot be interrupted, but its requests can be answered.
void StoreSlot::look_at_lock() noexcept {
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
    refuse(queue_.take_older(limit), why, 5);
    if (work_ == Work::batch && writer_->lock_wait().give_up()) refuse(std::move(batch_), why, 5);
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

// On the thread. What this does not come to is refused: each request has been since it was made.
void StoreSlot::run_batch() {
    batch_outcome_ = service::BatchOutcome::failed;
    std::vector<service::Job *> jobs;
    jobs.reserve(batch_.size());
    for (auto *request = batch_.first(); request != NULL; request = PendingList::after(*request))
        if (request->load()) jobs.push_back(&request->job);
    batch_outcome_ = writer_->run(jobs);
    // The loop has answered them, and batch_ is its own.
    if (batch_outcome_ == service::BatchOutcome::given_up) return;
    for (auto *request = batch_.first(); request != NULL; request = PendingList::after(*request))
        if (request->body.error() == 0 && !request->job.postponed) {
            request->outcome = Done{};
            request->body.drop();
        }
}

void StoreSlot::batch_done() {
    work_ = Work::none;
    PendingList postponed;
    while (!batch_.empty()) {
        auto request = batch_.pop();
        (request->job.postponed ? postponed : finished_).push(std::move(request));
    }
    queue_.put_back(std::move(postponed));
    if (!writer_->problem().empty())
        ngx_log_error(NGX_LOG_CRIT, log_, 0, "scim: store \"%s\" %s", conf_.path.c_str(),
                      writer_->problem().c_str());
    if (std::string warning = writer_->take_warning(); !warning.empty())
        ngx_log_error(NGX_LOG_WARN, log_, 0, "scim: store \"%s\": %s", conf_.path.c_str(),
                      warning.c_str());
    if (batch_outcome_ == service::BatchOutcome::reopen) reopen();
    // Before the next batch, or a worker that is never at rest would never plan any.
    plan_chores();
    // The next batch is on its way before the answers of this one are written.
    proceed();
}

// ---- Answers ----

// Not now: the caller may be a handler of the very request.
void StoreSlot::answer_later() noexcept {
    ngx_post_event(&answers_, &ngx_posted_next_events);  // unless it is posted
}

void StoreSlot::send_answers() noexcept {
    for (size_t sent = 0; !finished_.empty() && sent < answer_bytes_a_turn;) {
        auto request = finished_.pop();
        sent += request->job.response.body.size() + request->job.response.in_sink;
        finish(std::move(request));
    }
    if (!finished_.empty()) answer_later();
    update_hold();
}

// A long answer is made on a thread of the read pool: the writer has other things to do. It has no
// place in the queue's bounds, because its write is done.
void StoreSlot::finish(std::unique_ptr<PendingRequest> request) noexcept {
    if (!request->job.unfinished || session_ == nullptr) {
        if (request->is_large()) note_large_request();
        return finish_request(std::move(request), log_);
    }
    reads_.push(std::move(request));
    start_reads();
}

// ---- Background work ----

// Notes wait a little for a commit that takes them along.
void StoreSlot::plan_chores() noexcept {
    if (work_ != Work::none || session_ == nullptr || writer_ == nullptr) return;
    guarded_void(log_, [&] {
        writer_->add_uses(session_->authenticator.take_uses());
        switch (writer_->chores(now())) {
            case service::Writer::Chores::none: return;
            case service::Writer::Chores::notes: return do_chores_after(notes_pause);
            case service::Writer::Chores::rows: return do_chores_after(chores_pause);
        }
    });
}

void StoreSlot::note_uses() noexcept {
    if (session_ != nullptr && session_->authenticator.has_uses()) plan_chores();
}

void StoreSlot::do_chores_after(ngx_msec_t delay) {
    if (ngx_exiting) return;
    if (chores_.timer_set) {
        if (delay >= notes_pause) return;
        ngx_del_timer(&chores_);  // rows that must go do not wait for as long as notes do
    }
    ngx_add_timer(&chores_, delay);
}

// It stays off the write lock at least as long as it held it, and lets requests go first.
void StoreSlot::start_chores() noexcept {
    chores_due_ = false;
    if (store_->state() != service::Store::State::ready) return;
    more_chores_ = false;
    chores_time_ = now();
    if (writer_task_.post(main_.write_pool, step<&StoreSlot::run_chores>,
                          step<&StoreSlot::chores_done>))
        work_ = Work::chores;
}

void StoreSlot::run_chores() { more_chores_ = writer_->do_chores(chores_time_); }

void StoreSlot::chores_done() {
    work_ = Work::none;
    if (more_chores_)
        do_chores_after(std::max(chores_pause, ngx_current_msec - writer_task_.since()));
    proceed();
    note_uses();
}

// ---- Long reads ----

bool StoreSlot::submit_read(std::unique_ptr<PendingRequest> &request) {
    if (reads_.size() >= reads_waiting) return false;
    reads_.push(std::move(request));
    proceed();
    return true;
}

void StoreSlot::start_reads() noexcept {
    for (ReadLane &lane : lanes_) {
        if (session_ == nullptr || reads_.empty()) return;
        if (lane.busy()) continue;
        auto request = reads_.pop();
        if (lane.start(request, *store_, *this, main_.read_pool)) continue;
        request->refuse("too many long reads are waiting", 1);
        finished_.push(std::move(request));
    }
}

void StoreSlot::read_done(std::unique_ptr<PendingRequest> request) noexcept {
    // Nothing has been made of a write's answer: it is not tried again.
    if (request->job.unfinished)
        finish_request(std::move(request), log_);
    else
        finished_.push(std::move(request));
    proceed();
}

// Once a minute.
void StoreSlot::tend() {
    if (session_ == nullptr) return;
    int dead = store_->env().check_readers();
    if (dead > 0)
        ngx_log_error(NGX_LOG_NOTICE, log_, 0, "scim: freed %d reader slots of dead processes",
                      dead);
    if (!store_->env().in_place()) return reopen();
    plan_chores();  // changes grow old without a request
}

}  // namespace scim::nginx
