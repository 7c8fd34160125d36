#pragma once
// Bounds the bytes of request bodies that one turn of the event loop reads to 1 MiB. nginx reads a
// body, or discards it, for as long as the client sends, and does not handle other connections
// meanwhile.

#include "nginx/ngx.h"

namespace scim::nginx {

// Until the request is destroyed, reads of its connection count towards the bytes of a turn, which
// all such connections of the worker share. When they are used up, a read returns NGX_AGAIN, and
// the read event is posted for the next turn. With HTTP/2 this holds until the connection has no
// stream. HTTP/3 is not bounded here, because QUIC bounds the bytes that nginx buffers. Does nothing
// if an allocation fails.
void bound_recv(ngx_http_request_t *r) noexcept;

}  // namespace scim::nginx
