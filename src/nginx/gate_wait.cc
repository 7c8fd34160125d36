// Waits of the gate for a map that another process has grown. This process can adopt it at a moment
// when it has no transaction (store/lmdb.h). Reads on threads end for that within about a
// millisecond. The event loop does not wait: the request does.

#include "nginx/gate.h"

namespace scim::nginx {

namespace {

constexpr ngx_msec_t pause = 5, patience = 1000;  // milliseconds

// Like the end of a delay of nginx's limit_req.
void go_on(ngx_http_request_t *r) {
    ngx_event_t *write = r->connection->write;
    ngx_int_t rc = write->delayed ? ngx_handle_write_event(write, 0)
                                  : ngx_handle_read_event(r->connection->read, 0);
    if (rc != NGX_OK) return ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    if (write->delayed) return;
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

}  // namespace

bool wait_for_map(ngx_http_request_t *r, GateState &state) {
    if (!state.waits_since) state.waits_since = ngx_current_msec;
    if (ngx_current_msec - *state.waits_since >= patience ||
        ngx_handle_read_event(r->connection->read, 0) != NGX_OK)
        return false;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = go_on;
    r->connection->write->delayed = 1;
    ngx_add_timer(r->connection->write, pause);
    return true;
}

}  // namespace scim::nginx
