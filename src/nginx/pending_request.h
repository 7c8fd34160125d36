#pragma once
// A request that a thread works on. It owns its bytes and may outlive the nginx request.

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "nginx/body.h"
#include "nginx/ngx.h"
#include "nginx/temp_file.h"
#include "service/batch.h"

namespace scim::nginx {

// Refers to an nginx request (main or subrequest) until the response is sent or nginx destroys the
// request.
//
// nginx keeps the cleanup handlers of a request and of all its subrequests in the list of the main
// request, and runs them before it frees any of these requests.
class RequestHook {
  public:
    RequestHook() = default;
    // Releases the reference. REQUIRES: no request is held, or the caller has another reference to
    // it, because only ngx_http_finalize_request() may release the last one.
    ~RequestHook();
    RequestHook(const RequestHook &) = delete;
    RequestHook &operator=(const RequestHook &) = delete;

    // Takes a reference to the main request. With `watch_client`, the request ends if the client
    // closes its connection. Returns false if an allocation fails.
    bool hold(ngx_http_request_t *r, bool watch_client);
    // Returns the held request for ngx_http_finalize_request(), which takes over the reference.
    // NULL if nginx has destroyed the request.
    ngx_http_request_t *release();
    // True if nginx has destroyed the request or give_up() was called. May be read on any thread.
    const std::atomic<bool> &gone() const { return gone_; }
    // Cancels the request: its response is not needed any more.
    void give_up() { gone_ = true; }

  private:
    static void on_destroyed(void *hook);

    ngx_http_request_t *r_ = NULL;
    ngx_http_cleanup_t *cleanup_ = NULL;
    bool watching_ = false;
    std::atomic<bool> gone_{false};
};

struct PendingRequest {
    PendingRequest(const ngx_path_t &temp_path, Body sent)
        : body(std::move(sent)), file(temp_path) {}

    // Reads the body into memory. To be called on the job's thread before the job runs. Returns
    // false if the body cannot be read.
    bool load() {
        if (!body.load()) return false;
        job.request.body = body.text();
        return true;
    }
    // True if the request may have used much memory: any read, or a write whose body is larger than
    // 64 KiB.
    bool is_large() const { return !is_write || body.size() > 64u << 10; }
    // Sets the outcome to 503 with the detail `why`. `retry_after` is in seconds. Never throws.
    void refuse(Refusal refusal, const char *why, uint16_t retry_after) noexcept;

    RequestHook client;
    std::string bytes;  // the memory that the job's views point into
    Body body;
    service::Job job;
    TempFile file;  // the body of a long response
    bool is_write = true;
    ngx_msec_t since = 0;  // ngx_current_msec when a write was submitted
    // An error replaces the job's response. It is initially 503, so that the client gets a response
    // even if the job never runs.
    Outcome outcome = Error{Refusal::store_unavailable, "the directory cannot be served now", 5};

  private:
    friend class PendingList;
    std::unique_ptr<PendingRequest> next_;
};

// A queue of requests. No member function allocates or throws.
class PendingList {
  public:
    PendingList() = default;
    PendingList(PendingList &&other) noexcept { append(std::move(other)); }
    PendingList &operator=(PendingList &&) = delete;
    ~PendingList() {
        while (!empty()) pop();
    }

    void push(std::unique_ptr<PendingRequest> request) noexcept;
    // Removes the oldest request. REQUIRES: !empty().
    std::unique_ptr<PendingRequest> pop() noexcept;
    // Removes `request`, in linear time. REQUIRES: it is in the list.
    std::unique_ptr<PendingRequest> take(const PendingRequest &request) noexcept;
    // Moves all requests of `other` to the end of this list.
    void append(PendingList &&other) noexcept;
    bool empty() const { return size_ == 0; }
    size_t size() const { return size_; }
    // The oldest request, and the request after `request`; NULL at the end.
    PendingRequest *first() const { return first_.get(); }
    static PendingRequest *after(const PendingRequest &request) { return request.next_.get(); }

  private:
    std::unique_ptr<PendingRequest> first_;
    PendingRequest *last_ = NULL;
    size_t size_ = 0;
};

// Sends the response of a PendingRequest, unless its client has disconnected. Never throws.
void finish_request(std::unique_ptr<PendingRequest> request, ngx_log_t *log) noexcept;

}  // namespace scim::nginx
