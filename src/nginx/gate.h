#pragma once
// The access gate in nginx: scim_require decides in the PRECONTENT phase of main requests, before
// `mirror` and `try_files`. scim_header then replaces header fields of the request.
//
// `return`, `rewrite` and handlers that answer in an earlier phase are not judged: nginx does not
// reach the PRECONTENT phase. The header filter logs such an answer as an error.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nginx/gate_conf.h"
#include "nginx/gate_recheck.h"
#include "nginx/ngx.h"
#include "service/gate_cache.h"
#include "service/gate_session.h"

namespace scim::nginx {

// What the gate knows of a main request. It is in the pool of the request, and not in r->ctx, which
// internal redirects clear.
struct GateState {
    // The user of the last evaluated subject. The texts are in the configuration, or in the pool of
    // the request.
    const StoreConf *store = NULL;
    std::string_view by, tenant, subject;
    const SessionConf *session_of = NULL;  // scim_session of the location
    std::string_view session;
    service::SessionFault session_fault = service::SessionFault::none;
    std::shared_ptr<service::KnownUser> user;  // nullptr: none was evaluated

    service::Snapshot *snapshot = nullptr;  // of the decision, while its handler runs

    const GateConf *decided = NULL;  // the location of the last decision
    const char *decision = "";       // "allow", "deny", "dry_run_deny"; empty: none yet
    service::Reason reason = service::Reason::none;  // of the first refusal
    bool is_anonymous = false;                       // scim_on_error allow: no identity may be sent
    // Access modules, such as auth_basic, check what the subject says. `passed_access`: the PRECONTENT
    // phase was reached. `in_access`: the access phase has begun and not ended. `refused_by_access`:
    // it began again without having ended, in the location of an error page.
    bool passed_access = false, in_access = false, refused_by_access = false;
    // The header fields of subjects and sessions that arrived twice, or in another spelling, in the
    // form of header_form(). Remembered, because scim_header may remove the fields. The texts are in
    // the configuration.
    std::vector<std::string_view> doubtful;
    Watched *watched = NULL;  // the place in the list of open requests
    // Since when the request waits for the map, as ngx_current_msec.
    std::optional<ngx_msec_t> waits_since;
    bool truncated = false;                 // a value of the user was too long
    std::vector<const HeaderConf *> added;  // the header fields that were added

    // True if one of these header fields is doubtful.
    bool is_doubtful(const std::vector<std::string> &headers) const {
        return std::find_first_of(doubtful.begin(), doubtful.end(), headers.begin(),
                                  headers.end()) != doubtful.end();
    }
    // Why the user is refused, whatever the requirements are. REQUIRES: user is not nullptr.
    service::Reason reason_of_user() const {
        if (user->user.reason != service::Reason::none) return user->user.reason;
        return session_fault == service::SessionFault::none ? service::Reason::none
                                                            : service::Reason::session_revoked;
    }
};

// Returns the state of the main request of `r`, and creates it on the first call. Throws
// std::bad_alloc.
GateState &gate_state(ngx_http_request_t *r);
// Returns the state, or NULL if it has not been created.
GateState *gate_state_if_any(ngx_http_request_t *r);

// Reads the store into `place` and returns its address; NULL if the store is not open.
enum class MapWait : uint8_t { none, short_wait };  // service::take_snapshot()
service::Snapshot *take_snapshot(const StoreConf &store, std::optional<service::Snapshot> &place,
                                 MapWait wait = MapWait::short_wait);

// The user that the subject of the location names. Evaluated again only if the subject has changed,
// and never while the headers of one location are made.
// `snapshot` may be nullptr: the store is then read in a snapshot of its own.
service::KnownUser &user_of(ngx_http_request_t *r, const GateConf &conf,
                            service::Snapshot *snapshot);

// The status of a refusal.
ngx_int_t status_of(const service::Decision &decision);
// "user "ada" of tenant "acme" is not active": the sentence of a refusal, without its verdict.
std::string sentence_of(std::string_view tenant, std::string_view subject, const GateConf &conf,
                        const service::Decision &decision);
// True if the requirements do not count now (scimctl gate pause).
bool is_paused(service::Snapshot &snapshot, store::TenantNumber tenant,
               const service::Decision &decision);

// Log messages are limited for each kind: what anybody can cause must not hide the others.
enum class GateMessage : uint8_t { nobody, known_user, undecided, roll_out, ended, count };
// Logs a sentence unless the worker has logged it within the last minute, or 60 other sentences of
// this kind.
void log_gate_once(ngx_http_request_t *r, ngx_uint_t level, GateMessage kind,
                   const std::string &sentence);

// The handler of the PREACCESS phase, which notes that the access phase begins.
ngx_int_t before_access_handler(ngx_http_request_t *r);
// The handler of the PRECONTENT phase.
ngx_int_t gate_handler(ngx_http_request_t *r);
// The content handler of scim_decide.
ngx_int_t decide_handler(ngx_http_request_t *r);

// The value of a variable of the gate by its `data`. Valid until the next call.
std::string_view variable_text(ngx_http_request_t *r, GateState &state, uintptr_t data);

// Suspends the phases of a main request for some milliseconds: until this process has adopted a map
// that another one has grown. False if the request has waited for too long.
bool wait_for_map(ngx_http_request_t *r, GateState &state);

// Logs an error for each main request in a gated location that is answered 2xx or 3xx without a
// decision.
void install_gate_filter();

}  // namespace scim::nginx
