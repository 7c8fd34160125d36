#pragma once
// The body of a request. What nginx has put into a file is read by the thread that needs it: the
// event loop has no time to copy megabytes.

#include <string>
#include <string_view>

#include "nginx/ngx.h"

namespace scim::nginx {

class Body {
  public:
    Body() = default;
    // Takes the body that nginx has read, and outlives the request. error() if there is no
    // descriptor for its file.
    explicit Body(ngx_http_request_t *r);
    ~Body();
    Body(Body &&other) noexcept;
    Body &operator=(Body &&other) = delete;

    size_t size() const { return size_; }  // bytes, wherever they are
    bool in_file() const { return fd_ != NGX_INVALID_FILE; }
    // Brings it into memory, on any thread. False, and why in error(), if the file cannot be read.
    bool load();
    // Frees the text.
    void drop() { text_ = std::string(); }
    ngx_err_t error() const { return error_; }
    // REQUIRES: !in_file().
    std::string_view text() const { return text_; }

  private:
    std::string text_;
    size_t size_ = 0;
    ngx_fd_t fd_ = NGX_INVALID_FILE;  // a descriptor of our own: the request closes its one
    off_t from_ = 0;
    ngx_err_t error_ = 0;
};

}  // namespace scim::nginx
