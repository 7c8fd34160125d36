#include "nginx/body.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <utility>

#include "nginx/file_closer.h"

namespace scim::nginx {

ngx_int_t read_body(ngx_http_request_t *r, ngx_http_client_body_handler_pt ready) {
    r->request_body_in_single_buf = 1;
    if (!close_body_file_later(r)) return NGX_HTTP_INTERNAL_SERVER_ERROR;
    ngx_int_t rc = ngx_http_read_client_request_body(r, ready);
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}

// nginx would send 100 (Continue) even for a body that it discards, so expect_tested is set. The
// connection is then closed after the response, because the next bytes could be the body or another
// request.
ngx_int_t refuse_body(ngx_http_request_t *r) {
    if (r->headers_in.expect != NULL && !r->expect_tested) r->keepalive = 0;
    r->expect_tested = 1;
    return ngx_http_discard_request_body(r);
}

// nginx represents a body that does not fit into memory by one file buffer.
Body::Body(ngx_http_request_t *r) {
    if (r->request_body == NULL) return;
    for (ngx_chain_t *chain = r->request_body->bufs; chain != NULL; chain = chain->next) {
        const ngx_buf_t *b = chain->buf;
        size_ += size_t(ngx_buf_size(b));
        if (ngx_buf_in_memory(b)) {
            text_.append(reinterpret_cast<char *>(b->pos), size_t(b->last - b->pos));
        } else if (b->in_file) {
            fd_ = fcntl(b->file->fd, F_DUPFD_CLOEXEC, 0);
            from_ = b->file_pos;
            if (!in_file()) error_ = errno;
        }
    }
}

Body::Body(Body &&other) noexcept
    : text_(std::move(other.text_)),
      size_(other.size_),
      fd_(std::exchange(other.fd_, NGX_INVALID_FILE)),
      from_(other.from_),
      error_(other.error_) {}

Body::~Body() {
    if (in_file()) close_temp_file(fd_);
}

bool Body::load() {
    if (!in_file()) return true;
    try {
        text_.resize(size_);
    } catch (const std::bad_alloc &) {
        error_ = ENOMEM;
        return false;
    }
    size_t done = 0;
    while (done < size_) {
        ssize_t n = pread(fd_, &text_[done], size_ - done, from_ + off_t(done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            error_ = n < 0 ? errno : EIO;  // EIO: the file has been truncated
            return false;
        }
        done += size_t(n);
    }
    close(fd_);
    fd_ = NGX_INVALID_FILE;
    error_ = 0;  // of an earlier call
    return true;
}

}  // namespace scim::nginx
