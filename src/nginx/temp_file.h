#pragma once
// The temporary file of a response body that exceeds 1 MiB. The file is unlinked right after it is
// created, so that its space is released even if the process is killed.

#include <string>

#include "nginx/ngx.h"
#include "service/spilling_body.h"

namespace scim::nginx {

class TempFile : public service::BodySink {
  public:
    // Does not create the file. `path` must outlive the TempFile.
    explicit TempFile(const ngx_path_t &path) : path_(path) {}
    ~TempFile() override;
    TempFile(const TempFile &) = delete;
    TempFile &operator=(const TempFile &) = delete;

    // Appends to the file and creates it first if necessary. May be called on any thread.
    bool write(std::string_view bytes) override;
    // The errno of a failed write(), otherwise 0.
    ngx_err_t error() const { return error_; }
    const ngx_str_t &directory() const { return path_.name; }

    // Returns a buffer with the first `size` bytes of the file, and lets the request's pool close
    // the file. NULL if an allocation fails.
    ngx_buf_t *give_to(ngx_http_request_t *r, off_t size);

  private:
    bool open();
    bool fail();

    const ngx_path_t &path_;
    ngx_fd_t fd_ = NGX_INVALID_FILE;
    ngx_err_t error_ = 0;
};

}  // namespace scim::nginx
