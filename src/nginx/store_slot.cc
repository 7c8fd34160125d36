#include <iterator>

#include "nginx/guard.h"
#include "nginx/worker.h"
#include "service/read.h"

namespace scim::nginx {

namespace {

constexpr ngx_msec_t retry_time = 1000, chores_pause = 10, notes_pause = 1000;
// Of answers that are sent before other connections have their turn: a millisecond or two.
constexpr size_t answer_bytes_a_turn = 1 << 20;

// A batch that an exception ended has no answers of its own.
void refuse_all(std::vector<std::unique_ptr<PendingRequest>> &batch) {
    Error error{503, ScimType::none, "the directory cannot be written now", 5};
    for (auto &request : batch)
        service::refuse(request->job.response, error, request->job.request.id);
}

}  // namespace

StoreSlot::StoreSlot(const StoreConf &conf, const MainConf &main, ngx_cycle_t *cycle)
    : conf_(conf), main_(main), log_(cycle->log) {
    owner_.nobody.fd = ngx_socket_t(-1);
    owner_.slot = this;
    for (ngx_event_t *event : {&retry_, &chores_, &answers_}) {
        event->data = &owner_;
        event->log = log_;
        event->cancelable = 1;
    }
    answers_.handler = [](ngx_event_t *ev) {
        guarded_void(ev->log, [&] { static_cast<TimerOwner *>(ev->data)->slot->send_answers(); });
    };
}

StoreSlot::~StoreSlot() {
    if (retry_.timer_set) ngx_del_timer(&retry_);
    if (chores_.timer_set) ngx_del_timer(&chores_);
    if (answers_.posted) {
        ngx_delete_posted_event(&answers_);  // two statements
    }
    close();
}

void StoreSlot::close() {
    session_.reset();
    for (ReadLane &lane : lanes_) lane.session.reset();
    writer_.reset();
    store_.reset();
}

// Once a sentence, not once a second.
void StoreSlot::log_problem(std::string problem) {
    if (problem == logged_) return;
    logged_ = std::move(problem);
    ngx_log_error(NGX_LOG_ERR, log_, 0, "scim: %s; its locations answer 503 until this is mended",
                  logged_.c_str());
}

void StoreSlot::retry_later() {
    if (ngx_exiting || retry_.timer_set) return;
    retry_.handler = [](ngx_event_t *ev) {
        guarded_void(ev->log, [&] { static_cast<TimerOwner *>(ev->data)->slot->open(); });
    };
    ngx_add_timer(&retry_, retry_time);
}

void StoreSlot::open() {
    service::Store::Options options;
    options.env.directory = conf_.path;
    options.env.map_size = size_t(conf_.size);
    options.declaration = conf_.declaration;
    options.retention = main_.retention;
    std::string why;
    store_ = service::Store::open(std::move(options), why);
    if (store_ == nullptr) {
        log_problem(std::move(why));
        retry_later();
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
    auto result = std::make_shared<std::pair<bool, std::string>>();
    service::Store *store = store_.get();
    declaring_ = writer_task_.post(
        main_.write_pool, [=] { result->first = store->declare(result->second); },
        [=] { declared(result->first, result->second); });
    if (declaring_) return worker_busy();
    close();
    retry_later();
}

void StoreSlot::declared(bool good, const std::string &why) {
    declaring_ = false;
    worker_idle();
    if (closing_) return shut();
    if (good) return serve();
    log_problem(why);
    shut();
}

void StoreSlot::serve() {
    if (session_ == nullptr) session_ = std::make_unique<service::Session>(*store_);
    writer_ = std::make_unique<service::Writer>(*store_);
    if (!store_->warning().empty())
        ngx_log_error(NGX_LOG_WARN, log_, 0, "scim: %s", store_->warning().c_str());
    if (!logged_.empty())
        ngx_log_error(NGX_LOG_NOTICE, log_, 0, "scim: store \"%s\" is served again",
                      conf_.path.c_str());
    logged_.clear();
    if (!queue_.empty()) return start_batch();
    // What another worker, or the time before, has left.
    plan_chores();
}

bool StoreSlot::submit_write(std::unique_ptr<PendingRequest> &request) {
    if (!queue_.push(request)) return false;
    if (!writing_ && !declaring_) start_batch();
    return true;
}

void StoreSlot::start_batch() {
    batch_ = queue_.take_batch();
    auto outcome = std::make_shared<service::BatchOutcome>(service::BatchOutcome::failed);
    auto run = [this, outcome] {
        refuse_all(batch_);
        std::vector<service::Job *> jobs;
        for (auto &request : batch_)
            if (request->load()) jobs.push_back(&request->job);
        *outcome = writer_->run(jobs);
    };
    writing_ = true;
    worker_busy();
    if (writer_task_.post(main_.write_pool, run, [this, outcome] { batch_done(*outcome); })) return;
    refuse_all(batch_);
    batch_done(service::BatchOutcome::ok);
}

void StoreSlot::batch_done(service::BatchOutcome outcome) {
    std::move(batch_.begin(), batch_.end(), std::back_inserter(finished_));
    batch_.clear();
    writing_ = false;
    if (!writer_->problem().empty())
        ngx_log_error(NGX_LOG_CRIT, log_, 0, "scim: store \"%s\" %s", conf_.path.c_str(),
                      writer_->problem().c_str());
    if (outcome == service::BatchOutcome::reopen) reopen();
    // Before the next batch, or a worker that is never at rest would never plan any.
    plan_chores();
    // The next batch is on its way before the answers of this one are written.
    if (chores_due_) do_chores();
    if (!writing_ && !queue_.empty() && session_ != nullptr) start_batch();
    send_answers();
    if (closing_) shut();
}

void StoreSlot::send_answers() {
    for (size_t sent = 0; !finished_.empty() && sent < answer_bytes_a_turn;) {
        auto request = std::move(finished_.front());
        finished_.pop_front();
        sent += request->job.response.body.size();
        finish(std::move(request));
    }
    if (finished_.empty()) return worker_idle();
    ngx_post_event(&answers_, &ngx_posted_next_events);  // unless it is posted
}

// A long answer is made on a thread of the read pool: the writer has other things to do. It has no
// place in the queue's bounds, because its write is done.
void StoreSlot::finish(std::unique_ptr<PendingRequest> request) {
    if (!request->job.unfinished) return finish_request(*request, log_);
    if (session_ == nullptr) {
        request->outcome = Error{503, ScimType::none, "the directory is being reopened", 1};
        finish_request(*request, log_);
    } else if (reading_ < reads_at_once) {
        start_read(std::move(request));
    } else {
        reads_.push_back(std::move(request));
    }
}

// Notes wait a little for a commit that takes them along.
void StoreSlot::plan_chores() {
    if (writing_ || declaring_ || session_ == nullptr) return;
    writer_->add_uses(session_->authenticator.take_uses());
    switch (writer_->chores(now())) {
        case service::Writer::Chores::none: return;
        case service::Writer::Chores::notes: return do_chores_after(notes_pause);
        case service::Writer::Chores::rows: return do_chores_after(chores_pause);
    }
}

void StoreSlot::note_uses() {
    if (session_ != nullptr && session_->authenticator.has_uses()) plan_chores();
}

void StoreSlot::do_chores_after(ngx_msec_t delay) {
    if (ngx_exiting) return;
    if (chores_.timer_set) {
        if (delay >= notes_pause) return;
        ngx_del_timer(&chores_);  // rows that must go do not wait for as long as notes do
    }
    chores_.handler = [](ngx_event_t *ev) {
        guarded_void(ev->log, [&] { static_cast<TimerOwner *>(ev->data)->slot->do_chores(); });
    };
    ngx_add_timer(&chores_, delay);
}

// Background work: it stays off the write lock at least as long as it held it, and lets requests
// go first.
void StoreSlot::do_chores() {
    chores_due_ = writing_;
    if (writing_ || session_ == nullptr || store_->state() != service::Store::State::ready) return;
    auto more = std::make_shared<bool>(false);
    ngx_msec_t begun = ngx_current_msec;
    writing_ = true;
    worker_busy();
    auto done = [this, more, begun] {
        writing_ = false;
        if (*more) do_chores_after(std::max(chores_pause, ngx_current_msec - begun));
        if (!queue_.empty() && session_ != nullptr) start_batch();
        worker_idle();
        if (closing_) return shut();
        note_uses();
    };
    auto run = [this, more, at = now()] { *more = writer_->do_chores(at); };
    if (!writer_task_.post(main_.write_pool, run, done)) done();
}

bool StoreSlot::submit_read(std::unique_ptr<PendingRequest> &request) {
    if (reading_ < reads_at_once) {
        start_read(std::move(request));
        return true;
    }
    if (reads_.size() >= reads_waiting) return false;
    reads_.push_back(std::move(request));
    return true;
}

void StoreSlot::start_read(std::unique_ptr<PendingRequest> request) {
    ReadLane *lane = lanes_;
    while (lane->busy) lane++;
    lane->busy = true;
    lane->request = std::move(request);
    if (lane->session == nullptr) lane->session = std::make_unique<service::Session>(*store_);
    reading_++;
    worker_busy();
    auto run = [lane] {
        PendingRequest &pending = *lane->request;
        service::Job &job = pending.job;
        pending.outcome = Error{503, ScimType::none, "the directory cannot be read now", 5};
        if (pending.cancelled || (!pending.is_write && !pending.load())) return;
        service::Snapshot snapshot(*lane->session);
        if (pending.is_write) {
            service::finish_answer(job, snapshot);
            pending.outcome = Done{};
            return;
        }
        auto reading = service::read(snapshot, *job.actor, job.request, job.response,
                                     service::Patience::thread);
        pending.outcome = reading ? Outcome(Done{}) : Outcome(reading.error());
    };
    auto done = [this, lane] {
        auto request = std::move(lane->request);
        lane->busy = false;
        reading_--;
        if (!reads_.empty() && session_ != nullptr) {
            auto next = std::move(reads_.front());
            reads_.pop_front();
            start_read(std::move(next));
        }
        worker_idle();
        finish_request(*request, log_);
        if (closing_) shut();
    };
    if (lane->task.post(main_.read_pool, run, done)) return;
    lane->request->outcome = Error{503, ScimType::none, "too many long reads are waiting", 1};
    done();
}

// LMDB after a failed meta page write: every transaction says so until the environment is opened
// anew. And whoever wrote into a file that was replaced would write for nobody.
void StoreSlot::reopen() {
    if (closing_) return;
    logged_ = "store \"" + conf_.path + "\" is being reopened";
    ngx_log_error(
        NGX_LOG_CRIT, log_, 0, "scim: store \"%s\" must be reopened: %s", conf_.path.c_str(),
        store_->env().in_place() ? "a write to it failed" : "its data.mdb was replaced or removed");
    shut();
}

// Refuses what waits; closes the store when nothing uses it any more, and tries again later.
void StoreSlot::shut() {
    closing_ = true;
    session_.reset();
    Error error{503, ScimType::none, "the directory cannot be served now", 1};
    while (!queue_.empty())
        for (auto &request : queue_.take_batch()) {
            service::refuse(request->job.response, error, request->job.request.id);
            finish_request(*request, log_);
        }
    while (!reads_.empty()) {
        reads_.front()->outcome = error;
        finish_request(*reads_.front(), log_);
        reads_.pop_front();
    }
    if (declaring_ || writing_ || reading_ != 0) return;
    closing_ = false;
    close();
    retry_later();
}

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
