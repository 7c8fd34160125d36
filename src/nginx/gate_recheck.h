#pragma once
// Open requests whose user loses access are ended (scim_recheck): upgraded connections, streams,
// downloads, uploads, and requests that wait for an application.
//
// A worker lists each main request that the gate has let pass, until nginx destroys the request. Once
// a second it looks at the number of the store's last transaction. If there is a new one, or if the
// store was opened again, for example because a backup was restored, it decides again about the
// requests whose last decision is at least `scim_recheck` old, with the tenant, subject and
// requirements of that decision. So a request ends at most scim_recheck and a second after a change
// that refuses its user. While the store does not change, nothing is decided. A worker process that is
// exiting does all this, too.
//
// A request that passed by `scim_on_error allow` is decided like any other as soon as the store
// answers: its user and its session must be valid then.
//
// Requests are in the order of their last decision, one list for each store and interval. A turn of
// the event loop takes 2 ms of them; the rest follows in the next turns.

#include "nginx/gate_conf.h"
#include "nginx/ngx.h"

namespace scim::nginx {

struct GateState;
struct Watched;

// Lists a request that the gate has let pass in a location with `conf`, or removes it from the list if
// the location has "scim_recheck off". `snapshot` is that of the decision, NULL if the store was not
// read. Throws std::bad_alloc.
void watch(ngx_http_request_t *r, const GateConf &conf, GateState &state,
           service::Snapshot *snapshot);

// All listed requests are decided again after `time` (milliseconds since 1970): a decision depends on
// the clock from then on.
void recheck_at(int64_t time);

}  // namespace scim::nginx
