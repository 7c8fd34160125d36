#pragma once
// A request that has left the event loop: it owns its bytes and outlives its client.

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "nginx/body.h"
#include "nginx/ngx.h"
#include "nginx/temp_file.h"
#include "service/batch.h"

namespace scim::nginx {

// Holds a request of nginx, main or subrequest, until it is answered or nginx destroys it.
//
// nginx keeps the cleanup handlers of a request and of all its subrequests in one list, that of the
// main request, and runs them before it frees any of them.
class RequestHook {
  public:
    RequestHook() = default;
    // Gives the reference back. REQUIRES: no request is held, or its caller has a reference of its
    // own: the last one is given back by ngx_http_finalize_request() alone.
    ~RequestHook();
    RequestHook(const RequestHook &) = delete;
    RequestHook &operator=(const RequestHook &) = delete;

    // Takes a reference of its own to the main request. `watch_client`: a client that closes its
    // connection ends the request. False if the pool has no memory.
    bool hold(ngx_http_request_t *r, bool watch_client);
    // What was held, with its reference, for ngx_http_finalize_request(). NULL if nginx has
    // destroyed it.
    ngx_http_request_t *release();
    // True once nginx has destroyed the request; on any thread.
    const std::atomic<bool> &gone() const { return gone_; }
    // The answer is no longer wanted.
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

    // Before the job is run, on its thread. False: its body cannot be read.
    bool load() {
        if (!body.load()) return false;
        job.request.body = body.text();
        return true;
    }
    // Reads take memory for what they look at, writes for their body.
    bool is_large() const { return !is_write || body.size() > 64u << 10; }
    // 503, on the event loop; never throws.
    void refuse(const char *why, uint16_t retry_after) noexcept;

    RequestHook client;
    std::string bytes;  // what the job's views point into
    Body body;
    service::Job job;
    TempFile file;  // a long answer's body
    bool is_write = true;
    ngx_msec_t since = 0;  // ngx_current_msec when a write was submitted
    // An error takes the place of the job's answer. It is there from the start: whatever happens to
    // the job, the client gets an answer.
    Outcome outcome = Error{503, ScimType::none, "the directory cannot be served now", 5};

  private:
    friend class PendingList;
    std::unique_ptr<PendingRequest> next_;
};

// A queue of requests. Nothing here allocates or throws.
class PendingList {
  public:
    PendingList() = default;
    PendingList(PendingList &&other) noexcept { append(std::move(other)); }
    PendingList &operator=(PendingList &&) = delete;
    ~PendingList() {
        while (!empty()) pop();
    }

    void push(std::unique_ptr<PendingRequest> request) noexcept;
    // The oldest. REQUIRES: !empty().
    std::unique_ptr<PendingRequest> pop() noexcept;
    // One that is in the list. Walks to it.
    std::unique_ptr<PendingRequest> take(const PendingRequest &request) noexcept;
    // Takes all that `other` has.
    void append(PendingList &&other) noexcept;
    bool empty() const { return size_ == 0; }
    size_t size() const { return size_; }
    // The oldest, and the one behind another; NULL at the end.
    PendingRequest *first() const { return first_.get(); }
    static PendingRequest *after(const PendingRequest &request) { return request.next_.get(); }

  private:
    std::unique_ptr<PendingRequest> first_;
    PendingRequest *last_ = NULL;
    size_t size_ = 0;
};

// Sends what a PendingRequest has become, unless its client is gone. Never throws.
void finish_request(std::unique_ptr<PendingRequest> request, ngx_log_t *log) noexcept;

}  // namespace scim::nginx
