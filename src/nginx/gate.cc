#include "nginx/gate.h"

#include <algorithm>

#include "nginx/body.h"
#include "nginx/guard.h"
#include "nginx/handler.h"
#include "nginx/request_headers.h"
#include "nginx/status.h"
#include "nginx/worker.h"
#include "scim/text/secret.h"
#include "service/once_a_minute.h"

namespace scim::nginx {

namespace {

using service::GateOutcome;
using service::Reason;

void destroy_state(void *state) { static_cast<GateState *>(state)->~GateState(); }

ngx_str_t value_of(ngx_http_request_t *r, const ngx_http_complex_value_t &value) {
    ngx_str_t text;
    // nginx does not change the compiled value.
    if (ngx_http_complex_value(r, const_cast<ngx_http_complex_value_t *>(&value), &text) != NGX_OK)
        throw std::bad_alloc();
    return text;
}

// True if nginx has verified the client's certificate for the server that the request is for. On
// one TLS connection a client can send requests for several servers; nginx verifies the certificate
// by the directives of one of them only.
bool is_certificate_verified(ngx_http_request_t *r) {
    if (r->srv_conf != r->http_connection->conf_ctx->srv_conf) return false;
    ngx_http_variable_value_t *v =
        ngx_http_get_flushed_variable(r, ngx_uint_t(gate_main_conf(r).ssl_client_verify));
    return v != NULL && v->valid && !v->not_found &&
           std::string_view(reinterpret_cast<char *>(v->data), v->len) == "SUCCESS";
}

// True if the request has evaluated a variable of a certificate that exists, as a `map` or a `set`
// does.
bool is_certificate_used(ngx_http_request_t *r) {
    for (ngx_uint_t variable : gate_main_conf(r).ssl_client)
        if (r->variables[variable].valid && r->variables[variable].len > 0) return true;
    return false;
}

// The text of a configuration, which lives as long as the cycle.
ngx_str_t as_str(const std::string &text) {
    return {text.size(), reinterpret_cast<u_char *>(const_cast<char *>(text.data()))};
}

// The value of scim_subject, empty if it does not count.
std::string_view subject_of(ngx_http_request_t *r, const SubjectConf &subject) {
    const std::string_view value = view(value_of(r, subject.value));
    const bool is_of_certificate =
        subject.is_of_certificate || (subject.may_be_of_certificate && is_certificate_used(r));
    return is_of_certificate && !is_certificate_verified(r) ? std::string_view() : value;
}

// Notes which header fields that a subject or session is taken from arrive more than once, or in a
// spelling such as X_User, which the server that vouches for the field may have overlooked.
void note_doubtful(ngx_http_request_t *r, const std::vector<std::string> &headers,
                   GateState &state) {
    for (const std::string &form : headers) {
        const HeaderCount count = count_headers(r, form);
        if ((count.all > 1 || count.other_spellings > 0) && !state.is_doubtful({form}))
            state.doubtful.push_back(form);
    }
}

// Empty if the location has no scim_session.
std::string_view session_of(ngx_http_request_t *r, const GateConf &conf, GateState &state) {
    if (conf.session == NULL || conf.session->is_off) return {};
    note_doubtful(r, conf.session->headers, state);
    return view(value_of(r, conf.session->value));
}

// Notes why the session of a user whom nothing else refuses does not count.
void check_session(const GateConf &conf, GateState &state) {
    using service::SessionFault;
    const service::GateUser &user = state.user->user;
    state.session_fault = SessionFault::none;
    if (conf.session == NULL || conf.session->is_off || user.reason != Reason::none) return;
    state.session_fault =
        state.is_doubtful(conf.session->headers)
            ? SessionFault::malformed
            : service::check_session(state.session, conf.session->optional, user.not_before, now());
}

std::shared_ptr<service::KnownUser> find_user(ngx_http_request_t *r, GateState &state,
                                              const SubjectConf &conf,
                                              const service::Subject &subject,
                                              service::Snapshot *snapshot) {
    service::GateUser nobody;
    note_doubtful(r, conf.headers, state);
    const bool is_doubtful = state.is_doubtful(conf.headers);
    if (is_doubtful || subject.value.empty())
        nobody.reason = is_doubtful ? Reason::ambiguous : Reason::no_subject;
    std::optional<service::Snapshot> own;
    if (snapshot == nullptr && nobody.reason == Reason::unavailable)
        snapshot = take_snapshot(*conf.store, own);
    if (snapshot == nullptr || nobody.reason != Reason::unavailable)
        return std::make_shared<service::KnownUser>(std::move(nobody));
    return store_of(*conf.store)->gate().find(*snapshot, subject);
}

// Why a session is refused, for the log.
const char *fault_text(service::SessionFault fault) {
    using service::SessionFault;
    switch (fault) {
        case SessionFault::missing: return "the value of \"scim_session\" is empty";
        case SessionFault::malformed:
            return "the value of \"scim_session\" is not a number of seconds since 1970";
        case SessionFault::in_future:
            return "the value of \"scim_session\" is more than 300 seconds in the future";
        default: return "it began before the user was created, deactivated or revoked";
    }
}

// The rest of "access denied: …".
std::string sentence(const GateState &state, const GateConf &conf,
                     const service::Decision &decision) {
    std::string text = sentence_of(state.tenant, state.subject, conf, decision);
    if (decision.reason == Reason::session_revoked)
        text += std::string(": ") + fault_text(state.session_fault);
    return text;
}

void log_missing_group(ngx_http_request_t *r, const GateState &state,
                       const service::Decision &decision) {
    if (decision.no_such_group == nullptr) return;
    log_gate_once(r, NGX_LOG_WARN, GateMessage::roll_out,
                  "tenant " + quoted(state.tenant) + " has no group for \"" +
                      decision.no_such_group->text + "\" of \"scim_require\"");
}

service::Decision judge(ngx_http_request_t *r, const GateConf &conf, GateState &state,
                        service::Snapshot *snapshot) {
    service::KnownUser &known = user_of(r, conf, snapshot);
    const service::GateUser &user = known.user;
    const Reason reason = state.reason_of_user();
    if (reason != Reason::none || snapshot == nullptr)
        return {reason != Reason::none ? reason : Reason::unavailable, nullptr, nullptr,
                user.is_beyond_limit};
    WorkerStore &store = *store_of(*conf.subject->store);
    auto decision = store.gate().decide(*snapshot, known, *conf.requirements, options_of(conf));
    log_missing_group(r, state, decision);
    if (!is_paused(*snapshot, user.tenant, decision)) return decision;
    log_gate_once(r, NGX_LOG_ERR, GateMessage::roll_out,
                  "access allowed because the gate of tenant " + quoted(state.tenant) +
                      " is paused: " + sentence(state, conf, decision));
    return {};
}

void add_retry_after(ngx_http_request_t *r) {
    auto *h = static_cast<ngx_table_elt_t *>(ngx_list_push(&r->headers_out.headers));
    if (h == NULL) throw std::bad_alloc();
    *h = {};
    h->hash = 1;
    ngx_str_set(&h->key, "Retry-After");
    ngx_str_set(&h->value, "5");
}

GateMessage kind_of(const GateConf &conf, const service::Decision &decision) {
    if (conf.dry_run) return GateMessage::roll_out;
    const bool is_known =
        decision.reason == Reason::inactive || decision.reason == Reason::blocked ||
        decision.reason == Reason::session_revoked || decision.reason == Reason::not_allowed;
    return is_known ? GateMessage::known_user : GateMessage::nobody;
}

// Notes and logs a decision. Returns NGX_OK or the status of the refusal.
ngx_int_t conclude(ngx_http_request_t *r, const GateConf &conf, GateState &state,
                   const service::Decision &decision) {
    state.decided = &conf;
    state.decision = "allow";
    if (decision.reason == Reason::none) {
        count_decision(GateOutcome::allow, decision.reason);
        return NGX_OK;
    }
    const bool passes =
        decision.reason == Reason::unavailable && !decision.is_beyond_limit && conf.on_error_allow;
    if (state.reason == Reason::none) state.reason = decision.reason;
    state.is_anonymous |= passes;
    std::string verdict = "access denied: ";
    if (passes) verdict = "access allowed without identity, by \"scim_on_error allow\": ";
    if (!passes && conf.dry_run) verdict = "access would be denied: ";
    log_gate_once(r, NGX_LOG_ERR, kind_of(conf, decision),
                  verdict + sentence(state, conf, decision));
    count_decision(passes         ? GateOutcome::allow
                   : conf.dry_run ? GateOutcome::dry_run_deny
                                  : GateOutcome::deny,
                   decision.reason);
    if (passes) return NGX_OK;
    state.decision = conf.dry_run ? "dry_run_deny" : "deny";
    if (conf.dry_run) return NGX_OK;
    if (decision.reason == Reason::unavailable) add_retry_after(r);
    return status_of(decision);
}

// Makes the next use of $http_* read the header field again.
void forget_variable(ngx_http_request_t *r, const HeaderConf &header) {
    if (header.variable == NGX_ERROR) return;
    r->variables[header.variable].valid = 0;
    r->variables[header.variable].not_found = 0;
}

// Removes the client's copies of the configured header fields, and what an earlier location of the
// request has added. Called before the fields are evaluated, so that no value comes from them.
void remove_client_headers(ngx_http_request_t *r, const GateConf &conf) {
    if (GateState *state = gate_state_if_any(r)) {
        for (const HeaderConf *header : state->added) remove_headers(r, header->form);
        state->added.clear();
    }
    for (const auto &header : conf.headers) {
        remove_headers(r, header->form);
        forget_variable(r, *header);
    }
}

// True for a value that would end the header field, or that no field may contain.
bool has_control_byte(std::string_view value) {
    return std::any_of(value.begin(), value.end(), [](char c) {
        return (uint8_t(c) < 0x20 && c != '\t') || uint8_t(c) == 0x7f;
    });
}

ngx_str_t header_value(ngx_http_request_t *r, GateState &state, const HeaderConf &header) {
    if (!header.gate_variable) return value_of(r, header.value);
    ngx_str_t value = copy_to_pool(r->pool, variable_text(r, state, *header.gate_variable));
    if (value.data == NULL) throw std::bad_alloc();
    return value;
}

void add_headers(ngx_http_request_t *r, const GateConf &conf, GateState &state) {
    state.added.reserve(conf.headers.size());
    for (const auto &header : conf.headers) {
        ngx_str_t value = header_value(r, state, *header);
        if (value.len == 0) continue;
        // A value of the gate has none (service/header_value.h).
        if (!header->gate_variable && has_control_byte(view(value))) {
            log_gate_once(r, NGX_LOG_ERR, GateMessage::known_user,
                          "the value of \"scim_header " + header->name +
                              "\" contains a control character, so it is not sent");
            continue;
        }
        state.added.push_back(header.get());
        add_header(r, as_str(header->name), as_str(header->lowcase), header->hash, header->known,
                   value);
        forget_variable(r, *header);
    }
}

// True for a location that the gate has nothing to do with. The SCIM endpoint has tokens of its own.
bool is_outside(ngx_http_request_t *r, const GateConf &conf) {
    if (loc_conf(r).enabled()) return true;
    return !conf.gated && conf.headers.empty();
}

// Lets variables read the snapshot of the decision.
class SnapshotInUse {
  public:
    SnapshotInUse(GateState &state, service::Snapshot *snapshot) : state_(state) {
        state_.snapshot = snapshot;
    }
    ~SnapshotInUse() { state_.snapshot = nullptr; }
    SnapshotInUse(const SnapshotInUse &) = delete;
    SnapshotInUse &operator=(const SnapshotInUse &) = delete;

  private:
    GateState &state_;
};

// NULL if there is no subject, or if its store is not open.
service::Snapshot *snapshot_of(const GateConf &conf, std::optional<service::Snapshot> &place,
                               MapWait wait) {
    return conf.subject != NULL ? take_snapshot(*conf.subject->store, place, wait) : NULL;
}

// Lets later requests use what is known of the user.
void keep_user(const GateConf &conf, const GateState &state) {
    WorkerStore *store = conf.subject != NULL ? store_of(*conf.subject->store) : NULL;
    if (store != NULL && state.user) store->gate().keep(state.user);
}

ngx_int_t pass(ngx_http_request_t *r, const GateConf &conf) {
    GateState &state = gate_state(r);
    std::optional<service::Snapshot> snapshot;
    service::Snapshot *shared = snapshot_of(conf, snapshot, MapWait::none);
    if (shared != nullptr && shared->txn.error() == store::Errc::map_resized &&
        wait_for_map(r, state))
        return NGX_AGAIN;
    state.waits_since.reset();
    if (conf.gated) {
        // A later location of the same request is judged by the directory as it is then.
        state.user.reset();
        ngx_int_t rc = conclude(r, conf, state, judge(r, conf, state, shared));
        if (rc != NGX_OK) {
            keep_user(conf, state);
            // A client that waits for 100 (Continue) sends no body after a refusal.
            if (r->headers_in.expect != NULL && !r->expect_tested) r->keepalive = 0;
            return rc;
        }
        state.passed_access = true;
        watch(r, conf, state, shared);
    }
    // The subject may be the value of a header field that is removed. judge() has evaluated it.
    if (conf.subject != NULL && !conf.gated) user_of(r, conf, shared);
    SnapshotInUse in_use(state, shared);
    remove_client_headers(r, conf);
    add_headers(r, conf, state);
    keep_user(conf, state);
    return NGX_DECLINED;
}

// A subrequest is not judged. It has the header fields of its main request; a field that the gate
// has not added there comes from the client.
void remove_from_subrequest(ngx_http_request_t *r, const GateConf &conf) {
    const GateState *state = gate_state_if_any(r);
    bool is_own_list = false;  // nginx copies the list's head only
    for (const auto &header : conf.headers) {
        const bool is_ours = state != NULL && std::any_of(state->added.begin(), state->added.end(),
                                                          [&](const HeaderConf *added) {
                                                              return added->form == header->form;
                                                          });
        if (is_ours || count_headers(r, header->form).all == 0) continue;
        if (!is_own_list) copy_headers(r);
        is_own_list = true;
        remove_headers(r, header->form);
    }
}

}  // namespace

ngx_int_t status_of(const service::Decision &decision) {
    if (decision.failed != nullptr && decision.failed->status != 0) return decision.failed->status;
    switch (decision.reason) {
        case Reason::no_subject:
        case Reason::session_revoked: return NGX_HTTP_UNAUTHORIZED;
        case Reason::unavailable: return NGX_HTTP_SERVICE_UNAVAILABLE;
        default: return NGX_HTTP_FORBIDDEN;
    }
}

std::string sentence_of(std::string_view tenant, std::string_view subject, const GateConf &conf,
                        const service::Decision &decision) {
    const std::string user =
        "user " + quoted(without_tokens(subject)) + " of tenant " + quoted(tenant);
    switch (decision.reason) {
        case Reason::no_subject:
            return "the request has no subject: the value of \"scim_subject\" in " +
                   conf.subject->where + " is empty, or of a certificate that is not verified";
        case Reason::unknown: return "the tenant has no " + user;
        case Reason::inactive: return user + " is not active";
        case Reason::blocked: return user + " is blocked (scimctl user unblock)";
        case Reason::ambiguous: return "the subject does not name one user exactly: " + user;
        case Reason::session_revoked: return "the session of " + user + " is not valid";
        case Reason::tenant:
            return "there is no tenant " + quoted(tenant) + ", the value of \"tenant=\" in " +
                   conf.subject->where + ", or it is disabled";
        case Reason::not_allowed:
            return user + " does not meet \"scim_require " + decision.failed->text() + "\" in " +
                   decision.failed->where;
        default: break;
    }
    if (decision.is_beyond_limit)
        return user +
               " cannot be judged: the record, or what the conditions would read, is beyond "
               "the limits of the gate";
    return "the directory cannot answer for " + user;
}

bool is_paused(service::Snapshot &snapshot, store::TenantNumber tenant,
               const service::Decision &decision) {
    if (decision.reason != Reason::not_allowed) return false;
    const int64_t until = store::gate_paused_until(snapshot.txn, tenant);
    if (until <= now()) return false;
    recheck_at(until);
    return true;
}

void log_gate_once(ngx_http_request_t *r, ngx_uint_t level, GateMessage kind,
                   const std::string &sentence) {
    static auto *lately = new service::OnceAMinute[size_t(GateMessage::count)];
    if (lately[size_t(kind)].is_new(sentence, now()))
        ngx_log_error(level, r->connection->log, 0, "scim: %s", sentence.c_str());
}

GateState *gate_state_if_any(ngx_http_request_t *r) {
    // r->ctx is faster than the list, but internal redirects clear it.
    void *&ctx = r->main->ctx[ngx_http_scim_gate_module.ctx_index];
    if (ctx != NULL) return static_cast<GateState *>(ctx);
    for (ngx_pool_cleanup_t *c = r->main->pool->cleanup; c != NULL; c = c->next)
        if (c->handler == destroy_state) ctx = c->data;
    return static_cast<GateState *>(ctx);
}

GateState &gate_state(ngx_http_request_t *r) {
    if (GateState *state = gate_state_if_any(r)) return *state;
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->main->pool, sizeof(GateState));
    if (cleanup == NULL) throw std::bad_alloc();
    auto *state = new (cleanup->data) GateState;
    cleanup->handler = destroy_state;
    r->main->ctx[ngx_http_scim_gate_module.ctx_index] = state;
    return *state;
}

service::Snapshot *take_snapshot(const StoreConf &conf, std::optional<service::Snapshot> &place,
                                 MapWait wait) {
    WorkerStore *store = store_of(conf);
    if (store == NULL || store->session() == NULL) return NULL;
    // At most one wait in a turn of the event loop, in which ngx_current_msec is the same.
    static std::optional<ngx_msec_t> waited;
    if (wait == MapWait::none || waited == ngx_current_msec)
        return &place.emplace(*store->session());
    service::Snapshot &snapshot = service::take_snapshot(*store->session(), place);
    if (snapshot.txn.error() == store::Errc::map_resized) waited = ngx_current_msec;
    return &snapshot;
}

service::KnownUser &user_of(ngx_http_request_t *r, const GateConf &conf,
                            service::Snapshot *snapshot) {
    GateState &state = gate_state(r);
    if (state.snapshot != nullptr && state.user) return *state.user;
    const SubjectConf &subject = *conf.subject;
    // The tenant first: whether it is of a certificate counts for the subject.
    const std::string_view tenant = view(value_of(r, subject.tenant)),
                           value = subject_of(r, subject), session = session_of(r, conf, state);
    const bool is_same = state.user && state.store == subject.store && state.by == subject.by &&
                         state.tenant == tenant && state.subject == value &&
                         state.session_of == conf.session && state.session == session;
    if (is_same) return *state.user;
    state.truncated = false;
    state.store = subject.store;
    state.by = subject.by;
    state.tenant = tenant;
    state.subject = value;
    state.session_of = conf.session;
    state.session = session;
    state.user = find_user(r, state, subject, {tenant, subject.by, value}, snapshot);
    check_session(conf, state);
    return *state.user;
}

ngx_int_t before_access_handler(ngx_http_request_t *r) {
    if (r != r->main || loc_conf(r).enabled()) return NGX_DECLINED;
    return guarded(r, [&]() -> ngx_int_t {
        GateState &state = gate_state(r);
        state.refused_by_access |= state.in_access;
        state.in_access = true;
        return NGX_DECLINED;
    });
}

ngx_int_t gate_handler(ngx_http_request_t *r) {
    const GateConf &conf = gate_conf(r);
    return guarded(r, [&]() -> ngx_int_t {
        if (GateState *state = gate_state_if_any(r); state != NULL && r == r->main)
            state->in_access = false;
        if (r == r->main && conf.subject != NULL && !r->error_page)
            gate_state(r).passed_access = true;
        if (r == r->main && !is_outside(r, conf)) return pass(r, conf);
        if (r == r->main)
            remove_client_headers(r, conf);
        else
            remove_from_subrequest(r, conf);
        return NGX_DECLINED;
    });
}

ngx_int_t decide_handler(ngx_http_request_t *r) {
    ngx_int_t rc = refuse_body(r);
    if (rc != NGX_OK) return rc;
    return guarded(r, [&]() -> ngx_int_t {
        const GateConf &conf = gate_conf(r);
        // The PRECONTENT phase has judged a main request.
        if (r != r->main && conf.gated) {
            GateState &state = gate_state(r);
            state.user.reset();
            std::optional<service::Snapshot> snapshot;
            auto decision = judge(r, conf, state, snapshot_of(conf, snapshot, MapWait::short_wait));
            ngx_int_t refusal = conclude(r, conf, state, decision);
            keep_user(conf, state);
            if (refusal != NGX_OK) return refusal;
        }
        r->headers_out.status = conf.allowed_status;
        r->headers_out.content_length_n = 0;
        r->header_only = 1;
        return ngx_http_send_header(r);
    });
}

}  // namespace scim::nginx
