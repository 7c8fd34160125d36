#include "nginx/bounded_recv.h"

#include <algorithm>

namespace scim::nginx {

namespace {

// A turn may read twice as many, because begin_turn() runs after the events that epoll reports.
// Reading these bytes and writing them to a temporary file takes about 0.5 ms, with TLS 1 ms.
constexpr size_t turn_bytes = 512u << 10;

size_t used;            // bytes that have been read in this turn
ngx_event_t next_turn;  // posted if `used` is not 0

// Runs before the read events of this turn's connections, because it was posted first.
void begin_turn(ngx_event_t *) { used = 0; }

void use(size_t bytes) {
    if (used == 0) {
        next_turn.handler = begin_turn;
        next_turn.log = ngx_cycle->log;
        ngx_post_event(&next_turn, &ngx_posted_next_events);
    }
    used += bytes;
}

ssize_t recv_of(ngx_connection_t *c, u_char *buf, size_t size, ngx_recv_pt recv) {
    if (used >= turn_bytes) {
        // epoll does not report the rest of the data again. nginx sets `ready` again when it moves
        // the event from ngx_posted_next_events, but not if the event is to run later in this turn.
        c->read->ready = 0;
        if (c->read->posted) {
            ngx_delete_posted_event(c->read);  // several statements
        }
        ngx_post_event(c->read, &ngx_posted_next_events);
        return NGX_AGAIN;
    }
    ssize_t n = recv(c, buf, std::min(size, turn_bytes - used));
    if (n > 0) use(size_t(n));
    return n;
}

ssize_t bounded_recv(ngx_connection_t *c, u_char *buf, size_t size) {
    return recv_of(c, buf, size, ngx_recv);
}

#if (NGX_HTTP_SSL)
ssize_t bounded_ssl_recv(ngx_connection_t *c, u_char *buf, size_t size) {
    return recv_of(c, buf, size, ngx_ssl_recv);
}
#endif

// The bounded form of `recv`. NULL if `recv` is bounded, or is not one of nginx's own functions.
ngx_recv_pt bounded_form(ngx_recv_pt recv) {
    if (recv == ngx_recv) return bounded_recv;
#if (NGX_HTTP_SSL)
    if (recv == ngx_ssl_recv) return bounded_ssl_recv;
#endif
    return NULL;
}

void restore_recv(void *connection) {
    auto *c = static_cast<ngx_connection_t *>(connection);
    if (c->recv == bounded_recv) c->recv = ngx_recv;
#if (NGX_HTTP_SSL)
    if (c->recv == bounded_ssl_recv) c->recv = ngx_ssl_recv;
#endif
}

}  // namespace

// Only restore_recv() takes the pointer back: when the pool is destroyed, which is before the
// connection reads another request or is closed.
void bound_recv(ngx_http_request_t *r) noexcept {
    ngx_connection_t *c = r->connection;
    ngx_pool_t *pool = r->pool;
#if (NGX_HTTP_V2)
    if (r->stream != NULL) {
        c = r->stream->connection->connection;
        pool = r->stream->connection->pool;
    }
#endif
    ngx_recv_pt bounded = bounded_form(c->recv);
    if (bounded == NULL) return;
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(pool, 0);
    if (cleanup == NULL) return;
    cleanup->handler = restore_recv;
    cleanup->data = c;
    c->recv = bounded;
}

}  // namespace scim::nginx
