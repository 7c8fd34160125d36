#include "nginx/gate_recheck.h"

#include <array>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "nginx/gate.h"
#include "nginx/guard.h"
#include "nginx/status.h"
#include "nginx/worker.h"

namespace scim::nginx {

struct Line;

// In the pool of its request. A cleanup handler of the main request removes it from its list before
// nginx frees the request, and before a terminated request waits for a thread.
struct Watched {
    ngx_queue_t link{};     // first: at() casts it
    Line *line = NULL;      // NULL: not listed
    bool is_over = false;   // nginx has begun to destroy the request
    bool has_user = false;  // false: passed by scim_on_error allow, without a user
    ngx_http_request_t *r = NULL;
    const GateConf *conf = NULL;
    std::string_view tenant, subject, session;
    bool is_session_doubtful = false;
    Id user{};
    int64_t not_before = 0;  // of the user at the first decision
    ngx_msec_t due = 0;      // is not decided again before
    uint64_t txn = 0;        // of the last decision; 0: it must be decided again
};

// The listed requests of one store and interval, in the order of their last decisions.
struct Line {
    Line(const StoreConf &s, ngx_msec_t i) : store(s), interval(i) {
        ngx_queue_init(&requests);
        ngx_queue_init(&refused);
    }
    const StoreConf &store;
    const ngx_msec_t interval;
    ngx_queue_t requests;
    ngx_queue_t refused;   // those that end when their thread has ended
    size_t undecided = 0;  // number of `requests` whose txn is 0
    // WorkerStore::openings() at the last look: the numbers of transactions are those of one opening.
    uint64_t openings = 0;
};

namespace {

using service::Reason;
using Clock = std::chrono::steady_clock;

constexpr ngx_msec_t look_time = 1000;
constexpr std::chrono::milliseconds turn_max{2};

Watched &at(ngx_queue_t *link) { return *reinterpret_cast<Watched *>(link); }

class Rechecks {
  public:
    Rechecks();
    Line &line_of(const StoreConf &store, ngx_msec_t interval);
    void add(Watched &watched, Line &line, uint64_t txn);
    static void remove(Watched &watched);
    void at_time(int64_t time) { due_ = due_ == 0 ? time : std::min(due_, time); }
    void look() noexcept;

  private:
    bool look_at(Line &line, Clock::time_point until);
    void decide(Line &line, Watched &watched, WorkerStore &store, service::Snapshot &snapshot);
    void refuse(Watched &watched, const service::Decision &decision);
    bool decide_due(Line &line, Clock::time_point until);
    bool end_refused(Line &line, Clock::time_point until);
    void forget_decisions();
    static void forget_decisions(Line &line);
    void log_count();

    std::vector<std::unique_ptr<Line>> lines_;
    int64_t due_ =
        0;  // milliseconds since 1970: decisions depend on the clock from then on; 0: none
    std::array<size_t, size_t(Reason::unavailable) + 1> ended_{};  // since the last log message
    ngx_connection_t nobody_{};  // nginx logs the connection of a timer's event
    ngx_event_t timer_{}, rest_{};
};

// A plain pointer, so that no destructor runs at exit() or dlclose().
Rechecks &rechecks() {
    static auto *all = new Rechecks;
    return *all;
}

Rechecks::Rechecks() {
    nobody_.fd = ngx_socket_t(-1);
    for (ngx_event_t *event : {&timer_, &rest_}) {
        event->data = &nobody_;
        event->log = ngx_cycle->log;
        event->handler = [](ngx_event_t *) { rechecks().look(); };
        event->cancelable = 1;  // the connections of the requests keep an exiting worker alive
    }
}

Line &Rechecks::line_of(const StoreConf &store, ngx_msec_t interval) {
    for (auto &line : lines_)
        if (&line->store == &store && line->interval == interval) return *line;
    lines_.push_back(std::make_unique<Line>(store, interval));
    return *lines_.back();
}

void Rechecks::add(Watched &watched, Line &line, uint64_t txn) {
    watched.line = &line;
    watched.txn = txn;
    watched.due = ngx_current_msec + line.interval;
    if (txn == 0) line.undecided++;
    ngx_queue_insert_tail(&line.requests, &watched.link);
    if (!timer_.timer_set && !rest_.posted) ngx_add_timer(&timer_, look_time);
}

void Rechecks::remove(Watched &watched) {
    if (watched.line == NULL) return;
    if (watched.txn == 0) watched.line->undecided--;
    watched.line = NULL;
    ngx_queue_remove(&watched.link);
}

// Makes each decision of a line count as outdated.
void Rechecks::forget_decisions(Line &line) {
    line.undecided = 0;
    for (ngx_queue_t *link = ngx_queue_head(&line.requests); link != &line.requests;
         link = ngx_queue_next(link)) {
        at(link).txn = 0;
        line.undecided++;
    }
}

// The clock has passed due_.
void Rechecks::forget_decisions() {
    due_ = 0;
    for (auto &line : lines_) forget_decisions(*line);
}

// Of a request that passed without a user, because the store did not answer.
bool has_valid_session(const Watched &watched, const service::GateUser &user) {
    const SessionConf *session = watched.conf->session;
    if (session == NULL || session->is_off) return true;
    return !watched.is_session_doubtful &&
           service::check_session(watched.session, session->optional, user.not_before, now()) ==
               service::SessionFault::none;
}

service::Decision decision_of(Watched &watched, WorkerStore &store, service::Snapshot &snapshot) {
    const GateConf &conf = *watched.conf;
    const auto known =
        store.gate().find(snapshot, {watched.tenant, conf.subject->by, watched.subject});
    const service::GateUser &user = known->user;
    if (user.reason != Reason::none) return {user.reason, nullptr, nullptr, user.is_beyond_limit};
    // The name may be another user's by now, or the user may have lost access and got it back.
    if (watched.has_user && (user.id != watched.user || user.not_before > watched.not_before))
        return {Reason::session_revoked, nullptr, nullptr, false};
    if (!watched.has_user && !has_valid_session(watched, user))
        return {Reason::session_revoked, nullptr, nullptr, false};
    watched.has_user = true;
    watched.user = user.id;
    watched.not_before = user.not_before;
    auto decision = store.gate().decide(snapshot, *known, *conf.requirements, options_of(conf));
    store.gate().keep(known);
    if (is_paused(snapshot, user.tenant, decision)) return {};
    return decision;
}

// Ends a request, and destroys it with its subrequests.
void end(ngx_http_request_t *r) {
    ngx_connection_t *c = r->connection;
    // Otherwise nginx would begin the post_action of the location, for which it drops a reference
    // that is not ours.
    r->post_action = 1;
    r->uri_changes = 0;
    // The cleanup handler of an upstream releases the reference that the upstream holds. If it were
    // the last one, nginx would keep the connection alive, or free the request too early.
    r->count++;
    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}

void Rechecks::refuse(Watched &watched, const service::Decision &decision) {
    ngx_http_request_t *r = watched.r;
    log_gate_once(r, NGX_LOG_ERR, GateMessage::ended,
                  "open request ended: " +
                      sentence_of(watched.tenant, watched.subject, *watched.conf, decision));
    ended_[size_t(decision.reason)]++;
    count_decision(service::GateOutcome::ended, decision.reason);
    // For the access log.
    GateState &state = gate_state(r);
    state.decision = "deny";
    if (state.reason == Reason::none) state.reason = decision.reason;
    if (!r->header_sent) r->headers_out.status = ngx_uint_t(status_of(decision));
    // nginx ends the request on an error of its connection when the thread has ended. If another
    // handler comes first, end_refused() does.
    if (r->blocked != 0) r->connection->error = 1;
    Line &line = *watched.line;
    remove(watched);
    watched.line = &line;
    watched.txn = 1;  // is not counted as undecided
    ngx_queue_insert_tail(&line.refused, &watched.link);
}

// Outside of a snapshot, because the log phase of a request may take one. Returns false if there are
// more than can be ended until the given time.
bool Rechecks::end_refused(Line &line, Clock::time_point until) {
    ngx_queue_t waiting;
    ngx_queue_init(&waiting);
    bool is_done = true;
    while (is_done && !ngx_queue_empty(&line.refused)) {
        ngx_queue_t *link = ngx_queue_head(&line.refused);
        ngx_queue_remove(link);
        ngx_queue_insert_tail(&waiting, link);
        if (at(link).r->blocked == 0) end(at(link).r);
        is_done = Clock::now() < until;
    }
    is_done |= ngx_queue_empty(&line.refused);
    if (!ngx_queue_empty(&waiting)) {
        ngx_queue_add(&line.refused, &waiting);
    }
    return is_done;
}

void Rechecks::decide(Line &line, Watched &watched, WorkerStore &store,
                      service::Snapshot &snapshot) {
    const auto decision = decision_of(watched, store, snapshot);
    const bool cannot_answer = decision.reason == Reason::unavailable && !decision.is_beyond_limit;
    remove(watched);
    // A refused request is listed until nginx destroys it.
    add(watched, line, decision.reason == Reason::none ? snapshot.txn.id() : 0);
    if (decision.reason != Reason::none && !cannot_answer) refuse(watched, decision);
}

bool Rechecks::look_at(Line &line, Clock::time_point until) {
    const bool is_done = decide_due(line, until);
    return end_refused(line, until) && is_done;
}

// Decides about the requests of a line that are due. Returns false if there are more than can be
// decided until the given time.
bool Rechecks::decide_due(Line &line, Clock::time_point until) {
    WorkerStore *store = store_of(line.store);
    auto is_due = [&] {
        return !ngx_queue_empty(&line.requests) &&
               ngx_msec_int_t(at(ngx_queue_head(&line.requests)).due - ngx_current_msec) <= 0;
    };
    if (store == NULL || !is_due() || store->session() == NULL) return true;
    // A store that was restored from a backup may have any number of its last transaction.
    if (std::exchange(line.openings, store->openings()) != store->openings())
        forget_decisions(line);
    const uint64_t txn = store->last_txn();
    if (at(ngx_queue_head(&line.requests)).txn == txn && line.undecided == 0) return true;
    service::Snapshot snapshot(*store->session());
    // For example while a grown map is adopted: looks again in a second.
    if (!snapshot.usable()) return true;
    while (is_due()) {
        Watched &watched = at(ngx_queue_head(&line.requests));
        if (watched.txn != snapshot.txn.id()) {
            decide(line, watched, *store, snapshot);
        } else if (line.undecided == 0) {
            return true;  // the requests behind it have been decided later
        } else {
            remove(watched);
            add(watched, line, snapshot.txn.id());
        }
        if (Clock::now() >= until) return !is_due();
    }
    return true;
}

// The log has a sentence for each user (refuse()), but at most 60 a minute.
void Rechecks::log_count() {
    size_t sum = 0;
    std::string reasons;
    for (size_t i = 0; i < ended_.size(); i++) {
        if (ended_[i] == 0) continue;
        sum += ended_[i];
        reasons += (reasons.empty() ? "" : ", ") + std::string(to_string(Reason(i))) + " " +
                   std::to_string(ended_[i]);
    }
    if (sum > 1)
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "scim: %uz open requests ended because their users lost access: %s", sum,
                      reasons.c_str());
    ended_ = {};
}

void Rechecks::look() noexcept {
    const bool is_done = guarded(ngx_cycle->log, true, [&] {
        if (due_ != 0 && now() > due_) forget_decisions();
        const auto until = Clock::now() + turn_max;
        for (auto &line : lines_)
            if (!look_at(*line, until)) return false;
        log_count();
        return true;
    });
    if (!is_done) {
        ngx_post_event(&rest_, &ngx_posted_next_events);
        return;
    }
    for (auto &line : lines_)
        if ((!ngx_queue_empty(&line->requests) || !ngx_queue_empty(&line->refused)) &&
            !timer_.timer_set)
            ngx_add_timer(&timer_, look_time);
}

void on_destroyed(void *data) {
    auto &watched = *static_cast<Watched *>(data);
    Rechecks::remove(watched);
    watched.is_over = true;
}

Watched *make_watched(ngx_http_request_t *r) {
    ngx_http_cleanup_t *cleanup = ngx_http_cleanup_add(r, sizeof(Watched));
    if (cleanup == NULL) throw std::bad_alloc();
    auto *watched = new (cleanup->data) Watched;
    watched->r = r;
    cleanup->handler = on_destroyed;
    return watched;
}

}  // namespace

void watch(ngx_http_request_t *r, const GateConf &conf, GateState &state,
           service::Snapshot *snapshot) {
    if (state.watched != NULL) Rechecks::remove(*state.watched);
    if (conf.recheck == 0 || conf.dry_run) return;
    if (state.watched == NULL) state.watched = make_watched(r);
    Watched &watched = *state.watched;
    if (watched.is_over) return;
    watched.conf = &conf;
    watched.tenant = state.tenant;
    watched.subject = state.subject;
    watched.session = state.session;
    watched.is_session_doubtful = conf.session != NULL && state.is_doubtful(conf.session->headers);
    const service::GateUser &user = state.user->user;
    watched.has_user = user.found();
    watched.user = user.id;
    watched.not_before = user.not_before;
    Line &line = rechecks().line_of(*conf.subject->store, conf.recheck);
    rechecks().add(watched, line, snapshot != NULL ? snapshot->txn.id() : 0);
}

void recheck_at(int64_t time) { rechecks().at_time(time); }

}  // namespace scim::nginx
