#pragma once
// Adapters between C++ and nginx: exceptions become log messages and return codes, and C++ objects
// live in nginx pools.

#include <cxxabi.h>

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "nginx/ngx.h"

namespace scim::nginx {

// Runs `f` and returns its result. Logs an exception and returns `otherwise` instead. The body of
// every function that nginx calls and that can throw is one call of guarded().
template <class F, class R = std::invoke_result_t<F>>
R guarded(ngx_log_t *log, R otherwise, F &&f) noexcept {
    try {
        return f();
    } catch (const std::bad_alloc &) {
        ngx_log_error(NGX_LOG_CRIT, log, 0, "scim: out of memory");
    } catch (const std::exception &e) {
        ngx_log_error(NGX_LOG_CRIT, log, 0, "scim: %s", e.what());
    } catch (...) {
        ngx_log_error(NGX_LOG_CRIT, log, 0, "scim: unknown exception");
    }
    return otherwise;
}

// The same for request handlers: std::bad_alloc becomes 503, any other exception 500. Response
// headers that `f` has set are removed. Returns NGX_ERROR if the header has already been sent.
template <class F>
ngx_int_t guarded(ngx_http_request_t *r, F &&f) noexcept {
    ngx_int_t rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    bool finished = guarded(r->connection->log, false, [&] {
        try {
            rc = f();
            return true;
        } catch (const std::bad_alloc &) {
            rc = NGX_HTTP_SERVICE_UNAVAILABLE;
            throw;
        }
    });
    if (finished) return rc;
    if (r->header_sent) return NGX_ERROR;
    ngx_http_clean_header(r);
    return rc;
}

template <class F>
void guarded_void(ngx_log_t *log, F &&f) noexcept {
    (void)guarded(log, 0, [&] { return f(), 0; });
}

// Makes the C++ runtime allocate the exception memory of the calling thread. The first exception on
// a thread allocates it, and the process ends if that allocation fails. REQUIRES: called on each
// thread before other work, when memory is most likely available.
inline void allocate_exception_memory() noexcept {
    // volatile, because the compiler removes a call whose result is not used.
    void *volatile globals = abi::__cxa_get_globals();
    (void)globals;
}

// Creates an object in the pool. The pool's cleanup handler runs its destructor. Returns NULL if
// the allocation fails.
template <class T, class... Args>
T *pool_new(ngx_pool_t *pool, Args &&...args) {
    static_assert(alignof(T) <= NGX_ALIGNMENT);
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(pool, sizeof(T));
    if (cleanup == NULL) return NULL;
    T *object = new (cleanup->data) T(std::forward<Args>(args)...);
    cleanup->handler = [](void *data) { static_cast<T *>(data)->~T(); };
    return object;
}

}  // namespace scim::nginx
