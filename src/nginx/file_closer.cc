#include "nginx/file_closer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <exception>
#include <utility>

#include "nginx/worker.h"

namespace scim::nginx {

namespace {

// The thread is only worth its task for a file that takes longer than a fraction of a millisecond.
bool is_small(ngx_fd_t fd) {
    struct stat info;
    return fstat(fd, &info) == 0 && info.st_size < 128 << 10;
}

}  // namespace

void FileCloser::close(ngx_fd_t fd) noexcept {
    if (is_small(fd)) {
        ::close(fd);
        return;
    }
    try {
        waiting_.push_back(fd);
    } catch (const std::exception &) {
        ::close(fd);
        return;
    }
    start();
}

void FileCloser::close_all(std::vector<ngx_fd_t> &files) noexcept {
    for (ngx_fd_t fd : files) ::close(fd);
    files.clear();
}

void FileCloser::start() noexcept {
    if (task_.under_way()) return;
    std::swap(waiting_, closing_);
    if (pool_ == NULL || !task_.post(pool_, step<&FileCloser::run>, step<&FileCloser::done>))
        close_all(closing_);
}

void FileCloser::done() {
    if (!waiting_.empty()) start();
}

void close_temp_file(ngx_fd_t fd) noexcept {
    if (FileCloser *closer = file_closer())
        closer->close(fd);
    else
        ::close(fd);
}

namespace {

void close_file(void *file) { close_temp_file(static_cast<ngx_pool_cleanup_file_t *>(file)->fd); }

// Replaces the handler by which the pool of the request closes the body's file. Not before the end
// of the request, because nginx creates the file while it reads the body. A file with
// `client_body_in_file_only clean` has another handler, which also deletes it.
void replace_handler(void *request) {
    auto *r = static_cast<ngx_http_request_t *>(request);
    if (r->request_body == NULL || r->request_body->temp_file == NULL) return;
    const ngx_fd_t fd = r->request_body->temp_file->file.fd;
    for (ngx_pool_cleanup_t *c = r->pool->cleanup; c != NULL; c = c->next)
        if (c->handler == ngx_pool_cleanup_file &&
            static_cast<ngx_pool_cleanup_file_t *>(c->data)->fd == fd)
            c->handler = close_file;
}

}  // namespace

bool close_body_file_later(ngx_http_request_t *r) noexcept {
    ngx_http_cleanup_t *cleanup = ngx_http_cleanup_add(r, 0);
    if (cleanup == NULL) return false;
    cleanup->handler = replace_handler;
    cleanup->data = r->main;
    return true;
}

}  // namespace scim::nginx
