#include "nginx/temp_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "nginx/file_closer.h"

namespace scim::nginx {

TempFile::~TempFile() {
    if (fd_ != NGX_INVALID_FILE) close_temp_file(fd_);
}

bool TempFile::fail() {
    error_ = errno;
    return false;
}

// Does not use ngx_create_temp_file(), whose counters and pools may only be used on the event loop.
// The levels of the path are not used, because each file is unlinked at once.
bool TempFile::open() {
    std::string name(view(path_.name));
    name += "/scim-XXXXXX";
    fd_ = mkostemp(&name[0], O_CLOEXEC);
    return (fd_ != NGX_INVALID_FILE && unlink(name.c_str()) == 0) || fail();
}

bool TempFile::write(std::string_view bytes) {
    if (error_ != 0 || (fd_ == NGX_INVALID_FILE && !open())) return false;
    while (!bytes.empty()) {
        ssize_t n = ::write(fd_, bytes.data(), bytes.size());
        if (n < 0 && errno != EINTR) return fail();
        if (n > 0) bytes.remove_prefix(size_t(n));
    }
    return true;
}

ngx_buf_t *TempFile::give_to(ngx_http_request_t *r, off_t size) {
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(fd_));
    auto *file = static_cast<ngx_file_t *>(ngx_pcalloc(r->pool, sizeof(ngx_file_t)));
    auto *b = static_cast<ngx_buf_t *>(ngx_calloc_buf(r->pool));
    if (cleanup == NULL || file == NULL || b == NULL) return NULL;
    file->fd = fd_;
    file->name = path_.name;
    file->log = r->connection->log;
    *static_cast<ngx_fd_t *>(cleanup->data) = std::exchange(fd_, NGX_INVALID_FILE);
    cleanup->handler = [](void *fd) { close_temp_file(*static_cast<ngx_fd_t *>(fd)); };
    b->in_file = 1;
    b->file = file;
    b->file_last = size;
    return b;
}

}  // namespace scim::nginx
