#pragma once
// The request body: nginx reads it from the client, or discards it. If nginx has buffered it in a
// file, a pool thread reads the file, because reading megabytes would block the event loop.

#include <string>
#include <string_view>

#include "nginx/ngx.h"

namespace scim::nginx {

// Lets nginx read the body, and call `ready` when it has. Returns NGX_DONE, or the status of an
// error.
ngx_int_t read_body(ngx_http_request_t *r, ngx_http_client_body_handler_pt ready);

// Discards the request body, for a response that does not depend on it. A client that waits for a
// 100 (Continue) response does not get it. Returns NGX_OK or an error.
ngx_int_t refuse_body(ngx_http_request_t *r);

// A body that nginx has read.
class Body {
  public:
    Body() = default;
    // Copies the body that nginx has read, or duplicates the descriptor of its file. The Body may
    // outlive the request. error() is not 0 if the descriptor cannot be duplicated.
    explicit Body(ngx_http_request_t *r);
    ~Body();
    Body(Body &&other) noexcept;
    Body &operator=(Body &&other) = delete;

    size_t size() const { return size_; }  // in bytes, in memory or in the file
    bool in_file() const { return fd_ != NGX_INVALID_FILE; }
    // Reads the file into memory. May be called on any thread. Returns false and sets error() if
    // that fails; it may be called again then.
    bool load();
    // Frees the memory of the text.
    void drop() { std::string().swap(text_); }  // an assignment would keep the memory
    ngx_err_t error() const { return error_; }
    // REQUIRES: !in_file().
    std::string_view text() const { return text_; }

  private:
    std::string text_;
    size_t size_ = 0;
    ngx_fd_t fd_ = NGX_INVALID_FILE;  // a duplicate, because the request closes its descriptor
    off_t from_ = 0;                  // offset of the body in the file
    ngx_err_t error_ = 0;
};

}  // namespace scim::nginx
