#pragma once
// The file of an answer that is too long for memory. It has a name only for the moment in which it
// is made: whatever happens to the process, nothing is left of it.

#include <string>

#include "nginx/ngx.h"
#include "service/outlet.h"

namespace scim::nginx {

class TempFile : public service::Sink {
  public:
    // Makes nothing yet. `path` lives as long as the configuration.
    explicit TempFile(const ngx_path_t &path) : path_(path) {}
    ~TempFile() override;
    TempFile(const TempFile &) = delete;
    TempFile &operator=(const TempFile &) = delete;

    // On any thread.
    bool write(std::string_view bytes) override;
    // Why write() said no; 0 if it did not.
    ngx_err_t error() const { return error_; }
    const ngx_str_t &directory() const { return path_.name; }

    // The first `size` bytes for nginx to send; the request's pool closes the file then. NULL if it
    // has no memory.
    ngx_buf_t *give_to(ngx_http_request_t *r, off_t size);

  private:
    bool open();
    bool fail();

    const ngx_path_t &path_;
    ngx_fd_t fd_ = NGX_INVALID_FILE;
    ngx_err_t error_ = 0;
};

}  // namespace scim::nginx
